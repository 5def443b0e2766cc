//! A tool: an operation as an agent sees it, with everything compiled that can be before the
//! first call, but for validators of which it is certain that they can be made: those are made
//! at the first call, since of a large API few tools are ever called.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value, json};
use tollbridge_operation::{
    Arguments, Drift, Effect, EffectSource, Operation, Schema, ToolName, Warning, digest_bytes,
};

use super::answer::{AnswerShape, Shaped};
use super::known::Known;
use super::limits::{LimitBroken, Limits};
use super::lint::{self, LintFinding};
use super::output;
use super::pages::PageRule;
use super::portable::LONGEST_DESCRIPTION;
use super::profile::{Profile, publish};
use super::published::Published;
use super::reason::{Reason, ReasonRule};
use super::rule::{ArgumentRule, RuleError};
use super::shape::{self, Shape};
use super::suspicion::{self, Suspicion};
use super::validate::{ArgumentValidator, OutputValidator, REPORTED, Violation};
use super::{text, tokens};

/// The longest title, in characters.
const LONGEST_TITLE: usize = 80;

/// What a tool is made of.
#[derive(Debug)]
pub struct ToolSpec<'a> {
    /// Its name.
    pub name: ToolName,
    /// Its title, instead of the operation's summary.
    pub title: Option<&'a str>,
    /// Its description, instead of the operation's.
    pub description: Option<&'a str>,
    /// Its effect, where the user knows it better than the description.
    pub effect: Option<Effect>,
    /// Whether it is idempotent, likewise.
    pub idempotent: Option<bool>,
    /// The rules for its arguments.
    pub rules: &'a [ArgumentRule],
    /// Arguments of example calls, under the agent's names.
    pub examples: &'a [Map<String, Value>],
    /// Whether agents say why they call it; `None` where they are not asked.
    pub reason: Option<ReasonRule>,
    /// What the clients make of its schema.
    pub profile: Profile,
    /// What it does.
    pub operation: Arc<Operation>,
}

/// What a client is told of a tool's behaviour (MCP, `ToolAnnotations`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "the protocol has four independent hints")]
pub struct Annotations {
    /// It changes nothing.
    pub read_only: bool,
    /// It removes something, or changes it in a way that cannot be taken back.
    pub destructive: bool,
    /// Doing it twice is the same as doing it once.
    pub idempotent: bool,
    /// It reaches systems outside of this one: every API does.
    pub open_world: bool,
}

/// An operation as an agent sees it.
#[derive(Debug)]
pub struct Tool {
    /// Its name.
    pub name: ToolName,
    /// Its title for people.
    pub title: String,
    /// What it does, at most 1,024 characters, the purpose first.
    pub description: String,
    /// The operation, with the effect and idempotence that hold for this tool.
    pub operation: Arc<Operation>,
    /// The published input schema.
    pub input: Published,
    /// The published output schema, which binds nothing.
    pub output: Option<Published>,
    /// Its behaviour.
    pub annotations: Annotations,
    /// The limits on its arguments.
    pub limits: Limits,
    /// Whether its title and description are the operation's.
    is_plain: bool,
    pub(super) rules: Box<[ArgumentRule]>,
    validator: OnceLock<Result<ArgumentValidator, String>>,
    output_validator: OnceLock<Option<OutputValidator>>,
    shape: Shape,
    input_findings: Vec<LintFinding>,
    answer: AnswerShape,
    pages: Option<PageRule>,
    reason: Option<Reason>,
}

impl Tool {
    /// Compiles a tool. Warnings are about the operation's own schemas.
    pub fn compile(spec: ToolSpec<'_>) -> Result<(Self, Vec<Warning>), Vec<RuleError>> {
        Self::compile_with(spec, &mut Known::default())
    }

