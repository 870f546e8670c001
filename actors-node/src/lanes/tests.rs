use actors_core::{Down, ExitReason, GroupEpoch, SystemId};

use super::*;
use crate::{pieces::Assembly, wire::Body};

const fn actor(serial: u64) -> ActorId {
    ActorId { home: SystemId(1), serial }
}

/// With a length, so that it can be told.
fn message(to: u64, length: usize) -> Frame {
    let (name, body) = (String::new(), vec![0; length]);
    Frame::Message { to: actor(to), name, body, epoch: None::<GroupEpoch>, call: None, trace: None }
}

fn down(of: u64) -> Frame {
    Frame::Down(Down { actor: actor(of), incarnation: 1, reason: ExitReason::Normal })
}

/// Everything that goes, in the order in which it is whole on the other side.
fn drain(lanes: &mut Lanes) -> Vec<String> {
    let mut assembly = Assembly::new(usize::MAX);
    let mut arrived = Vec::new();
    loop {
        let batch = next(lanes);
        if batch.is_empty() {
            assert_eq!(lanes.bytes(), 0, "what is counted has gone");
            return arrived;
        }
        assert!(batch.len() <= 3 * LONGEST_VALUE, "a batch is short");
        arrived.extend(read(&batch, &mut assembly));
    }
}

fn next(lanes: &mut Lanes) -> Vec<u8> {
    let mut batch = Batch::default();
    lanes.next(&mut batch);
    let shared = batch.shared.as_ref().map_or(&[][..], |shared| shared.bytes());
    [&batch.bytes, shared, &batch.rest].concat()
}

fn read(mut batch: &[u8], assembly: &mut Assembly) -> Vec<String> {
    let mut arrived = Vec::new();
    while let Some((length, more)) = batch.split_first_chunk() {
        let (piece, more) = more.split_at(u32::from_le_bytes(*length) as usize);
        arrived.extend(assembly.take_frame(piece).unwrap().map(|frame| tell(&frame)));
        batch = more;
    }
    arrived
}

fn tell(frame: &Frame) -> String {
    match frame {
        Frame::Message { to, body, .. } => format!("{} to {}", body.len(), to.serial),
        Frame::Stop(to, _) => format!("stop {}", to.serial),
        Frame::End(to, _) => format!("end {}", to.serial),
        Frame::Start { actor, .. } => format!("start {}", actor.serial),
        Frame::Down(down) => format!("down {}", down.actor.serial),
        Frame::Reply { .. } => "reply".into(),
        _ => "other".into(),
    }
}

const LONG: usize = 10 * LONGEST_VALUE;

#[test]
fn short_frames_pass_long_ones_that_they_have_no_order_with() {
    let mut lanes = Lanes::default();
    lanes.push(&message(1, LONG), None);
    lanes.push(&message(2, 1), None);
    lanes.push(&Frame::Heartbeat(0), None);
    lanes.push(&message(1, 2), None);
    lanes.push(&Frame::Stop(actor(1), ExitReason::Normal), None);
    lanes.push(&Frame::End(actor(1), ExitReason::Killed), None);
    let expected = ["1 to 2", "other", "end 1", &format!("{LONG} to 1"), "2 to 1", "stop 1"];
    assert_eq!(drain(&mut lanes), expected);
}

#[test]
fn a_kill_does_not_pass_the_start_that_it_is_for() {
    let mut lanes = Lanes::default();
    let args = vec![0; LONG];
    lanes.push(&Frame::Start { call: 1, actor: actor(1), group: None, incarnation: 1, args }, None);
    lanes.push(&Frame::End(actor(1), ExitReason::Killed), None);
    assert_eq!(drain(&mut lanes), ["start 1", "end 1"]);
}

#[test]
fn long_values_take_turns() {
    let mut lanes = Lanes::default();
    lanes.push(&message(1, LONG), None);
    lanes.push(&message(2, 2 * LONGEST_VALUE), None);
    lanes.push(&Frame::Reply { call: 1, answer: Ok(Body(vec![0; 3 * LONGEST_VALUE])) }, None);
    let expected = [format!("{} to 2", 2 * LONGEST_VALUE), "reply".into(), format!("{LONG} to 1")];
    assert_eq!(drain(&mut lanes), expected);
}

/// More than the other side takes at once.
#[test]
fn a_flood_of_short_frames_holds_no_long_one_up() {
    let (mut lanes, mut assembly) = (Lanes::default(), Assembly::new(usize::MAX));
    lanes.push(&message(1, LONG), None);
    let mut batches = 0..12;
    while batches.next().is_some() {
        for _ in 0..5 {
            lanes.push(&message(2, LONGEST_VALUE / 4), None);
        }
        let batch = next(&mut lanes);
        if read(&batch, &mut assembly).contains(&format!("{LONG} to 1")) {
            return;
        }
    }
    panic!("it does not arrive");
}

#[test]
fn so_many_long_values_are_under_way_at_once() {
    let mut lanes = Lanes::default();
    for to in 0..3 * TRANSFERS as u64 {
        lanes.push(&message(to, 2 * LONGEST_VALUE), None);
    }
    assert_eq!(drain(&mut lanes).len(), 3 * TRANSFERS);
}

#[test]
fn an_exit_goes_after_what_its_actor_sent_and_no_later() {
    let mut lanes = Lanes::default();
    lanes.push(&message(1, LONG), Some(actor(8)));
    lanes.push(&message(2, 2 * LONGEST_VALUE), Some(actor(9)));
    lanes.push(&message(1, 7), Some(actor(7)));
    for of in [7, 8, 9, 10] {
        lanes.push(&down(of), None);
    }
    let [long, short] = [format!("{LONG} to 1"), format!("{} to 2", 2 * LONGEST_VALUE)];
    let expected = ["down 10", &short, "down 9", &long, "down 8", "7 to 1", "down 7"];
    assert_eq!(drain(&mut lanes), expected);
}

#[test]
fn what_is_given_up_does_not_count_and_does_not_go() {
    let mut lanes = Lanes::default();
    lanes.push(&message(1, LONG), Some(actor(8)));
    lanes.push(&down(8), None);
    lanes.push(&message(2, 1), None);
    lanes.give_up_transfers();
    assert_eq!(drain(&mut lanes), ["1 to 2"]);
}
