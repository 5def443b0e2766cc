//! The rules of `ARCHITECTURE.md` that a text can break: who uses whom, and how long a file
//! may be. They are read off the sources, so that breaking one names the line that did.
//!
//! Test code may look where it likes: what it reaches for is not in the house as built.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// A room, and the rooms that it may use.
const ROOMS: &[(&str, &[&str])] = &[
    ("secret", &[]),
    ("store", &[]),
    ("identity", &["secret", "store"]),
    ("catalog", &[]),
    ("survey", &["catalog"]),
    ("config", &["secret"]),
    ("tools", &[]),
    ("safety", &["identity", "store"]),
    ("settlement", &["store", "secret", "safety"]),
    ("bridge", &["secret", "settlement"]),
    ("audit", &["secret", "store"]),
    ("observe", &["audit"]),
    (
        "gateway",
        &[
            "secret",
            "store",
            "identity",
            "catalog",
            "config",
            "tools",
            "safety",
            "settlement",
            "bridge",
            "audit",
            "observe",
        ],
    ),
    ("agent", &["gateway", "tools", "identity"]),
    ("dashboard", &["gateway", "audit", "observe", "tools"]),
    // It puts a whole bridge together, as the command line does.
    (
        "demo",
        &[
            "secret", "store", "identity", "catalog", "config", "tools", "bridge", "audit",
            "observe", "gateway", "agent",
        ],
    ),
    (
        "cli",
        &[
            "secret",
            "store",
            "identity",
            "catalog",
            "survey",
            "config",
            "tools",
            "safety",
            "settlement",
            "bridge",
            "audit",
            "observe",
            "gateway",
            "agent",
            "dashboard",
            "demo",
        ],
    ),
];

/// Where a room may use no more of another than the proof that it takes.
const PROOFS: &[(&str, &str, &str)] =
    &[("settlement", "safety", "Allowed"), ("bridge", "settlement", "Cleared")];

/// Crates that only some rooms know.
const CONFINED: &[(&str, &[&str])] = &[("rmcp", &["agent", "demo"]), ("sqlx", &["store"])];

/// The pure crates, and those of ours that each may depend on.
const PURE: &[(&str, &[&str])] = &[
    ("operation", &[]),
    ("xml", &[]),
    ("openapi", &["tollbridge-operation", "tollbridge-xml"]),
    ("wsdl", &["tollbridge-operation", "tollbridge-xml"]),
    ("discovery", &["tollbridge-operation"]),
];

/// What would make a pure crate wait, or talk to someone.
const IMPURE: &[&str] =
    &["tokio", "rmcp", "sqlx", "reqwest", "hyper", "axum", "futures", "tollbridge"];

/// What a pure crate takes from nowhere but its arguments.
const IMPURE_PATHS: &[&str] =
    &["std::fs", "std::net", "std::env", "std::process", "std::thread", "SystemTime", "Instant"];

const MAX_LINES: usize = 800;

#[test]
fn a_room_uses_only_the_rooms_that_it_may() {
    let mut broken = Vec::new();
    for source in sources("src") {
        let Some(room) = source.room() else { continue };
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            broken.push(format!("{}: `{room}` is no room of the table", source.path.display()));
            continue;
        };
        for (line, path) in source.arrows() {
            let used = path[0].as_str();
            let at = format!("{}:{line}", source.path.display());
            if used == room {
                continue;
            }
            if used == "*" {
                broken.push(format!("{at}: `crate::*` hides which rooms are used"));
            } else if !ROOMS.iter().any(|(name, _)| *name == used) {
                broken.push(format!("{at}: `crate::{used}` is no room of the table"));
            } else if !allowed.contains(&used) {
                broken.push(format!(
                    "{at}: `{room}` may not use `{used}`; it may use: {}",
                    if allowed.is_empty() { "no room".to_owned() } else { allowed.join(", ") }
                ));
            } else if let Some((_, _, proof)) =
                PROOFS.iter().find(|(from, to, _)| (*from, *to) == (room.as_str(), used))
                && path.get(1).map(String::as_str) != Some(proof)
            {
                broken.push(format!("{at}: of `{used}`, `{room}` may use `{proof}` alone"));
            }
        }
    }
    assert!(broken.is_empty(), "arrows that the house does not have:\n{}", broken.join("\n"));
}