    /// The same for one tool of many: what is known of what they share is used, and added to.
    pub fn compile_with(
        spec: ToolSpec<'_>,
        known: &mut Known,
    ) -> Result<(Self, Vec<Warning>), Vec<RuleError>> {
        let operation = with_overrides(&spec);
        let mut limits = Limits::default();
        let mut shape = Shape::default();
        let (mut judged, mut shown) = (operation.input.clone(), operation.input.clone());
        if !spec.rules.is_empty() {
            let compiled = shape::compile(&operation.input.to_value(), spec.rules)?;
            (judged, shown) = (Schema::new(compiled.judged), Schema::new(compiled.shown));
            (limits, shape) = (compiled.limits, compiled.shape);
        }
        let mut warnings = Vec::new();
        let validator = OnceLock::new();
        if !known.is_sound(&judged) {
            let (made, found) = ArgumentValidator::new(judged)
                .map_err(|reason| vec![RuleError::UnusableSchema { reason }])?;
            warnings = found;
            validator.get_or_init(|| Ok(made));
        }
        let output_validator = OnceLock::new();
        if let Some(schema) = &operation.output
            && !known.is_sound(schema)
        {
            let (made, found) = OutputValidator::new(schema.clone());
            warnings.extend(found);
            output_validator.get_or_init(|| made);
        }
        let reason = spec.reason.map(|rule| Reason::beside(&shown, rule));
        if let Some(reason) = &reason {
            shown = reason.added_to(&shown);
        }
        let (input, input_findings) = publish(&shown, spec.examples, spec.profile, known);
        let output = operation.output.as_ref().map(|full| known.answer(full));
        let annotations = Annotations {
            read_only: operation.effect == Effect::Read,
            destructive: operation.effect == Effect::Destructive,
            idempotent: operation.idempotent || operation.effect == Effect::Read,
            open_world: true,
        };
        let tool = Self {
            title: title(&spec, &operation),
            description: description(&spec, &operation),
            input,
            output,
            annotations,
            limits,
            is_plain: spec.title.is_none() && spec.description.is_none(),
            rules: spec.rules.into(),
            validator,
            output_validator,
            shape,
            input_findings,
            answer: AnswerShape::default(),
            pages: None,
            reason,
            name: spec.name,
            operation,
        };
        tool.check_examples(spec.examples)?;
        Ok((tool, warnings))
    }

    /// Makes the validators, which otherwise wait for the first call. An error is a defect of
    /// ours: they were expected to compile.
    pub fn prepare(&self) -> Result<(), String> {
        self.output_judge();
        self.judge().as_ref().map(drop).map_err(Clone::clone)
    }

    fn judge(&self) -> &Result<ArgumentValidator, String> {
        self.validator.get_or_init(|| {
            let judged = Schema::new(self.judged_input());
            ArgumentValidator::new(judged).map(|(validator, _)| validator)
        })
    }

    fn output_judge(&self) -> Option<&OutputValidator> {
        let made = self.output_validator.get_or_init(|| {
            let schema = self.operation.output.clone()?;
            OutputValidator::new(schema).0
        });
        made.as_ref()
    }

    /// The tool with a shape for its answers, which its published output schema then describes.
    #[must_use]
    pub fn with_answers(mut self, shape: AnswerShape) -> Self {
        if shape.select.is_some()
            && let Some(full) = &self.operation.output
        {
            self.output = Some(output::publish(&shape.schema(full)));
        }
        self.answer = shape;
        self
    }

    /// The tool with answers that nothing describes: no schema of them is published, and none
    /// judges them.
    #[must_use]
    pub fn undescribed(mut self) -> Self {
        self.output = None;
        self.output_validator = OnceLock::from(None);
        self
    }

    /// The tool with answers that come in pages. An error names an argument of the rule's that
    /// the operation does not have.
    pub fn with_pages(mut self, rule: Option<PageRule>) -> Result<Self, RuleError> {
        if let Some(argument) = rule.as_ref().and_then(PageRule::argument) {
            shape::check_place(&self.operation.input.to_value(), argument)?;
        }
        self.pages = rule;
        Ok(self)
    }

    /// The argument in which agents say why they call it, where it has one. It is none of the
    /// operation's: [`Tool::arguments`] knows nothing of it.
    pub fn reason(&self) -> Option<&Reason> {
        self.reason.as_ref()
    }

    /// How its answers come in pages, where they do.
    pub fn pages(&self) -> Option<&PageRule> {
        self.pages.as_ref()
    }

    /// The name by which an agent may give an operation's argument; `None` where it may not.
    pub fn shown_argument(&self, name: &str) -> Option<String> {
        let pointer = if name.starts_with('/') { name.to_owned() } else { format!("/{name}") };
        let shown = self.shown_pointer(&pointer);
        let name = shown.strip_prefix('/').unwrap_or(&shown);
        let input = self.input.to_map();
        let given = input.get("properties").and_then(|known| known.get(name.split('/').next()?));
        given.map(|_| if name.contains('/') { shown.clone() } else { name.to_owned() })
    }

