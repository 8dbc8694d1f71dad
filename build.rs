// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Finds out whether the compiler has the intrinsics for AVX-512: `cfg(has_avx512)`.

fn main() {
    autocfg::rerun_path("build.rs");
    autocfg::emit_possibility("has_avx512");
    // They're stable since Rust 1.89.
    if autocfg::new().probe_rustc_version(1, 89) {
        autocfg::emit("has_avx512");
    }
}