#[test]
fn a_crate_that_moves_fast_is_known_to_its_own_rooms_alone() {
    let mut broken = Vec::new();
    for source in sources("src") {
        let Some(room) = source.room() else { continue };
        for (name, rooms) in CONFINED {
            for (line, text) in source.lines_with(&format!("{name}::")) {
                // In a string it is the name of a log target, not a path.
                if text.contains(&format!(",{name}::")) {
                    continue;
                }
                if !rooms.contains(&room.as_str()) {
                    let at = format!("{}:{line}", source.path.display());
                    broken.push(format!("{at}: only {} may know `{name}`", rooms.join(" and ")));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_file_is_longer_than_800_lines_and_each_says_what_it_is_for() {
    let mut broken = Vec::new();
    for source in ["src", "crates", "tests"].into_iter().flat_map(sources) {
        let lines = source.text.lines().count();
        if lines > MAX_LINES {
            broken.push(format!(
                "{}: {lines} lines, and {MAX_LINES} are enough",
                source.path.display()
            ));
        }
        if !source.is_test() && !source.says_what_it_is_for() {
            broken.push(format!("{}:1: a file begins with `//!`", source.path.display()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_pure_crate_depends_on_nothing_that_waits() {
    let mut broken = Vec::new();
    for (name, ours) in PURE {
        let path = format!("crates/{name}/Cargo.toml");
        let manifest: toml::Table =
            fs::read_to_string(root().join(&path)).unwrap().parse().expect("a manifest is TOML");
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        for dependency in dependencies.into_iter().flat_map(toml::Table::keys) {
            let foreign =
                dependency.starts_with("tollbridge-") && !ours.contains(&dependency.as_str());
            if foreign || IMPURE.contains(&dependency.as_str()) {
                broken.push(format!("{path}: `{name}` may not depend on `{dependency}`"));
            }
        }
        for source in sources(&format!("crates/{name}/src")) {
            for impure in IMPURE_PATHS {
                for (line, _) in source.lines_with(impure) {
                    let at = format!("{}:{line}", source.path.display());
                    broken.push(format!("{at}: a pure crate does not use `{impure}`"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_test_that_the_failure_modes_name_is_there() {
    let page = fs::read_to_string(root().join("docs/failure-modes.md")).unwrap();
    let all: String = ["src", "crates", "tests"]
        .into_iter()
        .flat_map(sources)
        .map(|source| source.text)
        .collect();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.contains("| test |"));
    let mut named = 0;
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        for test in tests.split('`').skip(1).step_by(2) {
            let name = test.rsplit("::").next().unwrap_or_default();
            assert!(all.contains(&format!("fn {name}(")), "no test `{test}` is there: {row}");
            named += 1;
        }
    }
    assert!(named > 30, "the column of tests was not read");
}

#[test]
fn the_table_of_rooms_has_no_circle() {
    fn reaches(from: &str, to: &str, steps: usize) -> bool {
        let used = ROOMS.iter().find(|(name, _)| *name == from).map_or(&[][..], |(_, used)| used);
        steps > 0 && used.iter().any(|next| *next == to || reaches(next, to, steps - 1))
    }
    for (room, _) in ROOMS {
        assert!(!reaches(room, room, 5), "{room} uses itself in the end");
    }
}

#[test]
fn the_reader_of_arrows_sees_every_form_of_use() {
    let source = Source {
        path: "src/bridge/mod.rs".into(),
        text: "//! See [`crate::cli`].\n\
               use crate::{audit::{Event, Trail as T}, store};\n\
               pub(crate) fn f(a: crate::secret::Secret) {} // crate::demo\n\
               use super::agent;\n\
               use crate::{\n    config,\n};\n\
               #[cfg(test)]\nmod tests {\n    use crate::gateway::Gateway;\n}\n\
               #[cfg(test)]\nmod more;\n\
               fn g() { crate::tools::name(); }\n"
            .into(),
    };
    let seen: Vec<(usize, String)> =
        source.arrows().into_iter().map(|(line, path)| (line, path.join("/"))).collect();
    let expected = [
        (2, "audit/Event"),
        (2, "audit/Trail"),
        (2, "store"),
        (3, "secret/Secret"),
        (4, "agent"),
        (5, "config"),
        (14, "tools/name"),
    ];
    assert_eq!(seen, expected.map(|(line, path)| (line, path.to_owned())));
}

/// A file of ours.
struct Source {
    /// Relative to the workspace.
    path: PathBuf,
    text: String,
}

impl Source {
    /// The folder under `src/` that it is in; none for `lib.rs` and `main.rs`.
    fn room(&self) -> Option<String> {
        let mut parts = self.path.components().skip(1);
        let room = parts.next()?.as_os_str().to_str()?.to_owned();
        parts.next().map(|_| room)
    }

    /// Whether all of it is test code.
    fn is_test(&self) -> bool {
        let name = self.path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let folder = self.path.components().any(|part| part.as_os_str() == "tests");
        folder || name == "tests" || name.ends_with("_tests")
    }

    /// Whether its first words, attributes aside, are about the whole.
    fn says_what_it_is_for(&self) -> bool {
        let lines = self.text.lines().map(str::trim);
        let mut lines = lines.skip_while(|line| line.is_empty() || line.starts_with("#!["));
        lines.next().is_some_and(|line| line.starts_with("//!"))
    }

    /// The text without comments and test code, its lines where they were.
    fn code(&self) -> String {
        if self.is_test() {
            return String::new();
        }
        let mut code = String::new();
        // The indentation of a `#[cfg(test)]` whose item is being left out.
        let mut skipped: Option<usize> = None;
        for line in self.text.lines() {
            let bare = line.trim();
            let indent = line.len() - line.trim_start().len();
            match skipped {
                None if bare == "#[cfg(test)]" => skipped = Some(indent),
                None => {
                    // A `//` in a string is cut too, which hides no path.
                    code.push_str(line.split("//").next().unwrap_or_default());
                }
                // The item ends with the first line of its own depth that ends something.
                Some(depth)
                    if indent == depth && !bare.starts_with('#') && bare.ends_with(['}', ';']) =>
                {
                    skipped = None;
                }
                Some(_) => {}
            }
            code.push('\n');
        }
        code
    }

    /// The lines of code that contain a text.
    fn lines_with(&self, text: &str) -> Vec<(usize, String)> {
        let code = self.code();
        let lines = code.lines().enumerate().filter(|(_, line)| line.contains(text));
        lines.map(|(index, line)| (index + 1, line.to_owned())).collect()
    }

    /// Every path from the crate's root, with its line. The first part is the room.
    fn arrows(&self) -> Vec<(usize, Vec<String>)> {
        let code = self.code();
        let mut found = Vec::new();
        let mut add = |at: usize, rest: &str| {
            let line = code[..at].matches('\n').count() + 1;
            let mut paths = Vec::new();
            use_tree(rest, &mut Vec::new(), &mut paths);
            found.extend(paths.into_iter().map(|path| (line, path)));
        };
        for (at, _) in code.match_indices("crate::") {
            let whole =
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
            if whole {
                add(at, &code[at + "crate::".len()..]);
            }
        }
        // As many steps up as lead out of the room.
        let is_root = self.path.file_name().is_some_and(|name| name == "mod.rs");
        let depth = self.path.components().count() - if is_root { 2 } else { 1 };
        let climb = "super::".repeat(depth);
        for (at, _) in code.match_indices(&climb) {
            let rest = &code[at + climb.len()..];
            let name: String = rest.chars().take_while(|c| is_ident(*c)).collect();
            let own = self.path.with_file_name(format!("{name}.rs"));
            let own = root().join(own).exists();
            let higher = code[..at].ends_with("super::");
            if !own && !higher && ROOMS.iter().any(|(room, _)| *room == name) {
                add(at, rest);
            }
        }
        found.sort();
        found
    }
}

/// Reads a path or a tree of them, and gives what follows it.
fn use_tree<'a>(text: &'a str, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if rest.is_empty() {
                return rest;
            }
            if let Some(rest) = rest.strip_prefix('}') {
                return rest;
            }
            let next = use_tree(rest, before, found);
            if next.len() == rest.len() {
                return next;
            }
            // Whatever is left of this branch, such as `as Name`.
            rest = next.find([',', '}']).map_or("", |end| &next[end..]);
        }
    }
    let end =
        if text.starts_with('*') { 1 } else { text.find(|c| !is_ident(c)).unwrap_or(text.len()) };
    if end == 0 {
        return text;
    }
    before.push(text[..end].to_owned());
    let rest = &text[end..];
    let rest = match rest.strip_prefix("::") {
        Some(below) if below.starts_with(|c| is_ident(c) || c == '{' || c == '*') => {
            use_tree(below, before, found)
        }
        _ => {
            found.push(before.clone());
            rest
        }
    };
    before.pop();
    rest
}

fn is_ident(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the workspace.
fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root()).unwrap().to_owned();
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}
