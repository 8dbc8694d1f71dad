// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Vectors from and to memory.
//!
//! Safe code builds them from words, and splits them into words. The compiler turns this into one unaligned
//! load or store, as it does for the intrinsics that take pointers.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "lengths are in the types"
)]

use std::arch::x86_64::*;

#[inline]
#[target_feature(enable = "avx2")]
pub fn load_16(bytes: &[u8; 16]) -> __m128i {
    let [a, b] = words(bytes);
    _mm_set_epi64x(b, a)
}

#[inline]
#[target_feature(enable = "avx2")]
pub fn load_32(bytes: &[u8; 32]) -> __m256i {
    let [a, b, c, d] = words(bytes);
    _mm256_setr_epi64x(a, b, c, d)
}

#[inline]
#[target_feature(enable = "avx2")]
pub fn store_32(vector: __m256i, bytes: &mut [u8; 32]) {
    let (places, _) = bytes.as_chunks_mut();
    for (place, word) in places.iter_mut().zip(parts(vector)) {
        *place = word.to_le_bytes();
    }
}

#[inline]
#[target_feature(enable = "avx2")]
pub fn store_8_pixels(vector: __m256i, pixels: &mut [u32; 8]) {
    let (pairs, _) = pixels.as_chunks_mut();
    for (pair, word) in pairs.iter_mut().zip(parts(vector)) {
        *pair = [word as u32, (word >> 32) as u32];
    }
}

/// The bytes as eight-byte words.
#[inline(always)]
pub fn words<const BYTES: usize, const WORDS: usize>(bytes: &[u8; BYTES]) -> [i64; WORDS] {
    let (words, _) = bytes.as_chunks();
    std::array::from_fn(|word| i64::from_le_bytes(words[word]))
}

/// A vector as words.
#[inline]
#[target_feature(enable = "avx2")]
fn parts(vector: __m256i) -> [i64; 4] {
    [
        _mm256_extract_epi64::<0>(vector),
        _mm256_extract_epi64::<1>(vector),
        _mm256_extract_epi64::<2>(vector),
        _mm256_extract_epi64::<3>(vector),
    ]
}
