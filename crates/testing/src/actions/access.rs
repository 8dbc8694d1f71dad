// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What a guest can do in one access, and how the qtest protocol says it.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

/// An access of the processor, or a command to the machine. Widths are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    In {
        port: u16,
        width: u64,
    },
    Out {
        port: u16,
        width: u64,
        value: u64,
    },
    Read {
        address: u64,
        width: u64,
    },
    Write {
        address: u64,
        width: u64,
        value: u64,
    },
    ReadBytes {
        address: u64,
        len: u64,
    },
    WriteBytes {
        address: u64,
        bytes: Vec<u8>,
    },
    Fill {
        address: u64,
        len: u64,
        value: u8,
    },
    Reset,
    /// Dumps the screen: where to is up to who puts the lines.
    ScreenDump,
}

impl Access {
    /// How many bytes it's about.
    pub fn byte_count(&self) -> u64 {
        match self {
            Self::In { width, .. }
            | Self::Out { width, .. }
            | Self::Read { width, .. }
            | Self::Write { width, .. } => *width,
            Self::ReadBytes { len, .. } | Self::Fill { len, .. } => *len,
            Self::WriteBytes { bytes, .. } => bytes.len() as u64,
            Self::Reset | Self::ScreenDump => 0,
        }
    }
}

/// The line that stands for [`Access::ScreenDump`].
pub const SCREENDUMP: &str = "screendump";

impl Display for Access {
    /// The access as a line of the qtest protocol.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::In { port, width } => write!(f, "in{} {port:#x}", suffix(*width)),
            Self::Out { port, width, value } => {
                write!(f, "out{} {port:#x} {value:#x}", suffix(*width))
            }
            Self::Read { address, width } => write!(f, "read{} {address:#x}", suffix(*width)),
            Self::Write {
                address,
                width,
                value,
            } => write!(f, "write{} {address:#x} {value:#x}", suffix(*width)),
            Self::ReadBytes { address, len } => write!(f, "read {address:#x} {len}"),
            Self::WriteBytes { address, bytes } => {
                write!(f, "write {address:#x} {} 0x", bytes.len())?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Fill {
                address,
                len,
                value,
            } => write!(f, "memset {address:#x} {len} {value:#x}"),
            Self::Reset => f.write_str("system_reset"),
            Self::ScreenDump => f.write_str(SCREENDUMP),
        }
    }
}

fn suffix(width: u64) -> char {
    match width {
        1 => 'b',
        2 => 'w',
        4 => 'l',
        _ => 'q',
    }
}

impl FromStr for Access {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let no_line = || format!("`{line}` is no access");
        let number = |word: &str| {
            match word.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16),
                None => word.parse(),
            }
            .map_err(|_| no_line())
        };
        let port = |word| number(word).and_then(|port| port.try_into().map_err(|_| no_line()));
        let words: Vec<&str> = line.split(' ').collect();
        Ok(match words[..] {
            ["system_reset"] => Self::Reset,
            [SCREENDUMP] => Self::ScreenDump,
            ["memset", address, len, value] => Self::Fill {
                address: number(address)?,
                len: number(len)?,
                value: number(value)? as u8,
            },
            ["read", address, len] => Self::ReadBytes {
                address: number(address)?,
                len: number(len)?,
            },
            ["write", address, _, bytes] => Self::WriteBytes {
                address: number(address)?,
                bytes: unhex(bytes).ok_or_else(no_line)?,
            },
            [command, place] => {
                let (command, width) = command_and_width(command).ok_or_else(no_line)?;
                match command {
                    "in" => Self::In {
                        port: port(place)?,
                        width,
                    },
                    "read" => Self::Read {
                        address: number(place)?,
                        width,
                    },
                    _ => return Err(no_line()),
                }
            }
            [command, place, value] => {
                let (command, width) = command_and_width(command).ok_or_else(no_line)?;
                let value = number(value)?;
                match command {
                    "out" => Self::Out {
                        port: port(place)?,
                        width,
                        value,
                    },
                    "write" => Self::Write {
                        address: number(place)?,
                        width,
                        value,
                    },
                    _ => return Err(no_line()),
                }
            }
            _ => return Err(no_line()),
        })
    }
}

/// A command without its suffix, and the width that the suffix says.
fn command_and_width(command: &str) -> Option<(&str, u64)> {
    [1, 2, 4, 8]
        .into_iter()
        .find_map(|width| Some((command.strip_suffix(suffix(width))?, width)))
}

fn unhex(word: &str) -> Option<Vec<u8>> {
    let digits = word.strip_prefix("0x")?;
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}

/// The accesses as lines of the qtest protocol.
pub fn lines(accesses: &[Access]) -> Vec<String> {
    accesses.iter().map(Access::to_string).collect()
}
