// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! The values that options take.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::Error;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};

const MAX_SECONDS: f64 = 86_400.0;

/// Text, which may be empty.
pub fn text() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().try_map(to_text)
}

/// Text to look for.
pub fn wanted_text() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().try_map(|value| match to_text(value)? {
        text if text.is_empty() => Err("give at least one character"),
        text => Ok(text),
    })
}

fn to_text(value: OsString) -> Result<String, &'static str> {
    value.into_string().map_err(|_| "it isn't UTF-8")
}

/// A file's name.
pub fn file() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(to_path)
}

fn to_path(value: OsString) -> Result<PathBuf, &'static str> {
    if value.is_empty() {
        return Err("give a file's name");
    }
    Ok(value.into())
}

/// A number of MiB in `range`.
pub fn mib(range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, String> + Clone {
    move |value| {
        let (least, most) = (range.start(), range.end());
        match value.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(format!("give a whole number from {least} to {most}")),
        }
    }
}

/// A number of seconds.
pub fn seconds(value: &str) -> Result<f64, String> {
    let number = value.parse().ok();
    number
        .filter(|number| *number > 0.0 && *number <= MAX_SECONDS)
        .ok_or_else(|| format!("give a number above 0, up to {MAX_SECONDS}"))
}

/// Says how a value that starts with a dash can be passed, if one was taken for an unknown option.
pub fn advise(mut error: Error) -> Error {
    if let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg)
        && error.kind() == ErrorKind::UnknownArgument
        && unknown.starts_with('-')
        && !unknown.starts_with("--")
    {
        let advice = "for a value that starts with a dash, write --OPTION=VALUE";
        let advice = ContextValue::StyledStrs(vec![advice.into()]);
        error.insert(ContextKind::Suggested, advice);
    }
    error
}
