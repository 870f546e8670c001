use actors_core::{ActorId, SystemId};

use super::*;
use crate::{
    pieces,
    wire::{Asked, Body},
};

fn frames() -> Vec<Frame> {
    let to = ActorId { home: SystemId(7), serial: 9 };
    let long = |length: usize| (0..length).map(|n| n as u8).collect::<Vec<u8>>();
    vec![
        Frame::Message {
            to,
            name: "a".into(),
            body: long(1000),
            epoch: None,
            call: Some(Asked(4, Some(9))),
            trace: Some(vec![1; 20]),
        },
        Frame::Message {
            to,
            name: "a".into(),
            body: long(0),
            epoch: None,
            call: None,
            trace: None,
        },
        Frame::Reply { call: 1, answer: Ok(Body(long(70_000))) },
        Frame::Start { call: 1, actor: to, group: None, incarnation: 1, args: long(300) },
        Frame::Monitor(to),
    ]
}

fn bytes(batch: &Batch) -> Vec<u8> {
    let shared = batch.shared.as_ref().map_or(&[][..], Shared::bytes);
    [&batch.bytes, shared, &batch.rest].concat()
}

#[test]
fn a_value_is_the_same_in_whatever_parts_it_goes() {
    for frame in frames() {
        let expected = pieces::encode(&frame);
        for length in [1, 2, 7, 20, 100, 1 << 16, usize::MAX] {
            let frame = rmp_serde::from_slice(&expected).unwrap();
            for encoded in [Encoded::new(frame), expected.clone().into()] {
                let (mut sent, mut all) = (0, Vec::new());
                while sent < encoded.len() {
                    let (mut batch, end) =
                        (Batch::default(), encoded.len().min(sent.saturating_add(length)));
                    encoded.append(sent..end, &mut batch);
                    all.extend(bytes(&batch));
                    sent = end;
                }
                assert_eq!(all, expected, "parts of {length}");
                let mut copy = Vec::new();
                encoded.copy_to(&mut copy);
                assert_eq!(copy, expected);
            }
        }
    }
}

#[test]
fn what_is_long_stays_where_it_is() {
    for frame in frames().into_iter().filter(|frame| frame.weight() > 0) {
        let at = frame.long_part().as_ptr_range();
        let encoded = Encoded::new(frame);
        let mut batch = Batch::default();
        encoded.append(0..encoded.len(), &mut batch);
        assert_eq!(batch.shared.unwrap().bytes().as_ptr_range(), at);
    }
}
