//! `[[tool]]`: an operation as an agent may call it.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use tollbridge_operation::{ApiName, Effect, ToolName};

use super::budget::ToolBudget;
use super::decimal::Decimal;
use super::inbound::Scope;
use super::located::{Keyed, Located};
use super::poll::{Poll, PollForm};
use super::recovery::{Fallback, Lookup, Sharing};
use super::redact::{OwnForm, OwnRedact};
use super::safety::Loops;
use super::values::{
    ApiNameSchema, ArgumentPath, ArgumentSchema, DayHours, Literal, Money, Pattern, Period,
    Pointer, PointerSchema, Rate, Selector, Size, ToolNameSchema, WeekDays, Zone,
};

/// `[[tool]]`: an operation that agents may call, within rules.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// The API that has the operation.
    #[schemars(with = "ApiNameSchema")]
    pub api: Located<ApiName>,
    /// The operation: an operationId, `GET /orders/{id}`, or `Service.Port.Operation`.
    pub operation: Located<String>,
    /// The tool's name; by default made from the operation's.
    #[schemars(with = "Option<ToolNameSchema>")]
    pub name: Option<Located<ToolName>>,
    /// A title for people.
    pub title: Option<Located<String>>,
    /// What it does, instead of what the API's description says.
    pub description: Option<Located<String>>,
    /// Arguments that show how it is called, each a table.
    #[serde(default)]
    #[schemars(with = "Vec<ExampleSchema>")]
    pub examples: Vec<Located<Literal>>,
    /// What it may do to the world, where the description does not tell or is wrong.
    #[schemars(with = "Option<EffectSchema>")]
    pub effect: Option<Located<Effect>>,
    /// Who may call it; by default every authenticated identity.
    pub allow: Option<Vec<Located<Selector>>>,
    /// Who may not, whatever `allow` says.
    #[serde(default)]
    pub deny: Vec<Located<Selector>>,
    /// What a caller's token must allow. Callers without a token are not asked for scopes.
    #[serde(default)]
    pub scopes: Vec<Located<Scope>>,
    /// Whether a person must approve each call.
    #[serde(default, deserialize_with = "hold")]
    #[schemars(with = "Option<HoldForm>")]
    pub hold: Option<Located<Hold>>,
    /// When it may be called; by default always.
    pub when: Option<Located<When>>,
    /// How many calls in a sliding window.
    pub calls: Option<Located<Calls>>,
    /// How often an identity may make the same call of it, instead of what `[safety]` says.
    pub loops: Option<Located<Loops>>,
    /// How much of something its calls may use up in a time.
    #[serde(default)]
    pub budget: Vec<Located<ToolBudget>>,
    /// What a call costs its caller.
    pub price: Option<Located<Money>>,
    /// How long a whole call may take, instead of the API's `timeout`.
    pub timeout: Option<Located<Period>>,
    /// Whether doing it twice is the same as doing it once, where method and description
    /// do not say it.
    pub idempotent: Option<Located<bool>>,
    /// How many requests its calls send in a time, beside the limit of the API.
    pub rate_limit: Option<Located<Rate>>,
    /// How many requests of its calls are under way at once.
    pub max_concurrency: Option<Located<NonZeroU32>>,
    /// Whether its answers are kept, instead of what the API's `cache` says.
    pub cache: Option<Located<Sharing>>,
    /// Whether identical calls of it are one request, instead of what the API's `coalesce` says.
    pub coalesce: Option<Located<Sharing>>,
    /// After which time without an answer a read is asked for once more beside the first request;
    /// the first good answer is taken.
    pub hedge: Option<Located<Period>>,
    /// The `[limit_group.NAME]` whose limits hold for it too.
    pub limit_group: Option<Located<String>>,
    /// How much of a rate limit each of its requests takes. By default 1.
    pub cost: Option<Located<NonZeroU32>>,
    /// What stands in for the operation where it cannot answer, in order.
    #[serde(default)]
    pub fallback: Vec<Located<Fallback>>,
    /// Which tool tells what became of a call whose outcome nobody knows.
    pub lookup: Option<Located<Lookup>>,
    /// How answers come in pages, which one call then reads together.
    pub pages: Option<Located<Pages>>,
    /// What is kept out of the trail and out of its answers: arguments, or a table.
    #[serde(default, deserialize_with = "super::redact::own")]
    #[schemars(with = "Option<OwnForm>")]
    pub redact: OwnRedact,
    /// Whether agents say why they call it, in an argument that goes on record and not to the API.
    pub reason: Option<Located<Reason>>,
    /// Whether clients that know tasks may follow its calls as such.
    pub long: Option<Located<bool>>,
    /// Whether, and how, a call that the API took and is not done with is asked after until it is.
    #[serde(default, deserialize_with = "super::poll::poll")]
    #[schemars(with = "Option<PollForm>")]
    pub poll: Option<Located<Poll>>,
    /// What is shown of answers.
    pub shape: Option<Located<Shape>>,
    /// Rules on arguments: by name, or by JSON pointer with `*` for every element.
    #[serde(default)]
    pub args: Keyed<ArgumentPath, Argument>,
}

