//! What is kept back of each tool's calls, from what `[redact]`, its API and its own entry say.
//!
//! Places add up: whoever names one at any of the three wants it kept back. Of what else is said
//! the nearest counts. A place that a tool's own entry names and that no call of it can have is
//! reported, and so is one that none of the tools has for which it was named.

use std::sync::Arc;

use super::exposed::pointer;
use super::secrets::Resolved;
use crate::config::{
    self, Api, ArgumentPath, Config, Detect, Diagnostic, Diagnostics, How, Located, OwnRedact,
    codes,
};
use crate::gateway::protection::{Places, Protection};
use crate::gateway::toolbox::Exposed;
use crate::secret::{Detectors, Instead, Redactor, Rules, Secret};
use crate::tools::{AnswerPlace, ArgumentPointer, RuleError, Tool};

/// What is kept back where nobody says otherwise, and how that becomes a tool's own.
pub(super) struct Protections<'a> {
    config: &'a Config,
    /// With what hashes are keyed.
    key: Option<Secret>,
    /// The secrets of the configuration.
    known: Arc<Redactor>,
    usual: Form,
    trail: Arc<Redactor>,
}

/// What is told by its form, and what stands in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Form {
    detectors: Detectors,
    how: How,
}

impl<'a> Protections<'a> {
    pub(super) fn new(config: &'a Config, resolved: &Resolved, known: Arc<Redactor>) -> Self {
        let redact = &config.redact;
        let detectors = match &redact.detect {
            Some(listed) => detectors(listed),
            None => Detectors { secrets: true, ..Detectors::default() },
        };
        let usual = Form { detectors, how: redact.how.as_deref().copied().unwrap_or_default() };
        // A word in the key's place would make hashes that nothing matches.
        let key = redact.key.as_ref().and_then(|key| resolved.own(key));
        let trail = Arc::new(known.with_rules(rules(usual, key.as_ref())));
        Self { config, key, known, usual, trail }
    }

    /// What is taken out of what belongs to no tool.
    pub(super) fn trail(&self) -> Arc<Redactor> {
        Arc::clone(&self.trail)
    }

    /// What is kept back of a tool's calls. What its own entry names and it does not have is
    /// reported.
    pub(super) fn of(
        &self,
        api: &Api,
        entry: &config::Tool,
        tool: &Tool,
        found: &mut Diagnostics,
    ) -> Protection {
        let redact = &self.config.redact;
        let layers = [&entry.redact, &api.redact];
        let form = self.form(&layers);
        let rules = rules(form, self.key.as_ref());
        let answers = layers.iter().find_map(|own| own.answers).unwrap_or(redact.answers);
        let mut check = Check { config: self.config, tool, found };
        let arguments = layers.iter().flat_map(|own| &own.fields).chain(&redact.fields);
        let answer = layers.iter().flat_map(|own| &own.answer_fields).chain(&redact.answer_fields);
        let (arguments, answer) = (check.read(arguments), check.read(answer));
        check.own(&entry.redact);
        Protection {
            arguments: Places { pointers: arguments, instead: rules.instead.clone() },
            answer: Places { pointers: answer, instead: rules.instead.clone() },
            trail: if form == self.usual {
                self.trail()
            } else {
                Arc::new(self.known.with_rules(rules.clone()))
            },
            answers: (answers && !form.detectors.is_empty())
                .then(|| Arc::new(Redactor::default().with_rules(rules))),
        }
    }

    /// What nobody is shown of an answer of this API that stands in for another one's.
    pub(super) fn of_substitute(&self, api: &Api) -> Places {
        let places = api.redact.answer_fields.iter().chain(&self.config.redact.answer_fields);
        // One that is none was reported for the tool.
        let pointers = places.filter_map(|path| pointer(path).ok()).collect();
        Places { pointers, instead: rules(self.form(&[&api.redact]), self.key.as_ref()).instead }
    }

    fn form(&self, layers: &[&OwnRedact]) -> Form {
        let listed = layers.iter().find_map(|own| own.detect.as_deref());
        let how = layers.iter().find_map(|own| own.how.as_deref());
        Form {
            detectors: listed.map_or(self.usual.detectors, detectors),
            how: how.map_or(self.usual.how, |how| *how),
        }
    }
}

fn rules(form: Form, key: Option<&Secret>) -> Rules {
    let instead = match (form.how, key) {
        (How::Hash, Some(key)) => Instead::hash(key),
        // That a hash has no key was reported, and where secrets are not resolved nobody has it.
        _ => Instead::Mask,
    };
    Rules { detectors: form.detectors, instead }
}

