// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Serialization of states where the derived code isn't enough.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::State;

/// Reads the version, and refuses an unknown one before it reads the rest.
pub(super) fn known_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let version = u32::deserialize(deserializer)?;
    State::check_version(version).map_err(D::Error::custom)?;
    Ok(version)
}

/// Reads an option that must be present, even if it's none. By default, `serde` lets it be left out.
pub(super) fn required<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// Arrays of any length, as sequences. `serde` itself supports those of up to 32 elements.
pub(super) mod array {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer, T: Serialize, const N: usize>(
        array: &[T; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        array.as_slice().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[T; N], D::Error> {
        let elements = Vec::deserialize(deserializer)?;
        elements.try_into().map_err(|elements: Vec<T>| {
            D::Error::invalid_length(elements.len(), &format!("{N} elements").as_str())
        })
    }
}

/// A fixed number of bytes, as a byte string. Formats without byte strings use a sequence, which can be read
/// too.
pub(super) mod bytes {
    use std::fmt;

    use serde::de::{Error, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<Box<[u8; N]>, D::Error> {
        deserializer.deserialize_byte_buf(Bytes::<N>)
    }

    struct Bytes<const N: usize>;

    impl<'de, const N: usize> Visitor<'de> for Bytes<N> {
        type Value = Box<[u8; N]>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{N} bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            Box::<[u8]>::from(bytes)
                .try_into()
                .map_err(|_| E::invalid_length(bytes.len(), &self))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
            let mut bytes = Vec::with_capacity(N);
            while let Some(byte) = elements.next_element()? {
                if bytes.len() == N {
                    return Err(A::Error::custom(format_args!("more than {N} bytes")));
                }
                bytes.push(byte);
            }
            self.visit_bytes(&bytes)
        }
    }
}
