//! The matrix as `docs/failure-modes.md` has it, written from the rows.

use std::fmt::Write as _;
use std::path::Path;

use tollbridge::demo::faults::Script;

use super::matrix::MATRIX;
use super::row::{About, Row, Want};

const BEGIN: &str = "<!-- written by the test `the_page_has_the_matrix` -->\n";
const END: &str = "<!-- end of the matrix -->\n";

#[test]
fn the_page_has_the_matrix() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/failure-modes.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("the matrix's beginning");
    let (_, after) = rest.split_once(END).expect("the matrix's end");
    let wanted = format!("{before}{BEGIN}{}{END}{after}", matrix());
    if std::env::var_os("WRITE_FAULT_MATRIX").is_some() {
        std::fs::write(&path, &wanted).expect("a written page");
    }
    let current = std::fs::read_to_string(&path).expect("the page");
    assert!(current == wanted, "the matrix changed: run this test with WRITE_FAULT_MATRIX=1");
}

#[test]
fn the_matrix_has_at_least_sixty_faults() {
    let rows: usize = MATRIX.iter().map(|(_, rows)| rows.len()).sum();
    assert!(rows >= 60, "{rows}");
}

#[test]
fn every_fault_that_is_built_in_has_a_row() {
    let script = Script::built_in();
    let rows = || MATRIX.iter().flat_map(|(_, rows)| *rows);
    for (fault, _) in script.iter() {
        assert!(rows().any(|(name, row)| row.script(name) == fault), "{fault}");
    }
}

fn matrix() -> String {
    let script = Script::built_in();
    let mut page = String::new();
    for (title, rows) in MATRIX {
        let _ = write!(
            page,
            "\n### {title}\n\n| fault | what the agent gets | what the API sees | what the trail \
             says of the last attempt |\n|---|---|---|---|\n"
        );
        for (name, row) in *rows {
            let _ = writeln!(
                page,
                "| {} (`{}`) | {} | {} | {} |",
                about(name, row, &script),
                name.replace('_', "-"),
                both(row, gets),
                both(row, |want| times(want.seen)),
                both(row, trail),
            );
        }
    }
    page.push('\n');
    page
}

fn about(name: &str, row: &Row, script: &Script) -> String {
    match row.about {
        About::Row(about) => about.to_owned(),
        About::Door => row.door.about().to_owned(),
        About::Script => script.get(&row.script(name)).expect("a fault").about.clone(),
    }
}

/// What is said of a read and of a write, once where it is the same.
fn both(row: &Row, told: impl Fn(&Want) -> String) -> String {
    let (read, write) = (told(&row.read), told(&row.write));
    if read == write { read } else { format!("read: {read}<br>write: {write}") }
}

fn gets(want: &Want) -> String {
    let Want { code, retryable, retry_after_s, .. } = want;
    let mut text = if *code == "succeeded" { "the answer".to_owned() } else { format!("`{code}`") };
    if *retryable {
        text.push_str(", retryable");
    }
    if let Some(seconds) = retry_after_s {
        let _ = write!(text, " after {seconds} s");
    }
    text
}

fn times((least, most): (usize, usize)) -> String {
    match (least, most) {
        (0, 0) => "nothing".to_owned(),
        (1, 1) => "1 request".to_owned(),
        _ if least == most => format!("{least} requests"),
        _ => format!("{least} to {most} requests"),
    }
}

fn trail(want: &Want) -> String {
    let (least, most) = want.attempts.unwrap_or(want.seen);
    let count = if least == most { least.to_string() } else { format!("{least} to {most}") };
    format!("{count}: {}", want.last.replace('|', "\\|"))
}
