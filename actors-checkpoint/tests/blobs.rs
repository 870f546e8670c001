//! Captured states: any size and kind, verified when they are read.

use actors_checkpoint::{Blob, Kind, RestoreError};
use serde::{Serialize, de::DeserializeOwned};

fn over_the_wire<T: Serialize + DeserializeOwned>(value: &T) -> T {
    rmp_serde::from_slice(&rmp_serde::to_vec(value).expect("it encodes")).expect("it decodes")
}

#[test]
fn ckpt_15_zero_byte_and_odd_states() {
    for length in [0, 1, 2, 3, 7, 63, 64, 65, 16_383, 16_384, 16_385, 40_001] {
        let bytes: Vec<u8> = (0..length).map(|i| (i * 7) as u8).collect();
        let raw = over_the_wire(&Blob::raw(&bytes));
        assert_eq!(raw.len(), length);
        assert_eq!(raw.to_vec::<u8>(), Ok(bytes.clone()));
        let wide: Vec<[u16; 3]> = vec![[1, 2, 3]; length];
        assert_eq!(over_the_wire(&Blob::raw(&wide)).to_vec(), Ok(wide));
        let encoded = over_the_wire(&Blob::encode(&bytes).expect("it encodes"));
        assert_eq!(encoded.decode(), Ok(bytes));
    }
    let nothing = over_the_wire(&Blob::encode(&()).expect("it encodes"));
    assert_eq!(nothing.decode::<()>(), Ok(()));
    assert!(Blob::raw::<f64>(&[]).is_empty());
}

#[test]
fn a_raw_state_is_its_bytes_and_little_more_on_the_wire() {
    let blob = Blob::raw(&[0x1122_3344_u32, 5]);
    assert_eq!(&blob.bytes()[..], [0x44, 0x33, 0x22, 0x11, 5, 0, 0, 0]);
    let wire = rmp_serde::to_vec(&Blob::raw(&[0_u8; 100_000])).expect("it encodes");
    assert!(wire.len() < 100_100, "{} bytes", wire.len());
}

#[test]
fn every_flipped_bit_is_found() {
    let raw = Blob::raw(&[1.0_f64, 2.0]);
    let encoded = Blob::encode(&"a text").expect("it encodes");
    for blob in [raw, encoded] {
        for bit in 0..8 * blob.len() {
            let mut bytes = blob.bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let flipped =
                Blob::from_parts(bytes.into(), blob.kind().clone(), blob.schema(), blob.crc());
            let corrupt = |error| matches!(error, RestoreError::Corrupt { .. });
            assert!(flipped.verify().is_err_and(corrupt));
            match blob.kind() {
                Kind::Raw { .. } => assert!(flipped.to_vec::<f64>().is_err_and(corrupt)),
                Kind::MessagePack | Kind::Encoded { .. } => {
                    assert!(flipped.decode::<String>().is_err_and(corrupt))
                }
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_told() {
    let raw = Blob::raw(&[1.0_f64]).with_schema(4);
    assert_eq!(raw.schema(), 4);
    let wrong =
        RestoreError::WrongType { wanted: "raw u64".into(), found: "raw f64 of 8 B".into() };
    assert_eq!(raw.to_vec::<u64>(), Err(wrong));
    assert!(matches!(raw.decode::<f64>(), Err(RestoreError::WrongType { .. })));

    let text = Blob::encode(&"text").expect("it encodes");
    assert!(matches!(text.to_vec::<u8>(), Err(RestoreError::WrongType { .. })));
    assert!(matches!(text.decode::<u64>(), Err(RestoreError::Decode { .. })));

    let cut = Blob::from_parts(raw.bytes().slice(..7), raw.kind().clone(), 0, 0);
    assert_eq!(cut.to_vec::<f64>(), Err(RestoreError::Length { length: 7, width: 8 }));
}

#[test]
fn a_state_that_does_not_serialise_is_told() {
    struct Stubborn;
    impl Serialize for Stubborn {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    assert!(matches!(Blob::encode(&Stubborn), Err(actors_checkpoint::PutError::Encode(_))));
}
