//! Deciding on held calls: yes, no, or yes with other arguments. A decision and its event go down in
//! one commit, with or without a server running; the call itself is run by its repeat.
//!
//! Who decides is a name, as sure as the way that it came: `operator:USER` is whoever may write the
//! store, `operator:NAME` with an approver's key is whoever has the key, `client:IDENTITY` is the
//! person at the caller's own client. Where a hold wants four eyes, none of these may be the
//! caller's own.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tollbridge_operation::CallId;

use super::changed::{self, Unfit, is_masked};
use super::operate::OperateError;
use super::protection::Protection;
use super::toolbox::Toolbox;
use crate::audit::{Event, Time};
use crate::safety::CLIENT_PREFIX;
use crate::safety::edit::{self, Edit};
use crate::secret::{REDACTED, Redactor};
use crate::store::{Batch, Change, CommitError, HoldRow, HoldState, Store, StoreError};

/// Who decides.
#[derive(Debug, Clone, Copy)]
pub struct Approver<'a> {
    /// The name that the trail keeps.
    name: &'a str,
    /// The user of the operating system, where one runs a command: the trail keeps it beside another
    /// name.
    user: Option<&'a str>,
    /// What else they are called, by their own word.
    called: Option<&'a str>,
    at_the_client: bool,
    /// By whose rules what they say is kept.
    rules: Option<&'a Toolbox>,
}

impl<'a> Approver<'a> {
    /// Somebody of this name, where `user` acts for them.
    pub fn acting(name: &'a str, user: &'a str) -> Self {
        Self { user: Some(user), ..Self::from(name) }
    }

    /// The same, who is called this as well: where they may not decide by that name, they may not.
    #[must_use]
    pub fn called(self, name: &'a str) -> Self {
        Self { called: Some(name), ..self }
    }

    /// The same, whose words are kept by the rules of this toolbox, as an agent's are. Without one
    /// nothing is kept of them that any detector finds.
    #[must_use]
    pub fn under(self, rules: &'a Toolbox) -> Self {
        Self { rules: Some(rules), ..self }
    }

    /// The person at the caller's own client.
    pub(super) fn at_the_client(name: &'a str) -> Self {
        Self { at_the_client: true, ..Self::from(name) }
    }

    pub(super) fn name(self) -> &'a str {
        self.name
    }

    /// The user who decides in a name that is not their own.
    pub(super) fn user(self) -> Option<&'a str> {
        self.user.filter(|user| *user != self.name)
    }

    /// What is kept back of what they say of a call of this tool.
    fn protection(self, tool: &str) -> Protection {
        match self.rules {
            Some(toolbox) => toolbox.protection(tool),
            None => Protection::strict(),
        }
    }

    /// Which of the names is the caller's own.
    fn own<'n>(&'n self, barred: &BTreeSet<String>) -> Option<&'n str> {
        let bare = |name: &'n str| name.strip_prefix("operator:").unwrap_or(name);
        let names = std::iter::once(self.name).chain(self.user).chain(self.called);
        names.into_iter().find(|name| barred.contains(bare(name)))
    }
}

impl<'a> From<&'a str> for Approver<'a> {
    fn from(name: &'a str) -> Self {
        Self { name, user: None, called: None, at_the_client: false, rules: None }
    }
}

impl<'a> From<&'a String> for Approver<'a> {
    fn from(name: &'a String) -> Self {
        Self::from(name.as_str())
    }
}

/// The held calls that still wait for a decision, oldest first.
pub async fn held(store: &Store) -> Result<Vec<HoldRow>, StoreError> {
    let now = store.now();
    let mut rows = store.holds(Some(HoldState::Pending)).await?;
    rows.retain(|row| row.expires > now);
    Ok(rows)
}

/// Lets the repeat of a held call through, once.
pub async fn approve<'a>(
    store: &Store,
    id: &str,
    by: impl Into<Approver<'a>>,
    reason: Option<String>,
) -> Result<HoldRow, OperateError> {
    decide(store, id, HoldState::Approved, by.into(), reason).await
}

