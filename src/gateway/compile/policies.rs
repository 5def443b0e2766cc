//! The policies of a configuration: those of its tools' entries, and those of its files.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tollbridge_operation::ToolName;
use tollbridge_policy::{Entry, Finding, Problem, STACK, Severity, Site, Source, ToolRules};

use super::exposed::Findable;
use crate::config::{Config, Diagnostic, Diagnostics, Located, Selector, SourceFile, codes};
use crate::gateway::toolbox::Exposed;
use crate::safety::{Engine, ToolDef};

/// A policy file is no longer than that.
const MAX_BYTES: u64 = 1 << 20;

/// There are no more files than that.
const MAX_FILES: usize = 1_000;

/// Compiles the policies. What is wrong with them is reported at its place in its file.
pub(super) fn compile(
    config: &Config,
    exposed: &[Exposed],
    findable: Option<&Findable>,
    watched: &mut Vec<PathBuf>,
    found: &mut Diagnostics,
) -> Option<Arc<Engine>> {
    let mut sources = Vec::new();
    for pattern in &config.safety.policies {
        read(config, pattern, &mut sources, watched, found);
    }
    unread(config, &sources, found);
    let zone = config.safety.zone.as_ref().map(|zone| &zone.0);
    let (engine, problems) = engine(exposed, findable, &sources, zone);
    let files: Vec<Arc<SourceFile>> = sources
        .iter()
        .map(|source| {
            Arc::new(SourceFile::new(source.path.clone(), source.text.as_str(), Vec::new()))
        })
        .collect();
    for problem in problems {
        let span = problem.entry.map(|entry| span_of(config, findable, entry));
        found.push(diagnostic(config, &files, span, problem));
    }
    // A `forbid` about a group that nobody can be in would forbid nothing.
    for (group, site) in engine.iter().flat_map(Engine::groups) {
        let file = site.source.and_then(|index| files.get(index)).unwrap_or(&config.file);
        found.extend(config.nobody_in(&group, file, site.span));
    }
    engine.map(Arc::new)
}

/// The engine of these tools by their own rules alone.
pub(in crate::gateway) fn without_files(exposed: &[Exposed]) -> Option<Engine> {
    engine(exposed, None, &[], None).0
}

/// The engine of these tools, in their order.
fn engine(
    exposed: &[Exposed],
    findable: Option<&Findable>,
    sources: &[Source],
    zone: Option<&jiff::tz::TimeZone>,
) -> (Option<Engine>, Vec<Problem>) {
    let mut tools: Vec<ToolDef> = exposed.iter().map(definition).collect();
    let mut finding = Finding::default();
    if let Some(findable) = findable {
        finding = Finding { lists: &findable.lists, operations: &findable.operations };
        for (at, one) in findable.operations.iter().enumerate() {
            for place in &findable.places[at] {
                let tool = &mut tools[*place];
                tool.found = (tool.name == one.operation.name).then_some(at);
            }
        }
    }
    let input = |index: usize| exposed[index].tool.judged_input();
    let compile = || Engine::compile_finding(&tools, finding, &input, sources, zone);
    // What is too deep for any stack is refused; what is not takes more of it than there is here.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, compile);
        thread.ok().and_then(|thread| thread.join().ok()).unwrap_or_else(|| {
            let problem = Problem {
                severity: Severity::Error,
                site: Site { source: None, span: 0..0 },
                entry: None,
                message:
                    "the policies cannot be compiled: a thread for it did not begin, or not end"
                        .to_owned(),
                help: None,
            };
            (None, vec![problem])
        })
    })
}

/// An operation that may be found, under its id. What it does is what its first tool says.
pub(super) fn found(exposed: &Exposed, id: &ToolName) -> ToolDef {
    ToolDef { name: id.to_string(), rules: ToolRules::default(), ..definition(exposed) }
}

fn definition(exposed: &Exposed) -> ToolDef {
    let operation = &exposed.tool.operation;
    ToolDef {
        name: exposed.tool.name.to_string(),
        api: operation.id.api.to_string(),
        operation: operation.id.key.to_string(),
        effect: operation.effect,
        idempotent: operation.idempotent,
        tags: operation.tags.clone(),
        rules: exposed.rules.policies(),
        found: None,
    }
}

/// Where an entry stands in the configuration. Each tool that was made has its own: policies are
/// compiled where nothing is wrong with the tools.
fn span_of(config: &Config, findable: Option<&Findable>, entry: Entry) -> Range<usize> {
    let first = |list: &[Located<Selector>]| list.first().map(Located::span);
    let place = match entry {
        Entry::Tool { tool, key } => config.tools.get(tool).map(|tool| {
            let written = match key {
                "allow" => tool.allow.as_deref().and_then(first),
                "deny" => first(&tool.deny),
                "hold" => tool.hold.as_ref().map(Located::span),
                "when" => tool.when.as_ref().map(Located::span),
                _ => None,
            };
            written.unwrap_or_else(|| tool.operation.span())
        }),
        Entry::List(list) => {
            findable.and_then(|findable| findable.lists.get(list)).and_then(|list| {
                let mut apis = config.apis.iter();
                apis.find(|(name, _)| name.as_str() == list.api)
                    .and_then(|(_, api)| first(&api.discover))
            })
        }
    };
    place.unwrap_or(0..0)
}

