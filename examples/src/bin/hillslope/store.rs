//! The directory of a job: its settings, its input, and the checkpoints of the last level.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::{
    grid::{Grid, GridError, write_atomically},
    options::Settings,
};

const SETTINGS: &str = "job.json";
const INPUT: &str = "input.asc";
const CHECKPOINTS: &str = "checkpoints";

/// Why a job's directory cannot be used.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    #[error("{}: holds a job already: go on with --resume, or name another directory", dir.display())]
    InUse { dir: PathBuf },
    #[error("{}: holds no job", dir.display())]
    NoJob { dir: PathBuf },
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{}: line {}, column {}: {error}", path.display(), error.line(), error.column())]
    Settings { path: PathBuf, error: serde_json::Error },
    #[error(transparent)]
    Input(#[from] GridError),
}

/// Makes the directory of a new job.
pub(crate) fn begin(dir: &Path, settings: &Settings, input: &Grid) -> Result<(), StoreError> {
    let path = dir.join(SETTINGS);
    if path.exists() {
        return Err(StoreError::InUse { dir: dir.to_owned() });
    }
    fs::create_dir_all(dir).map_err(|error| StoreError::File { path: dir.to_owned(), error })?;
    input.save(&dir.join(INPUT))?;
    // The settings come last: a directory that has them has all.
    write_atomically(&path, |out| {
        serde_json::to_writer_pretty(&mut *out, settings)?;
        out.write_all(b"\n")
    })
    .map_err(|error| StoreError::File { path, error })
}

/// The job that a directory holds.
pub(crate) fn open(dir: &Path) -> Result<(Settings, Grid), StoreError> {
    let path = dir.join(SETTINGS);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::NoJob { dir: dir.to_owned() });
        }
        Err(error) => return Err(StoreError::File { path, error }),
    };
    let settings =
        serde_json::from_str(&text).map_err(|error| StoreError::Settings { path, error })?;
    Ok((settings, Grid::read(&dir.join(INPUT))?))
}

/// Where the last level keeps its checkpoints.
pub(crate) fn checkpoints(dir: &Path) -> PathBuf {
    dir.join(CHECKPOINTS)
}