/// Refuses a held call.
pub async fn reject<'a>(
    store: &Store,
    id: &str,
    by: impl Into<Approver<'a>>,
    reason: Option<String>,
) -> Result<HoldRow, OperateError> {
    decide(store, id, HoldState::Rejected, by.into(), reason).await
}

/// Lets the repeat of a held call through, once, with other arguments: the repeat is decided on
/// with these, and says so to its agent. They are judged here as far as what is seen of the
/// arguments allows; the repeat, which brings them whole, is judged again.
pub async fn edit<'a>(
    store: &Store,
    toolbox: &Toolbox,
    id: &str,
    edits: &[Edit],
    by: impl Into<Approver<'a>>,
    reason: Option<String>,
) -> Result<HoldRow, OperateError> {
    let row = store.hold(id).await?.ok_or_else(|| OperateError::NoSuchHold(id.to_owned()))?;
    let by = by.into().under(toolbox);
    let refused = |why: String| OperateError::Edit { id: id.to_owned(), why };
    let mut shown = given(&row);
    let nothing = || refused("nothing is changed; approve it as it is".to_owned());
    if edits.is_empty() {
        return Err(nothing());
    }
    if edits.iter().filter_map(|edit| edit.value.as_ref()).any(is_masked) {
        let why = format!("a value has {REDACTED:?} in it, which stands for what is not shown");
        return Err(refused(why));
    }
    changed::check(toolbox, &row, edits, by, store.now()).map_err(|unfit| match unfit {
        Unfit::Wrong(why) => refused(why),
        Unfit::Denied { rules, reason } => {
            OperateError::EditDenied { id: id.to_owned(), rules, reason }
        }
    })?;
    edit::apply(&mut shown, edits).map_err(refused)?;
    if shown == given(&row) {
        return Err(nothing());
    }
    let edited = Some((edits.to_vec(), shown));
    let decision = Decision { state: HoldState::Approved, reason, edited };
    settle(store, row, by, decision).await
}