impl Tool {
    /// An operation with no entry in the file, as if it had one that says nothing.
    pub fn unwritten(api: ApiName, operation: String, name: ToolName) -> Self {
        Self {
            api: Located::nowhere(api),
            operation: Located::nowhere(operation),
            name: Some(Located::nowhere(name)),
            title: None,
            description: None,
            examples: Vec::new(),
            effect: None,
            allow: None,
            deny: Vec::new(),
            scopes: Vec::new(),
            hold: None,
            when: None,
            calls: None,
            loops: None,
            budget: Vec::new(),
            price: None,
            timeout: None,
            idempotent: None,
            rate_limit: None,
            max_concurrency: None,
            cache: None,
            coalesce: None,
            hedge: None,
            limit_group: None,
            cost: None,
            fallback: Vec::new(),
            lookup: None,
            pages: None,
            redact: OwnRedact::default(),
            long: None,
            poll: None,
            shape: None,
            reason: None,
            args: Keyed::default(),
        }
    }
}

/// The JSON Schema of [`Effect`].
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
#[expect(dead_code, reason = "read by schemars only")]
pub(super) enum EffectSchema {
    Read,
    Write,
    Destructive,
}

/// The JSON Schema of an example: a table that is kept as a literal.
struct ExampleSchema;

impl JsonSchema for ExampleSchema {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Example".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "format": "tollbridge-literal"})
    }
}

/// A person must approve.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Whose calls are held; by default everyone's.
    #[serde(default = "everyone")]
    pub identities: Vec<Located<Selector>>,
    /// Until when a held call can be approved and used; by default 10m.
    #[serde(default = "default_expires")]
    pub expires: Located<Period>,
    /// Who is asked: `operator`, at the command line, on the page or by a webhook; `client`, the
    /// person at the caller's own client, where that can ask. By default the operator alone.
    #[serde(default = "default_ask")]
    pub ask: Vec<Located<Ask>>,
    /// Whether another person than the caller must decide.
    #[serde(default)]
    pub four_eyes: Option<Located<bool>>,
    /// For how long a call stays open until somebody decides, before it is answered as held. By
    /// default 50s where the client is asked, else not at all.
    pub wait: Option<Located<Period>>,
}

/// Who may decide on a held call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Ask {
    /// Whoever runs the bridge.
    Operator,
    /// The person at the caller's own client.
    Client,
}

impl Hold {
    /// Whether these are asked.
    pub fn asks(&self, whom: Ask) -> bool {
        self.ask.iter().any(|ask| **ask == whom)
    }

    /// Whether another person than the caller must decide.
    pub fn wants_four_eyes(&self) -> bool {
        self.four_eyes.as_deref().copied().unwrap_or(false)
    }
}

impl Default for Hold {
    fn default() -> Self {
        Self {
            identities: everyone(),
            expires: default_expires(),
            ask: default_ask(),
            four_eyes: None,
            wait: None,
        }
    }
}

fn default_ask() -> Vec<Located<Ask>> {
    vec![Located::nowhere(Ask::Operator)]
}

fn everyone() -> Vec<Located<Selector>> {
    vec![Located::nowhere(Selector::Everyone)]
}

fn default_expires() -> Located<Period> {
    Located::nowhere(Period(Duration::from_mins(10)))
}

/// `hold = true`, or a table.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum HoldForm {
    /// `true`: everyone's calls, for ten minutes.
    Flag(bool),
    /// Whose calls, and for how long.
    Table(Hold),
}

