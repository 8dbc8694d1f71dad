// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What VRAM held.

use std::fmt;

use vm_memory::bitmap::Bitmap;

use crate::dirty::DirtyBitmap;
use crate::error::VramPageError;
use crate::vram::Vram;

/// What VRAM held, for a VMM whose snapshots don't have it with the guest's memory. Pages of zeros are left
/// out.
///
/// It's a copy. [`Vram::nonzero_pages`] and [`Vram::restore_pages`] do without one, for a format of your own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct VramPages {
    /// The pages, in ascending order as they're saved. They may be restored in any.
    pub pages: Vec<VramPage>,
}

impl VramPages {
    /// Copies what VRAM holds. Pause the guest first.
    pub fn save<B: Bitmap>(vram: &Vram<B>) -> Self {
        let pages = vram.nonzero_pages().map(|(number, bytes)| VramPage {
            number,
            bytes: Box::new(bytes),
        });
        Self {
            pages: pages.collect(),
        }
    }

    /// Makes VRAM hold what was saved. It must be as long as the one that was saved, for which
    /// [`StdVga::from_state`](crate::StdVga::from_state) sees.
    ///
    /// # Errors
    ///
    /// [`VramPageError`] if VRAM has no page of a number, or if a page is there twice. VRAM is left as it
    /// was.
    pub fn restore<B: Bitmap>(&self, vram: &Vram<B>) -> Result<(), VramPageError> {
        let pages = self.pages.iter();
        vram.restore_pages(pages.map(|page| (page.number, page.bytes.as_slice())))
    }
}

/// A page of VRAM. `Debug` leaves its bytes out.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct VramPage {
    /// Which page it is: it starts at byte `number` * [`DirtyBitmap::PAGE_SIZE`].
    pub number: u64,
    /// What it holds. Serialized as a byte string where the format has them.
    #[cfg_attr(feature = "serde", serde(with = "super::serialize::bytes"))]
    pub bytes: Box<[u8; DirtyBitmap::PAGE_SIZE]>,
}

impl fmt::Debug for VramPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, bytes: _ } = self;
        f.debug_struct("VramPage")
            .field("number", number)
            .finish_non_exhaustive()
    }
}
