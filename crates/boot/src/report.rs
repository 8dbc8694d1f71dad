// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What the user gets in the end: the picture, the screen on the terminal, and how the run went.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use stdvga::TextScreen;

use crate::board::Counts;
use crate::outcome::{End, Outcome, status_after};
use crate::terminal::{self, say};
use crate::visible;

/// The signal of Ctrl-C.
const SIGINT: i32 = 2;

/// What to show, and what was waited for.
pub struct Request<'a> {
    /// Where to write the picture, if one is wanted.
    pub screenshot: Option<&'a Path>,
    /// Whether the screen must be a text screen.
    pub text: bool,
    pub until_text: Option<&'a str>,
}

/// Shows the screen, and says how the run went. It's an error if that wasn't what was asked for.
pub fn show(request: &Request<'_>, outcome: &Outcome) -> Result<ExitCode> {
    let text = outcome.scanout.text(&outcome.vram);
    let lack = lack(outcome, text.as_ref());
    // If one of them fails, the other one is there.
    let saved = request
        .screenshot
        .map_or(Ok(()), |path| save(path, outcome, lack));
    let printed = match &text {
        Some(text) => terminal::print_text(text),
        None if request.text => Ok(()),
        None => terminal::print_picture(&outcome.display.picture),
    };
    say(format_args!(
        "ran for {:.2} s; screen: {}",
        outcome.elapsed.as_secs_f64(),
        outcome.scanout.mode()
    ));
    statistics(&outcome.counts).iter().for_each(say);
    outcome.causes.iter().for_each(say);
    if let Some(viewers) = outcome.display.viewers() {
        viewers.finish(); // one that doesn't read holds up nothing but the end
    }
    saved?;
    printed.context("the screen can't be written to standard output")?;
    judge(request, outcome, text.is_some(), lack)
}

/// Why there's nothing to see, if there's nothing.
fn lack(outcome: &Outcome, text: Option<&TextScreen>) -> Option<&'static str> {
    let display = &outcome.display;
    if display.is_too_large() {
        Some("the guest's picture is too large to show")
    } else if visible::is_visible(display, text) {
        None
    } else if outcome.has_drawn {
        Some("the screen is black now")
    } else {
        Some("the guest drew nothing")
    }
}

/// Writes the picture. One with nothing to see doesn't take the place of another one.
fn save(path: &Path, outcome: &Outcome, lack: Option<&str>) -> Result<()> {
    let name = path.display();
    if let Some(lack) = lack {
        say(format_args!("no picture is written to {name}: {lack}"));
        return Ok(());
    }
    outcome.display.save(path)?;
    let size = outcome.display.picture.size();
    say(format_args!("{size} pixels written to {name}"));
    Ok(())
}

/// How often the guest made the machine work: how many exits from the guest, for which accesses. The numbers
/// of the lists add up to that of all accesses.
fn statistics(counts: &Counts) -> Vec<String> {
    let Counts {
        exits,
        vga_in,
        vga_out,
        other_ports,
        window,
        coalesced,
        bar2,
        bar0,
        rom,
        other_mmio,
        slot_changes,
    } = *counts;
    let vga = [
        ("port reads", vga_in),
        ("port writes", vga_out),
        ("0xa0000 window", window),
        ("registers (BAR2)", bar2),
        ("framebuffer (BAR0)", bar0),
        ("ROM", rom),
    ];
    let others = [("ports", other_ports), ("memory", other_mmio)];
    let all = counts.vga() + other_ports + other_mmio;
    let exits = if exits == 0 && all > coalesced {
        "no exits, as there's no CPU".into()
    } else {
        format!("{exits} exits from the guest")
    };
    let mut lines = vec![format!(
        "{exits}; {all} accesses; {slot_changes} memory-slot changes"
    )];
    lines.extend(list("accesses to the VGA", &vga));
    lines.extend(list("accesses to other devices", &others));
    if coalesced > 0 {
        lines.push(format!(
            "writes to the window that KVM collected, without an exit for each: {coalesced}"
        ));
    }
    lines
}