impl<'de> Deserialize<'de> for HoldForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> serde::de::Visitor<'de> for Form {
            type Value = HoldForm;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, or a table")
            }
            fn visit_bool<E>(self, flag: bool) -> Result<HoldForm, E> {
                Ok(HoldForm::Flag(flag))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<HoldForm, A::Error> {
                let table = serde::de::value::MapAccessDeserializer::new(map);
                Hold::deserialize(table).map(HoldForm::Table)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

fn hold<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Located<Hold>>, D::Error> {
    let form = Located::<HoldForm>::deserialize(deserializer)?;
    let span = form.span();
    Ok(match form.into_inner() {
        HoldForm::Flag(false) => None,
        HoldForm::Flag(true) => Some(Located::new(span, Hold::default())),
        HoldForm::Table(hold) => Some(Located::new(span, hold)),
    })
}

/// Whether agents say why they call a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Reason {
    /// They may.
    Optional,
    /// They must.
    Required,
}

/// How many calls in a sliding window.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// How many.
    pub limit: NonZeroU32,
    /// In which time.
    pub per: Located<Period>,
    /// Whose calls are counted together.
    #[serde(default)]
    pub by: CountedBy,
}

/// Whose calls are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum CountedBy {
    /// Each identity's own.
    #[default]
    Identity,
    /// Each group's, over all who are in it. Who is in no group shares one with all such.
    Group,
    /// Each tool's, over all callers.
    Tool,
    /// All calls that are counted, whoever makes them.
    All,
}

/// When a tool may be called.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct When {
    /// On which days; by default on all.
    pub days: Option<Located<WeekDays>>,
    /// At which hours; by default at all. A window over midnight belongs to the day on which it
    /// begins.
    pub hours: Option<Located<DayHours>>,
    /// In which time zone; by default `zone` of `[safety]`.
    pub zone: Option<Located<Zone>>,
}

/// How answers come in pages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// How the next page is asked for.
    pub kind: Located<PageKind>,
    /// The argument that asks for a page (cursor, page, offset): by name or JSON pointer.
    #[schemars(with = "Option<ArgumentSchema>")]
    pub argument: Option<Located<ArgumentPath>>,
    /// Where an answer has the next cursor, or the next page's URL: a JSON pointer.
    #[schemars(with = "Option<PointerSchema>")]
    pub next: Option<Located<Pointer>>,
    /// The number of the first page; by default 1.
    pub start: Option<Located<u32>>,
    /// Where the rows are in an answer: a JSON pointer. By default the answer itself where it
    /// is a list, or its only member that is one.
    #[schemars(with = "Option<PointerSchema>")]
    pub rows: Option<Located<Pointer>>,
    /// Where an answer says whether there is more: a JSON pointer to true or false.
    #[schemars(with = "Option<PointerSchema>")]
    pub more: Option<Located<Pointer>>,
    /// Where an answer says how many rows there are in all: a JSON pointer to a number.
    #[schemars(with = "Option<PointerSchema>")]
    pub total: Option<Located<Pointer>>,
    /// The most pages of one call; by default 10, at most 100.
    pub max_pages: Option<Located<NonZeroU32>>,
    /// From how many rows on no further page is asked for; by default 1000.
    pub max_rows: Option<Located<NonZeroU32>>,
}

/// How the next page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum PageKind {
    /// With a word that the answer gives.
    Cursor,
    /// By its number.
    Page,
    /// By how many rows come before it.
    Offset,
    /// At the URL in the header `Link` with `rel="next"`.
    Link,
    /// At the URL in the answer.
    Url,
}

/// What is shown of answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// What of them, as a JMESPath expression.
    pub select: Option<Located<String>>,
    /// The most rows of a list: of the answer itself, or of each list that is its member.
    pub rows: Option<Located<NonZeroU32>>,
    /// The most bytes of JSON; lists lose rows first.
    pub bytes: Option<Located<Size>>,
}

/// `[tool.args.NAME]`: the rules for one argument.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Argument {
    /// The smallest number that is allowed.
    pub min: Option<Located<Decimal>>,
    /// The largest number that is allowed.
    pub max: Option<Located<Decimal>>,
    /// The values that are allowed.
    #[serde(rename = "enum")]
    pub one_of: Option<Located<Vec<Literal>>>,
    /// A regular expression that text must match: ECMA-262, unanchored.
    pub pattern: Option<Located<Pattern>>,
    /// The longest text, in code points.
    pub max_length: Option<Located<u32>>,
    /// Whether it must be given.
    pub required: Option<Located<bool>>,
    /// Whether agents do not see it.
    pub hide: Option<Located<bool>>,
    /// Its value in every call; agents do not see it.
    pub fixed: Option<Located<Literal>>,
    /// Its value where a call does not give one.
    pub default: Option<Located<Literal>>,
    /// The name under which agents see it.
    pub rename: Option<Located<String>>,
    /// What it is, instead of what the API's description says.
    pub description: Option<Located<String>>,
}
