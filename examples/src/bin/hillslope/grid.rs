//! Elevation grids as ESRI ASCII text: `ncols`, `nrows`, the lower left corner, `cellsize` and an optional
//! `NODATA_value` in any case and order, then one line a row, from the north.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::iter;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A rectangle of elevations, as an ESRI ASCII grid holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grid {
    /// Number of columns, at least 1.
    pub(crate) ncols: usize,
    /// Number of rows, at least 1.
    pub(crate) nrows: usize,
    /// Where the grid lies and what marks a cell without a value.
    pub(crate) header: Header,
    /// `nrows * ncols` elevations, row by row from the north, each row from the west.
    pub(crate) cells: Vec<f64>,
}

impl Grid {
    /// Reads the grid in the file at `path`.
    ///
    /// # Errors
    ///
    /// [`GridError::Read`] when the file cannot be read, [`GridError::Syntax`] when it is no grid.
    pub(crate) fn read(path: &Path) -> Result<Self, GridError> {
        let name = path.display().to_string();
        let bytes =
            fs::read(path).map_err(|source| GridError::Read { path: path.to_owned(), source })?;
        match str::from_utf8(&bytes) {
            Ok(text) => Self::parse(&name, text),
            Err(error) => {
                let (valid, _) = bytes.split_at(error.valid_up_to());
                let valid = String::from_utf8_lossy(valid);
                let (line, column) = end_position(&valid);
                let error = SyntaxError::new(line, column, Fault::NotUtf8);
                Err(GridError::Syntax { name, error })
            }
        }
    }

    /// Reads a grid from `text`; errors call the text `name`.
    ///
    /// # Errors
    ///
    /// [`GridError::Syntax`] with the place of the first fault.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, GridError> {
        parse(text).map_err(|error| GridError::Syntax { name: name.to_owned(), error })
    }

    /// Whether an elevation is this grid's mark for "no value here".
    pub(crate) fn is_nodata(&self, value: f64) -> bool {
        self.header.nodata == Some(value)
    }

    /// The rows that the border does not fix: all but the first and the last.
    pub(crate) fn inner_rows(&self) -> usize {
        self.nrows.saturating_sub(2)
    }

    /// Writes the grid as text. Each number stands in the shortest form that reads back to the same `f64`.
    pub(crate) fn write(&self, mut out: impl Write) -> io::Result<()> {
        let Header { x, y, cellsize, nodata } = self.header;
        writeln!(out, "ncols {}", self.ncols)?;
        writeln!(out, "nrows {}", self.nrows)?;
        writeln!(out, "xll{} {}", x.suffix(), x.coordinate())?;
        writeln!(out, "yll{} {}", y.suffix(), y.coordinate())?;
        writeln!(out, "cellsize {cellsize}")?;
        if let Some(nodata) = nodata {
            writeln!(out, "NODATA_value {nodata}")?;
        }
        for row in self.cells.chunks_exact(self.ncols) {
            let mut separator = "";
            for &value in row {
                // NODATA may be 0 and the cell -0, which are equal but are written differently.
                let value = nodata.filter(|&mark| mark == value).unwrap_or(value);
                write!(out, "{separator}{value}")?;
                separator = " ";
            }
            writeln!(out)?;
        }
        Ok(())
    }

    /// Writes the grid to the file at `path`, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`GridError::Write`]; a file that stood at `path` is then as it was.
    pub(crate) fn save(&self, path: &Path) -> Result<(), GridError> {
        write_atomically(path, |out| self.write(out))
            .map_err(|source| GridError::Write { path: path.to_owned(), source })
    }
}

/// What an ESRI ASCII grid says ahead of its rows, the size apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Header {
    /// `xllcorner` or `xllcenter`.
    pub(crate) x: Origin,
    /// `yllcorner` or `yllcenter`.
    pub(crate) y: Origin,
    /// Edge of a cell, in the units of the coordinates; above 0.
    pub(crate) cellsize: f64,
    /// The elevation that marks a cell without a value.
    pub(crate) nodata: Option<f64>,
}

/// One coordinate of the lower left cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Origin {
    /// Of the cell's outer corner.
    Corner(f64),
    /// Of the cell's middle.
    Center(f64),
}

impl Origin {
    /// The number itself.
    pub(crate) fn coordinate(self) -> f64 {
        match self {
            Self::Corner(at) | Self::Center(at) => at,
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Corner(_) => "corner",
            Self::Center(_) => "center",
        }
    }
}

/// Why a grid was not read or written. Always one line.
#[derive(Debug, Error)]
pub(crate) enum GridError {
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file could not be written; what was there is untouched.
    #[error("{}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// The text is no grid.
    #[error("{name}:{error}")]
    Syntax { name: String, error: SyntaxError },
}

/// A fault and its place in the text, line and column (in characters) counted from 1.
#[derive(Debug, Error, PartialEq)]
#[error("{line}:{column}: {fault}")]
pub(crate) struct SyntaxError {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) fault: Fault,
}