fn detectors(listed: &[Located<Detect>]) -> Detectors {
    let has = |what: Detect| listed.iter().any(|one| **one == what);
    Detectors {
        secrets: has(Detect::Secrets),
        cards: has(Detect::Cards),
        ibans: has(Detect::Ibans),
        emails: has(Detect::Emails),
    }
}

/// Reports what `[redact]` and the APIs name and none of their tools has: a misspelled place keeps
/// nothing back.
pub(super) fn idle(config: &Config, exposed: &[Exposed], found: &mut Diagnostics) {
    let of_apis = config.apis.iter().map(|(name, api)| {
        let tools = exposed.iter().filter(|one| one.rules.api == **name);
        (
            tools.map(|one| &*one.tool).collect::<Vec<_>>(),
            &api.redact.fields,
            &api.redact.answer_fields,
        )
    });
    let redact = &config.redact;
    let all = exposed.iter().map(|one| &*one.tool).collect();
    let of_all = std::iter::once((all, &redact.fields, &redact.answer_fields));
    for (tools, fields, answer_fields) in of_apis.chain(of_all) {
        if tools.is_empty() {
            continue;
        }
        for path in fields {
            let Ok(pointer) = pointer(path) else { continue };
            if tools.iter().all(|tool| tool.argument_place(&pointer).is_err()) {
                let message = format!("no tool that this is about has an argument `{pointer}`");
                let diagnostic = Diagnostic::warning(codes::UNPROTECTED, &config.file, message);
                found.push(diagnostic.at(path.span()).label("nothing is kept back by this"));
            }
        }
        for path in answer_fields {
            let Ok(pointer) = pointer(path) else { continue };
            let places = tools.iter().map(|tool| tool.answer_place(&pointer));
            let mut others = places.filter(|place| *place != AnswerPlace::Unknown).peekable();
            // Of answers that nothing describes nobody can tell; where there are others, a place that
            // none of them has is most likely misspelled.
            if others.peek().is_some() && others.all(|place| place != AnswerPlace::Described) {
                let message = format!("no answer that is described has `{pointer}`");
                let diagnostic = Diagnostic::warning(codes::UNPROTECTED, &config.file, message);
                let help = "where an answer has it that is not described, name it at that tool";
                let label = "nothing is kept back by this";
                found.push(diagnostic.at(path.span()).label(label).help(help));
            }
        }
    }
}

/// The places that a tool has.
struct Check<'a> {
    config: &'a Config,
    tool: &'a Tool,
    found: &'a mut Diagnostics,
}

impl Check<'_> {
    /// The places; what is too deep to be one is reported.
    fn read<'p>(
        &mut self,
        paths: impl Iterator<Item = &'p Located<ArgumentPath>>,
    ) -> Vec<ArgumentPointer> {
        let mut pointers = Vec::new();
        for path in paths {
            match pointer(path) {
                Ok(pointer) => pointers.push(pointer),
                // Once for all tools that it is about.
                Err(_) if self.found.has(codes::ARGUMENT_RULE, &path.span()) => {}
                Err(message) => {
                    let file = &self.config.file;
                    let diagnostic = Diagnostic::error(codes::ARGUMENT_RULE, file, message);
                    self.found.push(diagnostic.at(path.span()));
                }
            }
        }
        pointers
    }

    fn own(&mut self, own: &OwnRedact) {
        let (tool, file) = (self.tool, &self.config.file);
        for path in &own.fields {
            let Ok(pointer) = pointer(path) else { continue };
            if let Err(error) = tool.argument_place(&pointer) {
                let message = format!("`{}` has no argument `{pointer}`", tool.name);
                let diagnostic = Diagnostic::error(codes::UNKNOWN_ARGUMENT, file, message);
                self.found.push(diagnostic.at(path.span()).help(RuleError::help(&error)));
            }
        }
        for path in &own.answer_fields {
            let Ok(pointer) = pointer(path) else { continue };
            if let AnswerPlace::Undescribed { suggestion, known } = tool.answer_place(&pointer) {
                let message = format!(
                    "the description of `{}` has nothing at `{pointer}` of its answers",
                    tool.name
                );
                let help = match suggestion {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => "there is nothing to go into there".to_owned(),
                    None => format!("there are {}", known.join(", ")),
                };
                let diagnostic = Diagnostic::warning(codes::SHAPE, file, message);
                let label = "where the API keeps to it, nothing is kept back by this";
                self.found.push(diagnostic.at(path.span()).label(label).help(help));
            }
        }
    }
}