fn diagnostic(
    config: &Config,
    files: &[Arc<SourceFile>],
    entry: Option<Range<usize>>,
    problem: Problem,
) -> Diagnostic {
    let file = problem.site.source.and_then(|index| files.get(index)).unwrap_or(&config.file);
    let made = match problem.severity {
        Severity::Error => Diagnostic::error(codes::POLICY, file, problem.message),
        Severity::Warning => Diagnostic::warning(codes::POLICY, file, problem.message),
    };
    Diagnostic { help: problem.help, ..made.at(entry.unwrap_or(problem.site.span)) }
}

/// Reads the files of one entry of `policies`. Where there is none the policies are missing, and
/// nothing is served without them.
fn read(
    config: &Config,
    pattern: &Located<String>,
    sources: &mut Vec<Source>,
    watched: &mut Vec<PathBuf>,
    found: &mut Diagnostics,
) {
    let mut refuse = |message: String, help: &str| {
        found.push(
            Diagnostic::error(codes::POLICY, &config.file, message).at(pattern.span()).help(help),
        );
    };
    let (folder, name) = match pattern.rsplit_once('/') {
        Some((folder, name)) => (config.dir.join(folder), name),
        None => (config.dir.clone(), pattern.as_str()),
    };
    if folder.to_string_lossy().contains('*') {
        let help = "`*` may stand in the name of the file, not in that of a folder";
        return refuse("`policies` has a `*` in a folder".to_owned(), help);
    }
    let paths = if name.contains('*') {
        // A file that comes later makes its folder another one.
        watched.push(folder.clone());
        matching(&folder, name)
    } else {
        vec![folder.join(name)]
    };
    if paths.is_empty() {
        let help = "paths are relative to this file; without its policies nothing is served";
        return refuse(format!("`{}` matches no file", **pattern), help);
    }
    for path in paths {
        watched.push(path.clone());
        if sources.iter().any(|source| Path::new(&source.path) == path) {
            continue;
        }
        if sources.len() >= MAX_FILES {
            return refuse("there are more than 1000 policy files".to_owned(), "name fewer");
        }
        match text(&path) {
            Ok(text) => sources.push(Source { path: path.display().to_string(), text }),
            Err(why) => {
                let message = format!("the policy file {} cannot be read: {why}", path.display());
                refuse(message, "paths are relative to this file");
            }
        }
    }
}

/// Warns of policy files where they usually are that no entry of `policies` names: they were meant,
/// and decide nothing.
fn unread(config: &Config, sources: &[Source], found: &mut Diagnostics) {
    let is_read = |path: &PathBuf| sources.iter().any(|one| Path::new(&one.path) == path);
    let unread = matching(&config.dir.join("policies"), "*.cedar");
    let mut unread = unread.into_iter().filter(|path| !is_read(path));
    let Some(first) = unread.next() else { return };
    let name = first.file_name().unwrap_or_default().display();
    let more = match unread.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message =
        format!("`policies/{name}`{more} beside this file decides nothing: nobody names it");
    let help = "`[safety] policies = [\"policies/*.cedar\"]` names all of them";
    let warning = Diagnostic::warning(codes::POLICY, &config.file, message);
    found.push(warning.help(help));
}

fn text(path: &Path) -> Result<String, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > MAX_BYTES {
        return Err("it is longer than 1 MiB".to_owned());
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// The files of a folder whose names match, in order.
fn matching(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            // Editors keep their own files beside a file, with a dot before the name.
            name.is_some_and(|name| !name.starts_with('.') && matches(pattern, name))
                && path.is_file()
        })
        .collect();
    paths.sort();
    paths
}

/// Whether a name is what a pattern with `*` says.
fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use tollbridge_policy::Site;

    use super::*;

    #[test]
    fn a_rule_that_could_not_be_made_is_an_error_at_its_line() {
        let text = "[api.shop]\nspec = \"shop.yaml\"\n\
                    [[tool]]\napi = \"shop\"\noperation = \"a\"\n\
                    [[tool]]\napi = \"shop\"\noperation = \"b\"\nallow = [\n  \"bob\"]\n\
                    deny = [\"eve\"]\nhold = true\n\
                    when = { days = \"mon-fri\", zone = \"Europe/Berlin\" }\n";
        let parsed = crate::config::parse(Path::new("tools.toml"), text.to_owned());
        let (config, _) = parsed.unwrap_or_else(|wrong| panic!("{wrong}"));
        for (tool, key, line) in
            [(1, "allow", 10), (1, "deny", 11), (1, "hold", 12), (1, "when", 13), (0, "allow", 5)]
        {
            let problem = Problem {
                severity: Severity::Error,
                site: Site { source: None, span: 0..0 },
                entry: Some(Entry::Tool { tool, key }),
                message: format!("`{key}` cannot be made a policy"),
                help: None,
            };
            let span = problem.entry.map(|entry| span_of(&config, None, entry));
            let told = diagnostic(&config, &[], span, problem);
            let mut all = Diagnostics::new();
            all.push(told);
            assert!(all.has_errors(), "nothing is served");
            let told = all.to_string();
            assert!(told.contains(&format!("tools.toml:{line}:")), "{told}");
            assert!(told.contains(&format!("`{key}` cannot be made a policy")), "{told}");
        }
    }

    #[test]
    fn a_star_is_any_piece_of_a_name() {
        let table = [
            ("*.cedar", "a.cedar", true),
            ("*.cedar", ".cedar", true),
            ("*.cedar", "a.cedar.bak", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "abc", true),
            ("a*a", "a", false),
            ("a.cedar", "a.cedar", true),
            ("a.cedar", "b.cedar", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
