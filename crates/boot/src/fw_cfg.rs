// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! QEMU's fw_cfg device: named blobs for the firmware, read by bytes or by DMA.

use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap};

const SIGNATURE: u16 = 0x00;
const ID: u16 = 0x01;
const DIRECTORY: u16 = 0x19;
const FIRST_FILE: u16 = 0x20;

/// Bytes that one DMA request may move. A guest's length is never trusted to be small.
const MAX_TRANSFER: u32 = 16 << 20;
const NAME_BYTES: usize = 56;

const DMA_ERROR: u32 = 1 << 0;
const DMA_READ: u32 = 1 << 1;
const DMA_SKIP: u32 = 1 << 2;
const DMA_SELECT: u32 = 1 << 3;
const DMA_WRITE: u32 = 1 << 4;

/// The device: its files, and how far the guest has read the selected one.
pub struct FwCfg {
    files: Vec<Vec<u8>>,
    directory: Vec<u8>,
    key: u16,
    offset: usize,
    dma_high: u32,
}

impl FwCfg {
    /// A device that offers `files` by name. A name is cut to the directory's 55 characters.
    pub fn new(files: Vec<(String, Vec<u8>)>) -> Self {
        let mut directory = (files.len() as u32).to_be_bytes().to_vec();
        for ((name, bytes), key) in files.iter().zip(FIRST_FILE..) {
            let mut field = [0; NAME_BYTES];
            let len = name.len().min(NAME_BYTES - 1);
            field[..len].copy_from_slice(&name.as_bytes()[..len]);
            directory.extend((bytes.len() as u32).to_be_bytes());
            directory.extend(key.to_be_bytes());
            directory.extend([0; 2]);
            directory.extend(field);
        }
        let files = files.into_iter().map(|(_, bytes)| bytes).collect();
        Self {
            files,
            directory,
            key: SIGNATURE,
            offset: 0,
            dma_high: 0,
        }
    }

    /// Reads `port` (0x510-0x51b).
    pub fn read(&mut self, port: u16, data: &mut [u8]) {
        match (port, data.len()) {
            (0x511, 1) => {
                data[0] = self.rest().first().copied().unwrap_or(0);
                self.offset = self.offset.saturating_add(1);
            }
            (0x514, 4) => data.copy_from_slice(b"QEMU"),
            (0x518, 4) => data.copy_from_slice(b" CFG"),
            _ => data.fill(0xff),
        }
    }

    /// Writes `port` (0x510-0x51b). A DMA request is carried out at once, in `ram`.
    pub fn write(&mut self, port: u16, data: &[u8], ram: &GuestMemoryMmap) {
        match (port, data) {
            (0x510, &[low, high]) => self.select(u16::from_le_bytes([low, high])),
            (0x514, &[a, b, c, d]) => self.dma_high = u32::from_be_bytes([a, b, c, d]),
            (0x518, &[a, b, c, d]) => {
                let low = u32::from_be_bytes([a, b, c, d]);
                let address = u64::from(self.dma_high) << 32 | u64::from(low);
                self.dma_high = 0;
                self.dma(GuestAddress(address), ram);
            }
            _ => {}
        }
    }

    fn select(&mut self, key: u16) {
        (self.key, self.offset) = (key, 0);
    }

    /// What is left of the selected item. Items that don't exist are empty, and read as zeros.
    fn rest(&self) -> &[u8] {
        let item: &[u8] = match self.key {
            SIGNATURE => b"QEMU",
            ID => &[0b11, 0, 0, 0], // the port interface and DMA
            DIRECTORY => &self.directory,
            key => key
                .checked_sub(FIRST_FILE)
                .and_then(|file| self.files.get(usize::from(file)))
                .map_or(&[], Vec::as_slice),
        };
        item.get(self.offset..).unwrap_or(&[])
    }

