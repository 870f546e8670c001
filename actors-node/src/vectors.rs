//! The test vectors of `docs/formats.md`.

use std::{fmt::Write, path::Path};

/// Whether the page shows these bytes under this name.
pub(crate) fn check(name: &str, bytes: &[u8]) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/formats.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let start = format!("<!-- test vector: {name} -->\n```\n");
    let at = page.find(&start).expect("the page has it") + start.len();
    let end = page[at..].find("```").expect("it ends") + at;
    let documented: Vec<&str> = page[at..end].split_whitespace().collect();
    let said: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(documented == said, "{name}, and the page has another:\n{}", lines(&said));
}

/// As the page has them.
fn lines(bytes: &[String]) -> String {
    bytes.chunks(16).fold(String::new(), |mut text, line| {
        writeln!(text, "{}", line.join(" ")).expect("a string takes all");
        text
    })
}
