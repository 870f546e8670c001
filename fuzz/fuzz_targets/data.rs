//! A data file of any bytes is a version, which is then written again byte for byte, or a typed error.

#![no_main]

use actors_core::sim::SimDisk;
use actors_fuzz::{DIR, data_file, open, open_read_only, read, sealed_data, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    check(file);
    check(&sealed_data(file.to_vec()));
});

fn check(file: &[u8]) {
    let disk = SimDisk::new(1);
    write(&disk, &data_file(7), file);
    let (found, corrupt) = open_read_only(&disk).load_newest();
    let Some(found) = found else {
        let [error] = &corrupt[..] else { panic!("{corrupt:?}") };
        assert!(error.file.starts_with(DIR), "{error}");
        // Only a whole file of another version is about no byte in it.
        assert!(error.offset.is_some() || error.to_string().contains("holds version"), "{error}");
        return;
    };
    assert_eq!(found.version, 7);
    for (_, _, blob) in &found.entries {
        blob.verify().expect("a loaded state is whole");
    }
    let again = SimDisk::new(1);
    open(&again).commit(7, &found.entries, &found.meta).expect("the disk does not fail");
    assert_eq!(read(&again, &data_file(7)), file);
}