impl SyntaxError {
    fn new(line: usize, column: usize, fault: Fault) -> Self {
        Self { line, column, fault }
    }
}

/// What makes a text no grid.
#[derive(Debug, Error, PartialEq)]
pub(crate) enum Fault {
    #[error("the file is empty")]
    Empty,
    #[error("not UTF-8 text")]
    NotUtf8,
    #[error("no `{0}` ahead of the rows")]
    MissingKey(&'static str),
    #[error("`{key}` is given again, first on line {first}")]
    DuplicateKey { key: String, first: usize },
    #[error("`{0}` is no key of an ESRI ASCII grid")]
    UnknownKey(String),
    #[error("`{key}` takes one value, not {found}")]
    HeaderValues { key: String, found: usize },
    #[error("`{0}` is not a finite number")]
    NotANumber(String),
    #[error("impossible size `{0}`: not a whole number above 0")]
    Size(String),
    #[error("impossible size: {ncols} columns x {nrows} rows do not fit the file's {bytes} bytes")]
    TooLarge { ncols: usize, nrows: usize, bytes: usize },
    #[error("the cell size must be above 0, not {0}")]
    CellSize(f64),
    #[error("`ncols` says {ncols}, but row {row} has {found}")]
    RowLength { row: usize, found: usize, ncols: usize },
    #[error("`nrows` says {nrows}, but the file has {found}")]
    RowCount { found: usize, nrows: usize },
}

/// Fills the file at `path` through a temporary in the same directory, which is synced and renamed into place.
/// A symbolic link is followed. On error the temporary is gone and what stood at `path` is as it was.
pub(crate) fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = parent_directory(&target);
    let temporary = temporary_in(directory)?;
    let mut out = BufWriter::new(temporary.as_file());
    fill(&mut out)?;
    out.flush()?;
    drop(out);
    temporary.as_file().sync_all()?;
    temporary.persist(&target)?;
    File::open(directory)?.sync_all()
}

/// The directory that holds `path`.
pub(crate) fn parent_directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

/// A named temporary with the permissions that a newly created file gets.
fn temporary_in(directory: &Path) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;

    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o666)).tempfile_in(directory)
}

fn parse(text: &str) -> Result<Grid, SyntaxError> {
    let body = text.trim_end();
    if body.is_empty() {
        return Err(SyntaxError::new(1, 1, Fault::Empty));
    }
    let mut lines = (1..).zip(body.lines()).peekable();

    let mut keys = Keys::default();
    while let Some(&(line, content)) = lines.peek() {
        let mut tokens = tokens(line, content);
        match tokens.next() {
            Some(key) if !key.opens_a_row() => keys.take(&key, tokens)?,
            Some(_) => break,
            None => {}
        }
        lines.next();
    }
    let rows_begin = lines.peek().map_or(body.lines().count() + 1, |&(n, _)| n);
    let (ncols, nrows, header) = keys.finish(rows_begin, text.len())?;

    let mut cells = Vec::with_capacity(ncols * nrows);
    let mut found = 0;
    for (line, content) in lines {
        if found == nrows {
            let found = body.lines().count() + 1 - rows_begin;
            let fault = Fault::RowCount { found, nrows };
            return Err(SyntaxError::new(line, 1, fault));
        }
        found += 1;
        parse_row(line, content, found, ncols, &mut cells)?;
    }
    if found < nrows {
        let fault = Fault::RowCount { found, nrows };
        return Err(SyntaxError::new(rows_begin + found, 1, fault));
    }
    Ok(Grid { ncols, nrows, header, cells })
}

fn parse_row(
    line: usize,
    content: &str,
    row: usize,
    ncols: usize,
    cells: &mut Vec<f64>,
) -> Result<(), SyntaxError> {
    let mut tokens = tokens(line, content);
    for found in 0..ncols {
        let Some(token) = tokens.next() else {
            let (_, column) = end_position(content.trim_end());
            let fault = Fault::RowLength { row, found, ncols };
            return Err(SyntaxError::new(line, column, fault));
        };
        cells.push(token.number()?);
    }
    match tokens.next() {
        None => Ok(()),
        Some(surplus) => {
            Err(surplus.fault(Fault::RowLength { row, found: ncols + 1 + tokens.count(), ncols }))
        }
    }
}

/// The header lines met so far: for each slot its key and its value.
#[derive(Default)]
struct Keys<'a> {
    slots: [Option<(Token<'a>, Token<'a>)>; SLOTS.len()],
}

