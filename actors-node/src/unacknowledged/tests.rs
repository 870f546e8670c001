use proptest::prelude::*;

use super::*;

/// What is written, whatever part of it was before.
fn bytes(rest: &Rest) -> Vec<u8> {
    let after = |written| {
        let (slices, count) = rest.slices(written);
        slices[..count].iter().flat_map(|slice| slice.to_vec()).collect::<Vec<u8>>()
    };
    let bytes = after(0);
    assert_eq!(bytes.len(), rest.len());
    for written in (0..bytes.len()).step_by(1 + bytes.len() / 10) {
        assert_eq!(after(written), bytes[written..]);
    }
    bytes
}

/// Everything from there to the end of the stream.
fn rest(kept: &Unacknowledged, mut at: u64) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(rest) = kept.rest(at) {
        all.extend_from_slice(&bytes(&rest));
        at = rest.end;
    }
    assert_eq!(at, kept.end);
    all
}

#[test]
fn small_batches_share_a_chunk_that_nobody_writes() {
    let mut kept = Unacknowledged::default();
    kept.append(&mut b"one".to_vec());
    kept.append(&mut b"two".to_vec());
    assert_eq!(kept.chunks.len(), 1);
    let written = kept.rest(3).unwrap();
    kept.append(&mut b"three".to_vec());
    assert_eq!((bytes(&written), kept.chunks.len()), (b"two".to_vec(), 2));
    assert_eq!(rest(&kept, 4), b"wothree");
}

#[test]
fn a_long_batch_is_moved_and_not_copied() {
    let mut kept = Unacknowledged::default();
    let mut batch = vec![1; SMALL];
    let at = batch.as_ptr();
    kept.append(&mut batch);
    assert_eq!(kept.rest(0).unwrap().slices(0).0[0].as_ptr(), at);
}

#[test]
fn node_22_what_was_never_there_or_is_there_no_more_is_an_error() {
    let mut kept = Unacknowledged::default();
    kept.append(&mut b"0123456789".to_vec());
    assert!(kept.acknowledge(11).is_err());
    kept.acknowledge(7).unwrap();
    kept.acknowledge(3).unwrap();
    assert_eq!(kept.bytes(), 3, "an old word changes nothing");
    let error = kept.resume(6).unwrap_err();
    assert_eq!(
        error.to_string(),
        "it has 6 bytes of the stream, it says; bytes 7 to 10 may be",
        "nobody else has byte 6"
    );
    assert!(kept.resume(u64::MAX).is_err());
    assert_eq!(rest(&kept, 0), b"789", "what has arrived is not sent again");
    kept.resume(10).unwrap();
    assert!(kept.rest(10).is_none() && kept.bytes() == 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// NODE-21: from wherever it goes on, the stream is the one that was written.
    #[test]
    fn node_21_the_stream_goes_on_where_it_stopped(
        steps in prop::collection::vec((1_usize..100_000, 0.0..1.0_f64, any::<bool>()), 1..8)
    ) {
        let (mut kept, mut all, mut hold) = (Unacknowledged::default(), Vec::new(), None);
        for (length, part, held) in steps {
            let length = if length % 3 == 0 { 20 * length } else { length % 20_000 + 1 };
            let batch: Vec<u8> = (0..length).map(|n| (n % 251 + all.len() % 7) as u8).collect();
            all.extend_from_slice(&batch);
            kept.append(&mut batch.clone());
            hold = if held { kept.rest(kept.end - 1) } else { hold };
            let from = kept.arrived + (kept.bytes() as f64 * part) as u64;
            prop_assert_eq!(&rest(&kept, from), &all[from as usize..]);
            kept.resume(from).unwrap();
            prop_assert_eq!(kept.bytes(), all.len() - from as usize);
            let held: usize = kept.chunks.iter().map(|chunk| chunk.len()).sum();
            prop_assert!(held - kept.bytes() < LONGEST_CHUNK, "no more than a chunk");
        }
        drop(hold);
    }
}
