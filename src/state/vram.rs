// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The saved contents of VRAM.

use std::fmt;

use vm_memory::bitmap::Bitmap;

use crate::dirty::DirtyBitmap;
use crate::error::VramPageError;
use crate::vram::Vram;

/// The saved contents of VRAM, for a VMM whose snapshots don't include VRAM with the guest's memory. Pages of
/// zeros are left out.
///
/// This is a copy. For a format of your own, [`Vram::nonzero_pages`] and [`Vram::restore_pages`] do without
/// one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct VramPages {
    /// The pages. They're saved in ascending order, and may be restored in any order.
    pub pages: Vec<VramPage>,
}

impl VramPages {
    /// Copies the contents of VRAM. Pause the guest first.
    pub fn save<B: Bitmap>(vram: &Vram<B>) -> Self {
        let pages = vram.nonzero_pages().map(|(number, bytes)| VramPage {
            number,
            bytes: Box::new(bytes),
        });
        Self {
            pages: pages.collect(),
        }
    }

    /// Restores the contents of VRAM. It must be as long as the saved one, which
    /// [`StdVga::from_state`](crate::StdVga::from_state) checks.
    ///
    /// # Errors
    ///
    /// [`VramPageError`] if VRAM doesn't have one of the pages, or if a page is given twice. VRAM is
    /// unchanged in that case.
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
    /// The page's number. It starts at byte `number` * [`DirtyBitmap::PAGE_SIZE`].
    pub number: u64,
    /// Its contents. Serialized as a byte string if the format has them.
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
