// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The loops for CPUs with more features than every x86-64 CPU has.
//!
//! The loops are safe code, but calling them isn't. On a CPU without the features that they're compiled for,
//! anything might happen. All such calls are in this file. Each takes a value as proof that the features were
//! detected.

mod avx2;
#[cfg(has_avx512)]
mod avx512;
mod memory;

use vm_memory::VolatileSlice;
use vm_memory::bitmap::BitmapSlice;

use super::{Glyph, Pixel, Work};
// An older compiler lacks the intrinsics, and nothing is detected.
#[cfg(not(has_avx512))]
use avx2 as avx512;

/// Proof of AVX2.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Avx2 {
    pub fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    #[allow(unsafe_code, reason = "calls what is compiled for a CPU feature")]
    pub fn run(self, work: Work<'_>) {
        // SAFETY: `avx2::run` needs AVX2. Only `detect` creates an `Avx2`, after it found that feature.
        unsafe { avx2::run(work) }
    }

    #[allow(unsafe_code, reason = "calls what is compiled for a CPU feature")]
    pub fn row<S: BitmapSlice>(
        self,
        pixel: Pixel<'_>,
        bytes: &VolatileSlice<'_, S>,
        pixels: &mut [u32],
    ) {
        // SAFETY: `avx2::row` needs AVX2. Only `detect` creates an `Avx2`, after it found that feature.
        unsafe { avx2::row(pixel, bytes, pixels) }
    }

    #[allow(unsafe_code, reason = "calls what is compiled for a CPU feature")]
    pub fn glyph(self, glyph: Glyph<'_>, pixels: &mut [u32], stride: usize) {
        // SAFETY: `avx2::glyph` needs AVX2. Only `detect` creates an `Avx2`, after it found that feature.
        unsafe { avx2::glyph(glyph, pixels, stride) }
    }
}

/// Proof of AVX-512 with VBMI, and of GFNI. All but the first CPUs with VBMI have GFNI.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

impl Avx512 {
    pub fn detect() -> Option<Self> {
        let detected = cfg!(has_avx512)
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("gfni");
        detected.then_some(Self(()))
    }

    #[allow(unsafe_code, reason = "calls what is compiled for a CPU feature")]
    pub fn run(self, work: Work<'_>) {
        // SAFETY: `avx512::run` needs these four features. Only `detect` creates an `Avx512`, after it found
        // them.
        unsafe { avx512::run(work) }
    }

    #[allow(unsafe_code, reason = "calls what is compiled for a CPU feature")]
    pub fn row<S: BitmapSlice>(
        self,
        pixel: Pixel<'_>,
        bytes: &VolatileSlice<'_, S>,
        pixels: &mut [u32],
    ) {
        // SAFETY: `avx512::row` needs these four features. Only `detect` creates an `Avx512`, after it found
        // them.
        unsafe { avx512::row(pixel, bytes, pixels) }
    }

    /// Wider vectors don't draw glyphs any faster.
    #[allow(unsafe_code, reason = "calls what is compiled for a CPU feature")]
    pub fn glyph(self, glyph: Glyph<'_>, pixels: &mut [u32], stride: usize) {
        // SAFETY: `avx2::glyph` needs AVX2, which is part of AVX-512F. Only `detect` creates an `Avx512`,
        // after it found that feature.
        unsafe { avx2::glyph(glyph, pixels, stride) }
    }
}
