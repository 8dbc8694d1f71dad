//! The code of docs/embedding.md and its pages, compiled and driven: the same guest runs on each VMM's
//! buses.
//!
//! Each VMM's traits are declared in a file `api.rs`, as far as they're needed.
#![cfg(target_os = "linux")]

mod cloud_hypervisor;
mod crosvm;
mod display;
mod guest;
mod openvmm;
#[cfg(feature = "vm-device")]
mod rust_vmm;
mod shared;
#[cfg(feature = "vm-device")]
#[path = "../skip/mod.rs"]
mod skip;

/// The pages, and the sources that their code is taken from.
const PAGES: [&str; 5] = [
    include_str!("../../docs/embedding.md"),
    include_str!("../../docs/embedding/rust-vmm.md"),
    include_str!("../../docs/embedding/crosvm.md"),
    include_str!("../../docs/embedding/cloud-hypervisor.md"),
    include_str!("../../docs/embedding/openvmm.md"),
];
const SOURCES: [&str; 6] = [
    include_str!("shared.rs"),
    include_str!("display.rs"),
    include_str!("rust_vmm/mod.rs"),
    include_str!("crosvm/mod.rs"),
    include_str!("cloud_hypervisor/mod.rs"),
    include_str!("openvmm/mod.rs"),
];

#[test]
fn the_pages_code_is_what_is_compiled_here() {
    for page in PAGES {
        let title = page.lines().next().unwrap_or_default();
        let blocks = page.split("```rust\n").skip(1);
        let blocks: Vec<_> = blocks.filter_map(|rest| rest.split("```").next()).collect();
        assert!(!blocks.is_empty(), "{title} has no code");
        for block in blocks {
            let compiled = SOURCES.iter().any(|source| source.contains(block));
            assert!(
                compiled,
                "{title}: this is in no file of tests/embedding:\n{block}"
            );
        }
    }
}
