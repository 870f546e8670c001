//! Finding out what a directory holds, and removing what no version needs.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    SnapshotDir, SnapshotError, SnapshotProblem,
    data::{self, Seal},
    folder::{MANIFEST, TEMPORARY},
    manifest::{self, Listed, file_name, is_data, part},
    record::{Record, read_at},
};
use crate::Version;

/// A data file that is whole but for what it refers to.
struct Candidate {
    seal: Seal,
    references: Vec<Record>,
}

impl SnapshotDir {
    /// Makes the names safe as they are seen now, before anything is removed on the word of a
    /// manifest that a crash could still take back. Then removes what belongs to no version; without
    /// a good manifest only temporary files, as nothing else tells what does.
    pub(super) fn settle(&mut self) -> Result<(), SnapshotError> {
        self.unsettled = true;
        let from_manifest = self.find_versions()?;
        self.folder.sync_names()?;
        let listed: BTreeSet<String> = self.files.iter().map(Listed::name).collect();
        for name in self.folder.names()? {
            let leftover = name.ends_with(TEMPORARY)
                || (from_manifest && is_data(&name) && !listed.contains(&name));
            if leftover {
                self.folder.remove(&name)?;
            }
        }
        self.unsettled = false;
        Ok(())
    }

    /// Reads the manifest, or failing that all data files. True if the manifest is good.
    pub(super) fn find_versions(&mut self) -> Result<bool, SnapshotError> {
        self.corrupt.clear();
        match self.folder.read(MANIFEST) {
            Ok(bytes) => match manifest::decode(bytes) {
                Ok(files) => {
                    self.files = files;
                    return Ok(true);
                }
                Err(fault) => self.corrupt.push(self.folder.fault(MANIFEST, fault)),
            },
            Err(error) if error.what == SnapshotProblem::Missing => {}
            Err(error) => return Err(error),
        }
        self.scan()?;
        Ok(false)
    }

    /// The versions are those data files that are whole, and all that they refer to.
    fn scan(&mut self) -> Result<(), SnapshotError> {
        let mut candidates = self.candidates()?;
        let lengths = self.drop_unresolved(&mut candidates);
        self.files = candidates.iter().map(|(version, found)| found.listed(*version)).collect();
        for (version, length) in lengths {
            if !candidates.contains_key(&version) {
                // It is no version, as other parts of it are damaged or missing.
                let seal = Seal { length, crc: 0 };
                self.files.push(Listed { version, seal, refers: None });
            }
        }
        self.files.sort_by_key(|file| file.version);
        (self.files, _) = part(std::mem::take(&mut self.files));
        if self.corrupt.is_empty() && !self.files.is_empty() {
            let manifest = self.folder.file(MANIFEST);
            self.corrupt.push(SnapshotError::new(manifest, SnapshotProblem::Missing));
        }
        Ok(())
    }

    fn candidates(&mut self) -> Result<BTreeMap<Version, Candidate>, SnapshotError> {
        let mut candidates = BTreeMap::new();
        for name in self.folder.names()?.into_iter().filter(|name| is_data(name)) {
            let bytes = self.folder.read(&name);
            let found = bytes.and_then(|bytes| {
                data::read(bytes).map_err(|fault| self.folder.fault(&name, fault))
            });
            match found {
                Ok(mut found) if name == file_name(found.version) => {
                    found.records.retain(|record| record.blob.is_none());
                    let found_here = Candidate { seal: found.seal, references: found.records };
                    candidates.insert(found.version, found_here);
                }
                Ok(found) => {
                    let what = format!("a file that holds version {}", found.version);
                    let file = self.folder.file(&name);
                    self.corrupt.push(SnapshotError::new(file, SnapshotProblem::Invalid(what)));
                }
                Err(error) => self.corrupt.push(error),
            }
        }
        Ok(candidates)
    }

    /// Takes away those that refer to what is not there. Each file is read once. Gives the lengths of those that
    /// are referred to.
    fn drop_unresolved(
        &mut self,
        candidates: &mut BTreeMap<Version, Candidate>,
    ) -> BTreeMap<Version, u64> {
        let mut wanted: BTreeMap<Version, Vec<(Version, &Record)>> = BTreeMap::new();
        for (version, found) in &*candidates {
            for reference in &found.references {
                wanted.entry(reference.place.file).or_default().push((*version, reference));
            }
        }
        let mut lengths = BTreeMap::new();
        let mut broken: BTreeMap<Version, SnapshotError> = BTreeMap::new();
        for (file, references) in wanted {
            let name = file_name(file);
            let bytes = self.folder.read(&name);
            lengths.insert(file, bytes.as_ref().map_or(0, |bytes| bytes.len() as u64));
            for (version, Record { key, version: of, place, .. }) in references {
                let read = match &bytes {
                    Ok(bytes) => {
                        read_at(bytes, key, *of, place).map_err(|f| self.folder.fault(&name, f))
                    }
                    Err(error) => Err(error.clone().of_state(key, *of, place)),
                };
                if let Err(error) = read {
                    broken.entry(version).or_insert(error);
                }
            }
        }
        candidates.retain(|version, _| !broken.contains_key(version));
        self.corrupt.extend(broken.into_values());
        lengths
    }
}

impl Candidate {
    fn listed(&self, version: Version) -> Listed {
        let refers = self.references.iter().map(|reference| reference.place.file).collect();
        Listed { version, seal: self.seal, refers: Some(refers) }
    }
}