/// The arguments as the agent gave them, as far as they are seen.
pub fn given(row: &HoldRow) -> Map<String, Value> {
    match serde_json::from_str(&row.given) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// A held call as JSON, for programs. Nothing secret is in it.
pub fn hold_json(row: &HoldRow) -> Value {
    json!({
        "id": row.id,
        "call": row.call,
        "identity": row.identity,
        "tool": row.tool,
        "target": row.target,
        "arguments": json_of(&row.arguments),
        "given": json_of(&row.given),
        "stated": row.stated,
        "rule": row.rule,
        "four_eyes": row.barred.is_some(),
        "price": row.price,
        "placed": Time(row.placed),
        "expires": Time(row.expires),
        "state": row.state,
        "decided_by": row.decided_by,
        "decided_user": row.decided_user,
        "decided": row.decided.map(Time),
        "reason": row.reason,
        "edits": edits_shown(row),
    })
}

/// What a person changed in a held call's arguments, as others are shown it: as arguments are.
pub fn edits_shown(row: &HoldRow) -> Option<Value> {
    let mut edits = json_of(row.edits.as_deref()?);
    for edit in edits.as_array_mut().into_iter().flatten() {
        let Some(members) = edit.as_object_mut() else { continue };
        if let Some(shown) = members.shift_remove(SHOWN) {
            members.insert("value".to_owned(), shown);
        }
    }
    Some(edits)
}

/// Beside the value of a change, which the repeat needs whole: what others are shown of it, where that
/// is something else.
const SHOWN: &str = "shown";

/// Changes as they are kept. `arguments` are what they make of the call's, without what is kept out of
/// the trail.
fn kept(edits: Vec<Edit>, arguments: &Value, redactor: &Redactor) -> String {
    let each = edits.into_iter().map(|edit| {
        let shown = edit.value.as_ref().map(|_| {
            // Where all that it stands in is kept out, it is as well.
            let mut shown = arguments.pointer(&edit.at).cloned().unwrap_or(REDACTED.into());
            redactor.value(&mut shown);
            shown
        });
        let is_other = shown != edit.value;
        let mut kept = json!(edit);
        if let Some(shown) = shown.filter(|_| is_other) {
            kept[SHOWN] = shown;
        }
        kept
    });
    Value::Array(each.collect()).to_string()
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// What was decided.
struct Decision {
    state: HoldState,
    reason: Option<String>,
    /// The changes, and what the arguments then are as far as they are seen.
    edited: Option<(Vec<Edit>, Map<String, Value>)>,
}

pub(super) async fn decide(
    store: &Store,
    id: &str,
    state: HoldState,
    by: Approver<'_>,
    reason: Option<String>,
) -> Result<HoldRow, OperateError> {
    let row = store.hold(id).await?.ok_or_else(|| OperateError::NoSuchHold(id.to_owned()))?;
    settle(store, row, by, Decision { state, reason, edited: None }).await
}

async fn settle(
    store: &Store,
    row: HoldRow,
    by: Approver<'_>,
    decision: Decision,
) -> Result<HoldRow, OperateError> {
    let Decision { state, mut reason, edited } = decision;
    if !by.at_the_client && by.name.starts_with(CLIENT_PREFIX) {
        return Err(OperateError::AsClient(by.name.to_owned()));
    }
    let allowed = if by.at_the_client { row.asks_client } else { row.asks_operator };
    if !allowed {
        return Err(OperateError::AtTheClient(row.id));
    }
    let name = by.name.to_owned();
    // Anybody may say no to their own call.
    if let Some(barred) = row.barred.as_deref().filter(|_| state == HoldState::Approved) {
        // A list that cannot be read bars everybody.
        let own = match serde_json::from_str(barred) {
            Ok(barred) => by.own(&barred),
            Err(_) => Some(by.name),
        };
        if let Some(own) = own {
            return Err(OperateError::OwnCall { id: row.id, by: own.to_owned() });
        }
    }
    let now = store.now();
    let call = CallId::new(row.call.clone());
    let hold = row.id.clone();
    let user = by.user().map(str::to_owned);
    let mut events = Vec::new();
    let mut edits = None;
    let protection = by.protection(&row.tool);
    let mut redactor = protection.trail;
    if let Some((changes, shown)) = edited {
        let mut arguments = Value::Object(shown);
        let said = protection.arguments.take_out(&mut arguments);
        if !said.is_empty() {
            redactor = Arc::new(redactor.after(Arc::new(Redactor::new(&said))));
        }
        edits = Some(kept(changes, &arguments, &redactor));
        let (hold, by, user) = (hold.clone(), name.clone(), user.clone());
        events.push(Event::Edited { hold, by, arguments, user });
    }
    // Others read it: who decides next, and the agent.
    reason = reason.map(|text| redactor.text(&text).into_owned());
    let why = reason.clone();
    events.push(match state {
        HoldState::Approved => {
            let (by, user) = (name.clone(), user.clone());
            Event::Approved { hold, by, reason: why, decided: Some(Time(now)), user }
        }
        _ => Event::Rejected { hold, by: name.clone(), reason: why, user: user.clone() },
    });
    let rows: Vec<_> = events.iter().map(|event| event.row(Some(&call), now, &redactor)).collect();
    let change = Change::DecideHold { id: row.id.clone(), state, by: name, user, reason, edits };
    let batch = Batch { changes: vec![change], events: rows.into(), ..Batch::default() };
    match store.commit(batch).await {
        Ok(_receipt) => Ok(row),
        Err(CommitError::HoldSpent) => {
            let row = store.hold(&row.id).await?.unwrap_or(row);
            Err(OperateError::Decided { id: row.id.clone(), state: standing(&row, now) })
        }
        Err(CommitError::Unavailable(error)) => Err(error.into()),
        Err(other) => Err(OperateError::Commit(other)),
    }
}

fn standing(row: &HoldRow, now: i64) -> String {
    let by = row.decided_by.as_deref().unwrap_or("somebody");
    match row.state {
        HoldState::Spent => "was approved and used".to_owned(),
        HoldState::Approved => format!("was approved by {by}"),
        HoldState::Rejected => format!("was rejected by {by}"),
        HoldState::Pending if row.expires <= now => "has expired".to_owned(),
        HoldState::Pending => "is being decided".to_owned(),
    }
}