    /// An answer as the agent is to see it.
    pub fn shape_answer(&self, value: Value) -> Shaped {
        self.answer.apply(value)
    }

    /// Whether the agent sees only what is selected of an answer.
    pub fn selects(&self) -> bool {
        self.answer.select.is_some()
    }

    /// An example that would be refused teaches a model to be refused.
    fn check_examples(&self, examples: &[Map<String, Value>]) -> Result<(), Vec<RuleError>> {
        let mut errors = Vec::new();
        for (index, example) in examples.iter().enumerate() {
            let mut given = example.clone();
            let unreasoned = self.reason.as_ref().and_then(|reason| {
                let said = reason.take(&mut given);
                reason.check(said.as_ref())
            });
            let found = match (self.arguments(&given), unreasoned) {
                (Err(violations), _) => {
                    violations.into_iter().map(|v| (v.pointer, v.expected)).next()
                }
                (Ok(_), Some(unreasoned)) => Some((unreasoned.pointer, unreasoned.expected)),
                (Ok(arguments), None) => {
                    let broken = self.check_limits(&arguments);
                    broken.into_iter().map(|b| (b.pointer, b.message)).next()
                }
            };
            if let Some((pointer, expected)) = found {
                errors.push(RuleError::UnfitExample { index, pointer, expected });
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The full schema of its arguments under the agent's names, without limits.
    pub fn judged_input(&self) -> Value {
        if let Some(Ok(made)) = self.validator.get() {
            return made.schema().clone();
        }
        let full = self.operation.input.to_value();
        if self.rules.is_empty() {
            return full;
        }
        // They were compiled with this schema before.
        shape::compile(&full, &self.rules).map_or(Value::Bool(false), |compiled| compiled.judged)
    }

    /// A JSON pointer into the operation's arguments, under the names that the agent knows:
    /// for what the binding says of arguments that it cannot send.
    pub fn shown_pointer(&self, pointer: &str) -> String {
        self.shape.shown_pointer(pointer)
    }

    /// The operation's arguments from those that an agent gives: judged, names mapped back,
    /// fixed and default values put in. At most five places are reported.
    pub fn arguments(&self, given: &Map<String, Value>) -> Result<Arguments, Vec<Violation>> {
        let mut found = self.shape.trespasses(&Value::Object(given.clone()));
        let violations = match self.judge() {
            Ok(validator) => validator.violations(given),
            Err(reason) => vec![Violation {
                pointer: String::new(),
                expected: format!("nothing: arguments cannot be judged ({reason})"),
                suggestion: None,
            }],
        };
        for violation in violations {
            if found.len() < REPORTED && found.iter().all(|f| f.pointer != violation.pointer) {
                found.push(violation);
            }
        }
        if !found.is_empty() {
            return Err(found);
        }
        self.shape.apply(given.clone()).map(Arguments).map_err(|violation| vec![violation])
    }

    /// Whether it is the operation as its description has it: nothing of its texts, arguments or
    /// answers is the configuration's.
    pub fn is_unchanged(&self) -> bool {
        let own = self.is_plain && self.rules.is_empty() && !self.selects();
        own && self.reason.is_none()
    }

    /// Whether the operation has arguments that an agent does not see.
    pub fn hides_arguments(&self) -> bool {
        self.shape.hides()
    }

    /// The operation's arguments as far as they are an agent's: names mapped back and defaults
    /// put in, without what is fixed. They are not judged.
    pub fn given_arguments(&self, given: &Map<String, Value>) -> Arguments {
        Arguments(self.shape.given(given.clone()))
    }

    /// Arguments of the operation as an agent may give them: under its names, without those that
    /// it may not.
    pub fn shown_arguments<'a>(&self, arguments: &'a Arguments) -> Cow<'a, Map<String, Value>> {
        self.shape.shown(&arguments.0)
    }

    /// The limits that the operation's arguments break, as [`Tool::arguments`] made them.
    pub fn check_limits(&self, arguments: &Arguments) -> Vec<LimitBroken> {
        self.limits.check(arguments)
    }

    /// Whether a limit is on a value of some kind, in arguments as [`Tool::arguments`] made them.
    pub fn limits_read(&self, arguments: &Arguments, kind: impl Fn(&Value) -> bool) -> bool {
        self.limits.read(arguments, kind)
    }

    /// Where an answer leaves the operation's description, at most five places.
    pub fn drift(&self, value: &Value) -> Vec<Drift> {
        self.output_judge().map(|judge| judge.drift(value)).unwrap_or_default()
    }

    /// The tool as it is listed.
    pub fn view(&self) -> Value {
        let mut view = json!({
            "name": self.name.as_str(),
            "title": self.title,
            "description": self.description,
            "inputSchema": self.input.to_map(),
        });
        if let Some(output) = &self.output {
            view["outputSchema"] = Value::Object(output.to_map());
        }
        view["annotations"] = json!({
            "readOnlyHint": self.annotations.read_only,
            "destructiveHint": self.annotations.destructive,
            "idempotentHint": self.annotations.idempotent,
            "openWorldHint": self.annotations.open_world,
        });
        view
    }

    /// Equal for tools that are listed alike.
    pub fn digest(&self) -> String {
        let Annotations { read_only, destructive, idempotent, open_world } = self.annotations;
        let listed = json!([
            self.name.as_str(),
            self.title,
            self.description,
            self.input.digest(),
            self.output.as_ref().map(Published::digest),
            [read_only, destructive, idempotent, open_world],
        ]);
        digest_bytes(listed.to_string().as_bytes())
    }

    /// What the tool costs in a model's context, counted anew on every call.
    pub fn tokens(&self) -> u32 {
        tokens::count(&self.view().to_string())
    }

    /// What in the operation's description may be meant to mislead.
    pub fn suspicions(&self, known: &mut Known) -> Vec<Suspicion> {
        suspicion::suspicions(&self.operation, known)
    }

    /// What clients are known to refuse in the tool.
    pub fn lint(&self) -> Vec<LintFinding> {
        let mut found = lint::words(self.name.as_str(), &self.description);
        found.extend(self.input_findings.iter().cloned());
        found
    }
}

fn with_overrides(spec: &ToolSpec<'_>) -> Arc<Operation> {
    let mut operation = Arc::clone(&spec.operation);
    if spec.effect.is_none() && spec.idempotent.is_none() {
        return operation;
    }
    let changed = Arc::make_mut(&mut operation);
    if let Some(effect) = spec.effect {
        changed.effect = effect;
        changed.effect_source = EffectSource::Set;
    }
    if let Some(idempotent) = spec.idempotent {
        changed.idempotent = idempotent;
    }
    operation
}

fn title(spec: &ToolSpec<'_>, operation: &Operation) -> String {
    let said = match (spec.title, &operation.summary) {
        (Some(title), _) => text::clean_line(title),
        (None, Some(summary)) => text::first_sentence(summary),
        (None, None) => String::new(),
    };
    if !said.is_empty() {
        return text::cut(&said, LONGEST_TITLE);
    }
    let words = spec.name.as_str().replace('_', " ");
    let words = words.trim();
    words.get(..1).map_or_else(
        || spec.name.to_string(),
        |first| first.to_ascii_uppercase() + words.get(1..).unwrap_or_default(),
    )
}

/// The purpose first: the summary, then what the description adds to it.
fn description(spec: &ToolSpec<'_>, operation: &Operation) -> String {
    let said = if let Some(description) = spec.description {
        text::clean(description)
    } else {
        let summary = operation.summary.as_deref().map(text::said).unwrap_or_default();
        let more = operation.description.as_deref().map(text::said).unwrap_or_default();
        let purpose = summary.trim_end_matches('.');
        if more.starts_with(purpose) {
            more
        } else if more.is_empty() {
            summary
        } else {
            format!("{purpose}.\n\n{more}")
        }
    };
    let said = match (said.is_empty(), &operation.endpoint) {
        (false, _) => said,
        (true, Some(endpoint)) => {
            format!("{} {}", endpoint.method, text::clean_line(&endpoint.path))
        }
        (true, None) => format!("{}.", text::clean_line(operation.id.key.as_str())),
    };
    // A warning that is cut off warns nobody.
    let note =
        if operation.deprecated && spec.description.is_none() { " (Deprecated.)" } else { "" };
    text::cut(&said, LONGEST_DESCRIPTION - note.len()) + note
}

#[cfg(test)]
#[path = "tool_tests.rs"]
mod tests;
