// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The pages have the code that is compiled here, and all of it.

/// The pages, and the files that hold their code.
const PAGES: [(&str, &str); 5] = [
    (
        include_str!("../../../docs/embedding.md"),
        include_str!("any_vmm.rs"),
    ),
    (
        include_str!("../../../docs/embedding/rust-vmm.md"),
        include_str!("rust_vmm.rs"),
    ),
    (
        include_str!("../../../docs/embedding/crosvm.md"),
        include_str!("crosvm.rs"),
    ),
    (
        include_str!("../../../docs/embedding/cloud-hypervisor.md"),
        include_str!("cloud_hypervisor.rs"),
    ),
    (
        include_str!("../../../docs/embedding/openvmm.md"),
        include_str!("openvmm.rs"),
    ),
];

fn blocks(page: &str) -> Vec<&str> {
    let blocks = page.split("```rust\n").skip(1);
    blocks.filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_pages_code_is_what_is_compiled_here() {
    for (page, file) in PAGES {
        let title = page.lines().next().unwrap_or_default();
        assert!(!blocks(page).is_empty(), "{title} has no code");
        for block in blocks(page) {
            assert!(
                file.contains(block),
                "{title}: this isn't in its file of crates/embedding-pages:\n{block}"
            );
        }
    }
}

#[test]
fn the_pages_leave_out_nothing_that_their_code_needs() {
    for (page, file) in PAGES {
        let title = page.lines().next().unwrap_or_default();
        let code = file.split("#[cfg(test)]").next().unwrap_or_default();
        let rest = blocks(page)
            .iter()
            .fold(code.to_owned(), |rest, block| rest.replace(block, ""));
        let is_code = |line: &&str| {
            let header = ["//", "#![", "mod "];
            !line.is_empty() && !header.iter().any(|start| line.starts_with(start))
        };
        let left_out: Vec<_> = rest.lines().filter(is_code).collect();
        assert!(left_out.is_empty(), "{title} lacks {left_out:#?}");
    }
}