/// A line of the numbers that aren't 0, if there are any.
fn list(what: &str, numbers: &[(&str, u64)]) -> Option<String> {
    let shown = numbers.iter().filter(|(_, number)| *number > 0);
    let shown: Vec<_> = shown
        .map(|(name, number)| format!("{name} {number}"))
        .collect();
    (!shown.is_empty()).then(|| format!("{what}: {}", shown.join(", ")))
}

/// Whether the run was what was asked for, as the program's exit status; else what was wrong.
fn judge(
    request: &Request<'_>,
    outcome: &Outcome,
    is_text: bool,
    lack: Option<&str>,
) -> Result<ExitCode> {
    match &outcome.end {
        End::Reached => {}
        End::Stopped(Ok(what)) => say(what),
        End::Stopped(Err(what)) => bail!("{what}"),
        End::Interrupted(signal) => {
            say(match *signal {
                SIGINT => "ended by Ctrl-C",
                _ => "ended by SIGTERM",
            });
            return Ok(status_after(*signal).into());
        }
        End::TimedOut(time) => bail!(timed_out(request, lack, time.as_secs())),
    }
    if let (Some(wanted), End::Stopped(_)) = (request.until_text, &outcome.end) {
        bail!("the guest stopped before the text {wanted:?} appeared");
    }
    if let Some(lack) = lack {
        bail!("{lack}");
    }
    ensure!(
        is_text || !request.text,
        "--text: the guest isn't in a text mode, but shows {}",
        outcome.scanout.mode()
    );
    Ok(ExitCode::SUCCESS)
}

/// What to say if what was waited for didn't come.
fn timed_out(request: &Request<'_>, lack: Option<&str>, seconds: u64) -> String {
    let wanted = match (request.until_text, lack) {
        (Some(text), _) => format!("the text {text:?} didn't appear"),
        (None, Some(_)) => "no picture came to rest".into(),
        (None, None) => "the screen didn't come to rest".into(),
    };
    let state = lack.unwrap_or("above is what the screen shows");
    format!("{wanted} within {seconds} s: {state}; to wait longer, give --seconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_accesses_add_up_to_all_and_leave_out_zeros() {
        let counts = Counts {
            exits: 163,
            vga_in: 1,
            vga_out: 151,
            other_ports: 4,
            window: 1496,
            coalesced: 1489,
            slot_changes: 2,
            ..Counts::default()
        };
        let expected = [
            "163 exits from the guest; 1652 accesses; 2 memory-slot changes",
            "accesses to the VGA: port reads 1, port writes 151, 0xa0000 window 1496",
            "accesses to other devices: ports 4",
            "writes to the window that KVM collected, without an exit for each: 1489",
        ];
        assert_eq!(statistics(&counts), expected);
    }

    #[test]
    fn a_guest_that_did_nothing_has_one_line_of_statistics() {
        let lines = statistics(&Counts::default());
        let expected = ["0 exits from the guest; 0 accesses; 0 memory-slot changes"];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_did_not_come_in_time_is_named_with_what_the_screen_shows() {
        let lack = Some("the guest drew nothing");
        for (until_text, lack, words) in [
            (
                None,
                lack,
                [
                    "no picture came to rest within 300 s",
                    "the guest drew nothing",
                ],
            ),
            (
                None,
                None,
                ["the screen didn't come to rest within 300 s", "above is"],
            ),
            (
                Some("x"),
                lack,
                ["the text \"x\" didn't appear", "the guest drew nothing"],
            ),
            (
                Some("x"),
                None,
                ["the text \"x\" didn't appear", "above is"],
            ),
        ] {
            let request = Request {
                screenshot: None,
                text: false,
                until_text,
            };
            let message = timed_out(&request, lack, 300);
            for words in words {
                assert!(message.contains(words), "{words:?} isn't in: {message}");
            }
        }
    }
}
