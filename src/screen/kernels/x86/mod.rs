//! The loops for CPUs that have more than every x86-64 one.
//!
//! What is unsafe of them is to call one on a CPU that lacks the features it was compiled for. The
//! types here are proof of the features, so this is the only place that does it.

mod avx2;
mod avx512;
mod memory;

use super::Work;

/// AVX2 was detected.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Avx2 {
    pub fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    #[allow(unsafe_code, reason = "the CPU has the features")]
    pub fn run(self, work: Work<'_>) {
        // SAFETY: only `detect` makes an `Avx2`, where the CPU has the feature of `avx2::run`.
        unsafe { avx2::run(work) }
    }
}

/// What moves bytes in AVX-512 was detected, and so was GFNI.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

impl Avx512 {
    pub fn detect() -> Option<Self> {
        let detected = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("gfni");
        detected.then_some(Self(()))
    }

    #[allow(unsafe_code, reason = "the CPU has the features")]
    pub fn run(self, work: Work<'_>) {
        // SAFETY: only `detect` makes an `Avx512`, where the CPU has the features of `avx512::run`.
        unsafe { avx512::run(work) }
    }
}
