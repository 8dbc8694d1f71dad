// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! Where VNC viewers connect, and who may.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};

use super::password::Password;

/// Who may watch: the options beside `--vnc`.
#[derive(Debug, Default, clap::Args)]
pub struct Access {
    /// Let in only VNC viewers that know the password: the file's first line, 1 to 8 bytes
    #[arg(long, value_name = "FILE", requires = "vnc")]
    vnc_password_file: Option<PathBuf>,
    /// Let in any VNC viewer that can reach HOST, without a password
    #[arg(long, requires = "vnc", conflicts_with = "vnc_password_file")]
    vnc_no_password: bool,
}

/// A host and a port, as `--vnc` names them, and the password that viewers need there.
#[derive(Debug)]
pub struct Address {
    given: String,
    places: Vec<SocketAddr>,
    password: Option<Password>,
}

impl Address {
    /// Takes HOST:PORT, or PORT for the loopback interface. Other interfaces need a password, or the
    /// word that there shall be none.
    pub fn parse(given: &str, access: &Access) -> Result<Self> {
        let (host, port) = split(given)?;
        let places: Vec<_> = (host, port)
            .to_socket_addrs()
            .map_err(|error| {
                anyhow!("--vnc {given}: {error}; give the name or an address of this host")
            })?
            .collect();
        let password = access.vnc_password_file.as_deref().map(Password::read);
        let password = password.transpose()?;
        let is_open = password.is_none() && !access.vnc_no_password;
        let outside = places.iter().find(|place| !place.ip().is_loopback());
        if let Some(place) = outside.filter(|_| is_open) {
            bail!(
                "--vnc {given}: anyone who can reach {} could watch; give --vnc-password-file FILE, or \
                 --vnc-no-password if that's what you want",
                place.ip()
            );
        }
        let given = given.into();
        Ok(Self {
            given,
            places,
            password,
        })
    }

    /// Waits for connections there.
    pub fn bind(&self) -> Result<TcpListener> {
        TcpListener::bind(&*self.places).map_err(|error| {
            let advice = match error.kind() {
                ErrorKind::AddrInUse => {
                    "; another program has the port: give another one, or 0 for any free one"
                }
                ErrorKind::AddrNotAvailable => "; give the name or an address of this host",
                ErrorKind::PermissionDenied => "; give a port from 1024 on",
                _ => "",
            };
            anyhow!("--vnc {}: {error}{advice}", self.given)
        })
    }

    /// What viewers must know.
    pub fn password(&self) -> Option<&Password> {
        self.password.as_ref()
    }
}

/// The host and the port.
fn split(given: &str) -> Result<(&str, u16)> {
    let (host, port) = given.rsplit_once(':').unwrap_or(("", given));
    let wrong = if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        "an IPv6 address needs brackets, as in [::1]:5900".into()
    } else if let Ok(port) = port.parse() {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        return Ok((if host.is_empty() { "127.0.0.1" } else { host }, port));
    } else if given.is_empty() {
        "it's empty".into()
    } else if port.is_empty() {
        "the port is missing".into()
    } else {
        format!("{port:?} isn't a port")
    };
    bail!(
        "--vnc {given}: {wrong}; give PORT or HOST:PORT, with a port from 1 to 65535, or 0 for any free one"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Anyone may come in.
    const OPEN: Access = Access {
        vnc_password_file: None,
        vnc_no_password: true,
    };

    #[test]
    fn a_port_alone_is_one_of_the_loopback_interface() {
        for (given, place) in [
            ("5900", "127.0.0.1:5900"),
            (":0", "127.0.0.1:0"),
            ("127.0.0.1:65535", "127.0.0.1:65535"),
            ("[::1]:5900", "[::1]:5900"),
        ] {
            let address = Address::parse(given, &Access::default()).unwrap();
            assert_eq!(address.places, [place.parse().unwrap()], "{given}");
        }
        let bound = Address::parse("0", &Access::default())
            .unwrap()
            .bind()
            .unwrap();
        assert!(bound.local_addr().unwrap().ip().is_loopback());
    }

    #[test]
    fn other_interfaces_need_a_password_or_the_word_that_there_is_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "secret").unwrap();
        let with_password = Access {
            vnc_password_file: Some(file.path().to_owned()),
            vnc_no_password: false,
        };
        for given in [
            "0.0.0.0:5900",
            "192.0.2.1:0",
            "[::]:5900",
            "[2001:db8::1]:1",
        ] {
            let message = Address::parse(given, &Access::default())
                .unwrap_err()
                .to_string();
            let start = format!("--vnc {given}: ");
            for words in [&*start, "--vnc-password-file", "--vnc-no-password"] {
                assert!(message.contains(words), "{given}: {message}");
            }
            let address = Address::parse(given, &with_password).unwrap();
            assert!(address.password().is_some(), "{given}");
            let address = Address::parse(given, &OPEN).unwrap();
            assert!(address.password().is_none(), "{given}");
        }
        let loopback = Address::parse("0", &with_password).unwrap();
        assert!(loopback.password().is_some(), "this host has users, too");
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
            ("", "it's empty"),
            ("::1", "needs brackets"),
            ("::1:5900", "needs brackets"),
        ] {
            let message = Address::parse(given, &Access::default())
                .unwrap_err()
                .to_string();
            let start = format!("--vnc {given}: ");
            for words in [&*start, wrong, "PORT or HOST:PORT", "from 1 to 65535"] {
                assert!(message.contains(words), "{given}: {message}");
            }
        }
        let message = Address::parse("no host:1", &Access::default())
            .unwrap_err()
            .to_string();
        assert!(message.contains("an address of this host"), "{message}");
    }

    #[test]
    fn an_address_that_cannot_be_had_is_refused_with_what_to_give() {
        let taken = Address::parse("0", &Access::default())
            .unwrap()
            .bind()
            .unwrap();
        let taken = taken.local_addr().unwrap().port().to_string();
        for (given, advice) in [
            (&*taken, "another program has the port"),
            ("203.0.113.1:0", "an address of this host"),
        ] {
            let address = Address::parse(given, &OPEN).unwrap();
            let message = address.bind().unwrap_err().to_string();
            assert!(message.contains(advice), "{given}: {message}");
        }
    }
}
