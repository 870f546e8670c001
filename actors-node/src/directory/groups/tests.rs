use super::*;
use crate::directory::record::Record;

const US: SystemId = SystemId(1);

fn entry(home: u64, serial: u64) -> Entry {
    let actor = ActorId { home: SystemId(home), serial };
    let location = Location { node: SystemId(home), version: 1 };
    Entry::unresolved(Record { actor, location, export: "worker".into() })
}

fn members(groups: &Groups, group: &str) -> Vec<(u64, u64)> {
    groups.members(group).map(|e| (e.actor().home.0, e.actor().serial)).collect()
}

fn frames(out: &[Effect]) -> usize {
    out.iter().filter(|e| matches!(e, Effect::All(_) | Effect::Send(..))).count()
}

#[test]
fn node_25_a_member_is_told_of_once_and_gone_with_its_node() {
    let (mut groups, mut out) = (Groups::new(US), Vec::new());
    groups.join("g", &entry(1, 5), &mut out);
    groups.join("g", &entry(1, 5), &mut out);
    assert_eq!(frames(&out), 1, "joined twice, told once");
    for serial in [7, 8] {
        groups.joined("g", entry(2, serial), &mut out);
    }
    groups.joined("h", entry(2, 7), &mut out);
    assert_eq!(members(&groups, "g"), [(1, 5), (2, 7), (2, 8)]);
    out.clear();
    groups.node_up(SystemId(3), &mut out);
    assert_eq!(frames(&out), 1, "a node tells of its own members alone");
    groups.node_down(SystemId(2), &mut out);
    assert_eq!(members(&groups, "g"), [(1, 5)]);
    assert_eq!(groups.groups().collect::<Vec<_>>(), ["g"], "an empty group is none");
}

#[test]
fn node_25_an_actor_that_ends_leaves_all_its_groups() {
    let (mut groups, mut out) = (Groups::new(US), Vec::new());
    for group in ["g", "h"] {
        groups.join(group, &entry(1, 5), &mut out);
        groups.join(group, &entry(1, 6), &mut out);
    }
    out.clear();
    groups.ended(entry(1, 5).actor(), &mut out);
    assert_eq!(frames(&out), 2);
    assert_eq!((members(&groups, "g"), members(&groups, "h")), (vec![(1, 6)], vec![(1, 6)]));
    assert!(!groups.has_own(entry(1, 5).actor()) && groups.has_own(entry(1, 6).actor()));
    assert!(!groups.leave("g", entry(1, 5).actor(), &mut out), "it has left");
}
