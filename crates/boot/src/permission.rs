// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause

//! What helps a user who may not open KVM's device.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The bits of a file's mode that let its group read and write.
const GROUP: u32 = 0o060;

/// What to do where `path` can't be opened for lack of permission: the end of a message.
pub fn advice(path: &Path) -> String {
    let Ok(file) = fs::metadata(path) else {
        return String::new(); // a folder on the way is what can't be entered
    };
    let name = |list, id| name(&fs::read_to_string(list).unwrap_or_default(), id);
    let (owner, group) = (
        name("/etc/passwd", file.uid()),
        name("/etc/group", file.gid()),
    );
    advise(file.mode() & 0o777, &owner, &group)
}

fn advise(mode: u32, owner: &str, group: &str) -> String {
    // Who joins root's group may do much more than open KVM.
    if group != "root" && mode & GROUP == GROUP {
        return format!("; add your user to the group that owns it (`{group}`), and log in again");
    }
    format!(
        "; it belongs to {owner}:{group} with mode {mode:04o}: only this host's administrator can give you access"
    )
}

/// The name that a list like /etc/group has for an ID, or else the ID itself.
fn name(list: &str, id: u32) -> String {
    let id = id.to_string();
    let named = list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    named.unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_named_if_the_mode_lets_it_in() {
        for mode in [0o660, 0o666, 0o770] {
            let advice = advise(mode, "root", "virt");
            assert!(
                advice.contains("the group that owns it (`virt`)"),
                "{mode:o}: {advice}"
            );
        }
    }

    #[test]
    fn a_group_that_does_not_help_is_not_advised() {
        for (group, mode, words) in [
            ("root", 0o600, "root:root with mode 0600"),
            ("root", 0o660, "root:root with mode 0660"),
            ("kvm", 0o640, "root:kvm with mode 0640"),
        ] {
            let advice = advise(mode, "root", group);
            assert!(
                advice.contains(words) && advice.contains("administrator"),
                "{mode:o}: {advice}"
            );
            assert!(!advice.contains("add your user"), "{mode:o}: {advice}");
        }
    }

    #[test]
    fn an_id_without_a_name_stands_for_itself() {
        let groups = "root:x:0:\nkvm:x:36:one,two\n";
        assert_eq!(name(groups, 36), "kvm");
        assert_eq!(name(groups, 3), "3");
        assert_eq!(name("", 0), "0");
    }
}
