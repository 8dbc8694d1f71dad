// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What GRUB shows, driven by keys.

use std::path::Path;

use stdvga_testing::grub::{self, Firmware};
use stdvga_testing::picture::Picture;
use stdvga_testing::skip::skip;

use super::pair::Pair;

/// Shows a menu, at first as the firmware prints it, and later in graphics. The serial port tells what has
/// been done, and nothing else.
const CONFIGURATION: &str = "
serial
terminal_output --append serial
echo 'GRUB has started'
terminal_output --remove serial
loadfont $prefix/ascii.pf2
set gfxmode=1024x768
set menu_color_normal=light-cyan/blue
set menu_color_highlight=yellow/magenta
set timeout=-1
menuentry 'List the modes' --hotkey=l {
    terminal_output gfxterm
    videoinfo
    set color_normal=light-green/black
    terminal_output --append serial
    echo 'GRUB has listed the modes'
    terminal_output --remove serial
    read
}
menuentry 'Test the drawing' --hotkey=t {
    videotest
}
";

/// Two for the entries, two for the one that's chosen, and two around them.
const MENU_COLORS: usize = 6;

/// Whether GRUB can be built. Says why not.
pub fn have_grub(firmware: Firmware) -> bool {
    let needs = firmware.needs();
    let missing = needs.iter().find(|file| !Path::new(file).is_file());
    missing
        .inspect(|file| skip(&format!("{file} isn't there")))
        .is_none()
}

/// Builds a GRUB that shows by this one of its drivers.
pub fn build(firmware: Firmware, driver: &str, image: &Path) {
    let modules = [
        "echo",
        "gfxterm",
        "read",
        "serial",
        "videoinfo",
        "videotest",
    ];
    let modules = [&modules[..], &[driver]].concat();
    grub::build(firmware, &modules, CONFIGURATION, image);
}

/// Waits for the menu, and compares what it looks like.
pub fn assert_same_menu(pair: &mut Pair, name: &str) -> Picture {
    pair.wait_for("GRUB has started");
    pair.assert_same_picture(&format!("{name}-menu"), MENU_COLORS)
}

/// From the menu on: the list of modes, the menu in graphics, and what GRUB draws to test a driver.
pub fn assert_same_graphics(pair: &mut Pair, name: &str) {
    pair.press("l");
    pair.wait_for("GRUB has listed the modes");
    pair.assert_same_picture(&format!("{name}-modes"), 3);
    pair.press("ret");
    pair.assert_same_picture(&format!("{name}-graphical-menu"), MENU_COLORS);
    pair.press("t");
    pair.assert_same_picture(&format!("{name}-drawing"), 16);
}
