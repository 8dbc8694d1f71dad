// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The README shows the program that runs.

#[test]
fn the_readme_has_the_whole_example() {
    let readme = include_str!("../README.md");
    let example = include_str!("../examples/vmm.rs");
    let start = example
        .find("\nuse ")
        .expect("the example imports something");
    let code = format!("```rust{}```", &example[start..]);
    assert!(
        readme.contains(&code),
        "the README's program isn't examples/vmm.rs:\n{code}"
    );
}