impl<'a> Keys<'a> {
    fn take(
        &mut self,
        key: &Token<'a>,
        mut values: impl Iterator<Item = Token<'a>>,
    ) -> Result<(), SyntaxError> {
        let spelled = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(key.text));
        let Some(slot) = SLOTS.iter().position(|names| spelled(names)) else {
            return Err(key.fault(Fault::UnknownKey(quote(key.text))));
        };
        if let Some((earlier, _)) = &self.slots[slot] {
            return Err(
                key.fault(Fault::DuplicateKey { key: quote(key.text), first: earlier.line })
            );
        }
        let wrong_count = |token: &Token<'_>, found| {
            let key = quote(key.text);
            token.fault(Fault::HeaderValues { key, found })
        };
        let value = values.next().ok_or_else(|| wrong_count(key, 0))?;
        if let Some(surplus) = values.next() {
            return Err(wrong_count(&surplus, 2 + values.count()));
        }
        self.slots[slot] = Some((*key, value));
        Ok(())
    }

    /// The size and the header, once the rows begin on line `rows_begin` of a text of `bytes` bytes.
    fn finish(
        self,
        rows_begin: usize,
        bytes: usize,
    ) -> Result<(usize, usize, Header), SyntaxError> {
        let [ncols, nrows, x, y, cellsize, nodata] = self.slots;
        let required = |slot: Option<_>, names: &[&'static str]| {
            slot.ok_or_else(|| SyntaxError::new(rows_begin, 1, Fault::MissingKey(names[0])))
        };
        let (_, ncols) = required(ncols, SLOTS[0])?;
        let (_, nrows) = required(nrows, SLOTS[1])?;
        let (x_key, x) = required(x, SLOTS[2])?;
        let (y_key, y) = required(y, SLOTS[3])?;
        let (_, size) = required(cellsize, SLOTS[4])?;

        let cellsize = size.number()?;
        if cellsize <= 0.0 {
            return Err(size.fault(Fault::CellSize(cellsize)));
        }
        let header = Header {
            x: x_key.origin(x.number()?),
            y: y_key.origin(y.number()?),
            cellsize,
            nodata: nodata.map(|(_, value)| value.number()).transpose()?,
        };
        let (ncols, nrows) = size_within(&ncols, &nrows, bytes)?;
        Ok((ncols, nrows, header))
    }
}

/// The two dimensions, refused when the text is too short for so many cells.
fn size_within(
    ncols_token: &Token<'_>,
    nrows_token: &Token<'_>,
    bytes: usize,
) -> Result<(usize, usize), SyntaxError> {
    let ncols = ncols_token.size()?;
    let nrows = nrows_token.size()?;
    // A cell takes a digit and, but for the last, a separator.
    let fits = ncols.checked_mul(nrows).is_some_and(|cells| cells <= bytes.div_ceil(2));
    if fits {
        return Ok((ncols, nrows));
    }
    let larger = if ncols > nrows { ncols_token } else { nrows_token };
    Err(larger.fault(Fault::TooLarge { ncols, nrows, bytes }))
}

/// A word of the text and where it begins.
#[derive(Clone, Copy)]
struct Token<'a> {
    line: usize,
    column: usize,
    text: &'a str,
}

impl Token<'_> {
    fn fault(&self, fault: Fault) -> SyntaxError {
        SyntaxError::new(self.line, self.column, fault)
    }

    /// Whether a line that begins with this word is a row; `nan` is a (refused) number and no key.
    fn opens_a_row(&self) -> bool {
        let word = |c: char| c.is_alphabetic() || c == '_';
        !self.text.starts_with(word) || self.text.parse::<f64>().is_ok()
    }

    fn number(&self) -> Result<f64, SyntaxError> {
        match self.text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(self.fault(Fault::NotANumber(quote(self.text)))),
        }
    }

    fn size(&self) -> Result<usize, SyntaxError> {
        match self.text.parse() {
            Ok(size) if size > 0 => Ok(size),
            _ => Err(self.fault(Fault::Size(quote(self.text)))),
        }
    }

    /// What this key, one of the four `?ll*`, says about `coordinate`.
    fn origin(&self, coordinate: f64) -> Origin {
        if self.text.to_ascii_lowercase().ends_with("center") {
            Origin::Center(coordinate)
        } else {
            Origin::Corner(coordinate)
        }
    }
}

fn tokens(line: usize, content: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = content;
    let mut column = 1;
    iter::from_fn(move || {
        let start = rest.find(|c: char| !c.is_whitespace())?;
        column += rest[..start].chars().count();
        rest = &rest[start..];
        let (text, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        let token = Token { line, column, text };
        column += text.chars().count();
        rest = after;
        Some(token)
    })
}

/// Line and column just behind `text`.
fn end_position(text: &str) -> (usize, usize) {
    let last = text.rsplit('\n').next().unwrap_or_default();
    (text.matches('\n').count() + 1, last.chars().count() + 1)
}

/// A word as a message shows it: printable, and no longer than fits a line.
fn quote(word: &str) -> String {
    let mut shown: String = word.chars().take(QUOTED_CHARS).collect();
    if shown.len() < word.len() {
        shown.push('…');
    }
    shown.escape_debug().collect()
}

/// The spellings of each key, the usual one first; the last is optional.
const SLOTS: [&[&str]; 6] = [
    &["ncols"],
    &["nrows"],
    &["xllcorner", "xllcenter"],
    &["yllcorner", "yllcenter"],
    &["cellsize"],
    &["NODATA_value"],
];

const QUOTED_CHARS: usize = 40;

#[cfg(test)]
mod tests;
