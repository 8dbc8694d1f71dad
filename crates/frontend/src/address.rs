// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Where VNC viewers connect.

use std::io::ErrorKind;
use std::net::TcpListener;

use anyhow::{Result, anyhow, bail};

/// A host and a port, as `--vnc` names them.
#[derive(Debug)]
pub struct Address {
    given: String,
    host: String,
    port: u16,
}

impl Address {
    /// Takes HOST:PORT, or PORT for the loopback interface.
    pub fn parse(given: &str) -> Result<Self> {
        let (host, port) = given.rsplit_once(':').unwrap_or(("", given));
        let wrong = if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
            "an IPv6 address needs brackets, as in [::1]:5900".into()
        } else if let Ok(port) = port.parse() {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            return Ok(Self {
                given: given.into(),
                host: if host.is_empty() { "127.0.0.1" } else { host }.into(),
                port,
            });
        } else if port.is_empty() {
            "the port is missing".into()
        } else {
            format!("{port:?} isn't a port")
        };
        bail!(
            "--vnc {given}: {wrong}; give PORT or HOST:PORT, with a port from 1 to 65535, or 0 for any free one"
        )
    }

    /// Waits for connections there.
    pub fn bind(&self) -> Result<TcpListener> {
        let Self { given, host, port } = self;
        TcpListener::bind((host.as_str(), *port)).map_err(|error| {
            let advice = match error.kind() {
                ErrorKind::AddrInUse => {
                    "; another program has the port: give another one, or 0 for any free one"
                }
                ErrorKind::AddrNotAvailable => "; give the name or an address of this host",
                ErrorKind::PermissionDenied => "; give a port from 1024 on",
                _ => "",
            };
            anyhow!("--vnc {given}: {error}{advice}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_the_loopback_interface() {
        for (given, host, port) in [
            ("5900", "127.0.0.1", 5900),
            (":0", "127.0.0.1", 0),
            ("0.0.0.0:1", "0.0.0.0", 1),
            ("here:65535", "here", 65535),
            ("[::1]:5900", "::1", 5900),
        ] {
            let address = Address::parse(given).unwrap();
            assert_eq!((&*address.host, address.port), (host, port), "{given}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_is_wrong() {
        for (given, wrong) in [
            ("99999", "\"99999\" isn't a port"),
            ("65536", "\"65536\" isn't a port"),
            ("-1", "\"-1\" isn't a port"),
            ("foo", "\"foo\" isn't a port"),
            ("here:foo", "\"foo\" isn't a port"),
            ("here:", "the port is missing"),
            (":", "the port is missing"),
            ("", "the port is missing"),
            ("::1", "needs brackets"),
            ("::1:5900", "needs brackets"),
        ] {
            let message = Address::parse(given).unwrap_err().to_string();
            let start = format!("--vnc {given}: ");
            for words in [&*start, wrong, "PORT or HOST:PORT", "from 1 to 65535"] {
                assert!(message.contains(words), "{given}: {message}");
            }
        }
    }

    #[test]
    fn an_address_that_cannot_be_had_is_refused_with_what_to_give() {
        let taken = Address::parse("0").unwrap().bind().unwrap();
        let taken = taken.local_addr().unwrap().port().to_string();
        for (given, advice) in [
            (&*taken, "another program has the port"),
            ("203.0.113.1:0", "an address of this host"),
        ] {
            let message = Address::parse(given)
                .unwrap()
                .bind()
                .unwrap_err()
                .to_string();
            assert!(message.contains(advice), "{given}: {message}");
        }
    }
}