    /// Carries out the request at `request`: control, length and address, all big-endian. Its
    /// control word becomes 0, or the error bit.
    fn dma(&mut self, request: GuestAddress, ram: &GuestMemoryMmap) {
        let mut bytes = [0; 16];
        if ram.read_slice(&mut bytes, request).is_err() {
            return; // not in RAM: there's nowhere to say so
        }
        let fields = u128::from_be_bytes(bytes);
        let (control, length) = ((fields >> 96) as u32, (fields >> 64) as u32);
        let address = GuestAddress(fields as u64);
        if control & DMA_SELECT != 0 {
            self.select((control >> 16) as u16);
        }
        let done = if control & DMA_WRITE != 0 {
            false
        } else if control & DMA_READ != 0 {
            self.copy_to(address, length, ram)
        } else if control & DMA_SKIP != 0 {
            self.offset = self.offset.saturating_add(length as usize);
            true
        } else {
            true
        };
        let status = if done { 0 } else { DMA_ERROR };
        // The request was read from RAM, so that this can't fail.
        let _ = ram.write_slice(&status.to_be_bytes(), request);
    }

    /// Copies `length` bytes of the selected item to RAM; zeros past its end.
    fn copy_to(&mut self, address: GuestAddress, length: u32, ram: &GuestMemoryMmap) -> bool {
        let len = length as usize;
        if length > MAX_TRANSFER || !ram.check_range(address, len) {
            return false;
        }
        let rest = self.rest();
        let mut bytes = rest[..len.min(rest.len())].to_vec();
        bytes.resize(len, 0);
        self.offset = self.offset.saturating_add(len);
        ram.write_slice(&bytes, address).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: u64 = 0x1000;

    fn ram() -> GuestMemoryMmap {
        GuestMemoryMmap::from_ranges(&[(GuestAddress(0), 0x4000)]).unwrap()
    }

    fn device() -> FwCfg {
        FwCfg::new(vec![("floppyimg/x.img".into(), b"hello".to_vec())])
    }

    /// Sends a DMA request through the ports, and returns its control word afterwards.
    fn dma(device: &mut FwCfg, ram: &GuestMemoryMmap, control: u32, len: u32, to: u64) -> u32 {
        let request = u128::from(control) << 96 | u128::from(len) << 64 | u128::from(to);
        ram.write_slice(&request.to_be_bytes(), GuestAddress(REQUEST))
            .unwrap();
        device.write(0x514, &0u32.to_be_bytes(), ram);
        device.write(0x518, &(REQUEST as u32).to_be_bytes(), ram);
        let mut control = [0; 4];
        ram.read_slice(&mut control, GuestAddress(REQUEST)).unwrap();
        u32::from_be_bytes(control)
    }

    #[test]
    fn the_directory_names_size_and_key_of_each_file() {
        let mut device = device();
        device.write(0x510, &DIRECTORY.to_le_bytes(), &ram());
        let bytes: Vec<u8> = (0..4 + 64)
            .map(|_| {
                let mut byte = [0];
                device.read(0x511, &mut byte);
                byte[0]
            })
            .collect();
        assert_eq!(bytes[..12], [0, 0, 0, 1, 0, 0, 0, 5, 0, 0x20, 0, 0]);
        assert_eq!(&bytes[12..28], b"floppyimg/x.img\0");
    }

    #[test]
    fn dma_reads_a_file_and_fills_up_with_zeros() {
        let (mut device, ram) = (device(), ram());
        ram.write_slice(&[0xee; 9], GuestAddress(0x2000)).unwrap();
        let control = u32::from(FIRST_FILE) << 16 | DMA_SELECT | DMA_READ;
        assert_eq!(dma(&mut device, &ram, control, 8, 0x2000), 0);
        let mut bytes = [0; 9];
        ram.read_slice(&mut bytes, GuestAddress(0x2000)).unwrap();
        assert_eq!(&bytes, b"hello\0\0\0\xee");
    }

    #[test]
    fn dma_outside_ram_or_without_bounds_is_an_error_and_writes_nothing() {
        let (mut device, ram) = (device(), ram());
        let control = u32::from(FIRST_FILE) << 16 | DMA_SELECT | DMA_READ;
        for (len, to) in [(8, 0x3ffc), (8, u64::MAX - 3), (u32::MAX, 0), (8, 1 << 40)] {
            assert_eq!(
                dma(&mut device, &ram, control, len, to),
                DMA_ERROR,
                "{len} to {to:#x}"
            );
        }
        assert_eq!(dma(&mut device, &ram, DMA_WRITE, 1, 0), DMA_ERROR);
        device.write(0x514, &u32::MAX.to_be_bytes(), &ram);
        device.write(0x518, &u32::MAX.to_be_bytes(), &ram); // the request itself isn't in RAM
    }
}
