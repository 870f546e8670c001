use super::*;

const LEASE: Duration = Duration::from_secs(10);

fn at(secs: u64) -> Time {
    Time::from_start(Duration::from_secs(secs))
}

fn member(id: u64, name: &str) -> Member {
    let address = format!("127.0.0.1:{id}");
    Member { id: SystemId(id), name: name.into(), address, tags: BTreeMap::new() }
}

fn entry(id: u64, name: &str) -> Entry {
    Entry { member: member(id, name), left: false }
}

/// Node 1, `a`, registered at 0, which knows node 2, `b`.
fn standing() -> Standing {
    let mut standing = Standing::new(member(1, "a"), LEASE, LEASE / 40, at(0));
    assert!(!standing.is_registered());
    assert_eq!(standing.hear(Word::Confirmed(at(0)), at(0), true), []);
    let all = vec![entry(1, "a"), entry(2, "b")];
    assert_eq!(standing.hear(Word::All(all), at(0), true), [Verdict::Is(member(2, "b"))]);
    assert!(standing.is_registered());
    standing
}

fn silent() -> Word {
    Word::Silent("refused".into())
}

#[test]
fn who_has_no_entry_any_more_is_dead() {
    let mut standing = standing();
    assert_eq!(standing.hear(Word::Gone("b".into()), at(1), true), [Verdict::Dead(SystemId(2))]);
    assert_eq!(standing.hear(Word::Gone("b".into()), at(1), true), [], "once");
}

#[test]
fn who_says_that_it_leaves_has_left() {
    let mut standing = standing();
    let leaves = Entry { left: true, ..entry(2, "b") };
    assert_eq!(standing.hear(Word::Is(leaves), at(1), true), [Verdict::Left(SystemId(2))]);
    assert_eq!(standing.hear(Word::Gone("b".into()), at(1), true), []);
}

/// NODE-33: before etcd can have ended its lease, a node that cannot renew it and may be cut off takes part no more.
#[test]
fn node_33_who_cannot_renew_its_lease_and_does_not_hear_all_is_fenced_before_it_ends() {
    let mut standing = standing();
    standing.hear(Word::Confirmed(at(20)), at(23), true);
    assert_eq!(standing.tick(at(27), false, false), [], "the lease stands");
    assert_eq!(standing.tick(at(28), false, false), [Verdict::Fence], "two seconds before its end");
    assert_eq!(standing.tick(at(40), false, false), [], "once");
    assert_eq!(
        standing.hear(Word::Gone("b".into()), at(41), true),
        [],
        "it says nothing of others"
    );
}

/// NODE-33: a node that stood still until its lease may have ended does not ask who is there.
#[test]
fn node_33_who_stood_still_past_its_lease_is_fenced() {
    let mut standing = standing();
    assert_eq!(standing.tick(at(7), true, true), []);
    assert_eq!(standing.tick(at(8), true, true), [Verdict::Fence]);
}

/// NODE-33: without etcd nobody is dead who hears all others, and who is heard.
#[test]
fn node_33_without_etcd_nothing_is_said() {
    let mut standing = standing();
    assert_eq!(standing.hear(silent(), at(5), true), [Verdict::Lost("refused".into())]);
    assert_eq!(standing.hear(silent(), at(6), true), [], "once");
    for secs in 7..600 {
        assert_eq!(standing.tick(at(secs), true, false), []);
    }
    // It comes back, and its leases have ended.
    assert_eq!(standing.hear(Word::All(vec![]), at(600), true), [Verdict::Register]);
    assert_eq!(standing.hear(Word::NoLease, at(600), true), []);
    let again = standing.hear(Word::Confirmed(at(600)), at(600), true);
    assert_eq!(again, [Verdict::Back]);
    assert_eq!(standing.tick(at(605), true, false), []);
    let other = standing.hear(Word::Is(entry(2, "b")), at(606), true);
    assert_eq!(other, [Verdict::Is(member(2, "b"))]);
    standing.hear(Word::Confirmed(at(610)), at(610), true);
    assert_eq!(standing.tick(at(611), true, false), [], "it came in time");
}

/// NODE-33: who does not come back after that is dead.
#[test]
fn node_33_who_does_not_register_again_is_dead() {
    let mut standing = standing();
    let all = vec![entry(1, "a")];
    assert_eq!(standing.hear(Word::All(all), at(100), true), []);
    standing.hear(Word::Confirmed(at(109)), at(109), true);
    assert_eq!(standing.tick(at(109), true, false), []);
    assert_eq!(standing.tick(at(110), true, false), [Verdict::Dead(SystemId(2))]);
    assert_eq!(standing.tick(at(111), true, false), [], "once");
}

/// NODE-33: whose lease ends while etcd answers is dead to others.
#[test]
fn node_33_whose_lease_or_entry_is_taken_is_fenced() {
    for word in [Word::NoLease, Word::Gone("a".into()), Word::Is(entry(3, "a"))] {
        let mut standing = standing();
        assert_eq!(standing.hear(word, at(1), true), [Verdict::Fence]);
    }
    let mut standing = standing();
    let cut_off = standing.hear(Word::NoLease, at(100), false);
    assert_eq!(cut_off, [Verdict::Fence], "others may know more");
}

/// NODE-33: so long between two looks does not make it late.
#[test]
fn node_33_the_margin_has_room_for_two_heartbeats() {
    let mut standing = Standing::new(member(1, "a"), LEASE, LEASE / 4, at(0));
    standing.hear(Word::Confirmed(at(0)), at(0), true);
    assert_eq!(standing.tick(at(4), false, false), []);
    assert_eq!(standing.tick(at(5), false, false), [Verdict::Fence]);
}
