//! Batches in one transaction: what they are refused for, and what they write.
//!
//! The transaction holds the write lock from its start, so what is read in it stays true
//! until it ends. Claims are therefore judged in memory, against windows read once, and
//! rows of accepted batches are gathered and written together at the end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteQueryResult};
use sqlx::{Connection, Sqlite};

use super::batch::micros;
use super::chain::Head;
use super::give_back::Returns;
use super::insert::{Row, insert_events};
use super::shared::{self, Known, Shared};
use super::standing::{Left, Standing};
use super::window::{self, Window};
use super::{
    Batch, BudgetClaim, Change, CheckpointRow, CommitError, EventRow, Guard, HoldRow, HoldState,
    KeyRow, PendingRow, RepeatRow, StopScope, WindowClaim, token,
};
use super::{budget, copies, learned, tasks, upkeep};

pub(super) type Query = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

/// Why a batch did not go into its group.
pub(super) enum Refusal {
    /// The batch's own guard, claims or hold.
    Batch(CommitError),
    /// A row of it is there already.
    Conflict(sqlx::Error),
    /// The store fails, and the group with it.
    Store(sqlx::Error),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error)
    }
}

impl From<CommitError> for Refusal {
    fn from(error: CommitError) -> Self {
        Self::Batch(error)
    }
}

/// The accepted batches of a transaction so far.
pub(super) struct Group<'t> {
    transaction: &'t mut SqliteConnection,
    now: i64,
    stops: Option<Vec<StopScope>>,
    windows: HashMap<Arc<str>, Window>,
    /// Where the budgets stand that were claimed.
    budgets: HashMap<Arc<str>, Standing>,
    uses: Vec<window::Row>,
    returns: Returns,
    events: Vec<Arc<Vec<EventRow>>>,
}

/// What of a batch is written at once, since it can be refused.
struct Rows {
    budgets: Vec<BudgetClaim>,
    spend: Option<String>,
    changes: Vec<Change>,
}

impl Rows {
    fn are_none(&self) -> bool {
        self.budgets.is_empty() && self.spend.is_none() && self.changes.is_empty()
    }
}

impl<'t> Group<'t> {
    pub(super) fn new(transaction: &'t mut SqliteConnection, now: i64) -> Self {
        Self {
            transaction,
            now,
            stops: None,
            windows: HashMap::new(),
            budgets: HashMap::new(),
            uses: Vec::new(),
            returns: Returns::default(),
            events: Vec::new(),
        }
    }

    /// Takes a batch in, or leaves no trace of it.
    pub(super) async fn add(&mut self, batch: Batch) -> Result<(), Refusal> {
        if let Some(guard) = &batch.guard {
            self.check(guard).await?;
        }
        let uses = self.claim(&batch.claims).await?;
        let Batch { budgets, give_back, spend, changes, events, .. } = batch;
        let rows = Rows { budgets, spend, changes };
        if !rows.are_none() {
            // What is given back leaves room.
            if !rows.budgets.is_empty() {
                self.returns.write(self.transaction).await?;
            }
            self.change(rows).await?;
        }
        if let Some(back) = give_back {
            self.returns.add(*back);
        }
        for (used, window) in uses {
            self.windows.insert(Arc::clone(&used.key), window);
            self.uses.push(used);
        }
        self.events.push(events);
        Ok(())
    }

    /// What is stopped, as this transaction leaves it.
    pub(super) async fn stops(&mut self) -> Result<&[StopScope], sqlx::Error> {
        let stops = match self.stops.take() {
            Some(stops) => stops,
            None => super::read::stop_scopes(&mut *self.transaction).await?,
        };
        Ok(self.stops.insert(stops))
    }

    async fn check(&mut self, guard: &Guard) -> Result<(), Refusal> {
        match self.stops().await?.iter().find(|stop| stop.covers(guard)) {
            Some(stop) => Err(CommitError::Stopped(stop.clone()).into()),
            None => Ok(()),
        }
    }

    /// What the claims would add. Claims of one batch count for each other too.
    async fn claim(
        &mut self,
        claims: &[WindowClaim],
    ) -> Result<Vec<(window::Row, Window)>, Refusal> {
        let mut uses: Vec<(window::Row, Window)> = Vec::with_capacity(claims.len());
        for (index, claim) in claims.iter().enumerate() {
            let per = micros(claim.per);
            let window = match uses.iter().rev().find(|(used, _)| used.key == claim.key) {
                Some((_, window)) => *window,
                None => self.window(&claim.key, per).await?,
            };
            if window.alive >= i64::from(claim.limit) {
                let retry_after = self.room_at(claim, per, window).await?;
                return Err(CommitError::WindowFull { claim: index, retry_after }.into());
            }
            let at = window.newest.max(self.now);
            let n = window.last + 1;
            let oldest = if window.alive == 0 { at } else { window.oldest };
            let grown = Window { per, alive: window.alive + 1, oldest, newest: at, last: n };
            let until = at.saturating_add(per);
            uses.push((
                window::Row { key: Arc::clone(&claim.key), at, n, until, several: None },
                grown,
            ));
        }
        Ok(uses)
    }

    /// The window as this transaction sees it.
    async fn window(&mut self, key: &Arc<str>, per: i64) -> Result<Window, sqlx::Error> {
        if let Some(window) = self.windows.get(key) {
            return Ok(*window);
        }
        let window = window::read(self.transaction, key, self.now, per).await?;
        self.windows.insert(Arc::clone(key), window);
        Ok(window)
    }

    /// How long until there is room for one more.
    async fn room_at(
        &mut self,
        claim: &WindowClaim,
        per: i64,
        window: Window,
    ) -> Result<Duration, sqlx::Error> {
        let limit = i64::from(claim.limit);
        let leaves = if limit == 0 {
            // There never is; a whole window says "not soon".
            self.now
        } else if window.alive == limit {
            window.oldest
        } else {
            // The limit was lowered: more than one must leave. What this transaction has yet
            // to write is younger than what it reads.
            let place = window.last - limit + 1;
            window::time_of(self.transaction, &claim.key, place).await?.unwrap_or(window.newest)
        };
        let wait = leaves.saturating_add(per).saturating_sub(self.now).max(1);
        Ok(Duration::from_micros(wait.unsigned_abs()))
    }

    /// Writes the rows that can be refused one by one, in a savepoint of their own.
    async fn change(&mut self, rows: Rows) -> Result<(), Refusal> {
        let switched =
            |change: &Change| matches!(change, Change::Stop { .. } | Change::Resume { .. });
        if rows.changes.iter().any(switched) {
            self.stops = None;
        }
        let mut savepoint = self.transaction.begin().await?;
        match write_rows(&mut savepoint, rows, self.now, &mut self.budgets).await {
            Ok(()) => Ok(savepoint.commit().await?),
            Err(refusal) => {
                savepoint.rollback().await?;
                Err(refusal)
            }
        }
    }

    /// What the windows and budgets that were claimed hold at most, as this transaction leaves them.
    pub(super) fn left(&mut self) -> Left {
        let at = self.now;
        let window = |(key, window): (Arc<str>, Window)| {
            (key, Standing { per: window.per, held: window.alive.into(), at })
        };
        Left {
            windows: std::mem::take(&mut self.windows).into_iter().map(window).collect(),
            budgets: std::mem::take(&mut self.budgets).into_iter().collect(),
        }
    }

    /// Writes what was gathered. The texts of its events that are not known to be in the database are
    /// written too, and returned.
    pub(super) async fn write(
        mut self,
        head: &mut Head,
        known: &Known,
    ) -> Result<Vec<Shared>, sqlx::Error> {
        self.returns.write(self.transaction).await?;
        let events = self.events.iter().map(|events| events.as_slice());
        let texts = shared::write(self.transaction, events, known).await?;
        let events = self.events.iter().flat_map(|events| events.iter());
        insert_events(self.transaction, head, Box::new(events.map(Row::from))).await?;
        window::insert(self.transaction, &self.uses).await?;
        Ok(texts)
    }
}

/// Notes until which record a journal has been taken over.
pub(super) async fn note_applied(
    transaction: &mut SqliteConnection,
    journal: &str,
    number: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO journals (name, applied) VALUES (?, ?) \
         ON CONFLICT (name) DO UPDATE SET applied = excluded.applied",
    )
    .bind(journal)
    .bind(number.cast_signed())
    .execute(transaction)
    .await
    .map(drop)
}

/// Writes them, and says where the budgets stand that they take of.
async fn write_rows(
    savepoint: &mut SqliteConnection,
    rows: Rows,
    now: i64,
    left: &mut HashMap<Arc<str>, Standing>,
) -> Result<(), Refusal> {
    let Rows { budgets, spend: spends, changes } = rows;
    budget::reserve(savepoint, budgets, now, left).await?;
    if let Some(hold) = spends {
        let done = spend(hold, now).execute(&mut *savepoint).await?;
        must_change(&done, CommitError::HoldSpent)?;
    }
    for change in changes {
        if matches!(change, Change::Sweep) {
            forget_expired(savepoint, now).await?;
            continue;
        }
        let change = match change {
            Change::EraseKept(calls) => {
                copies::erase(savepoint, calls).await?;
                continue;
            }
            other => other,
        };
        let decides = match change {
            Change::DecideHold { .. } | Change::PlaceHold(_) => Some(CommitError::HoldSpent),
            Change::ClaimKey(_) => Some(CommitError::KeyTaken),
            Change::OpenTask(_) | Change::CancelTask { .. } | Change::EndTask { .. } => {
                Some(CommitError::NoTask)
            }
            Change::LeaseToken { .. } => Some(CommitError::TokenLeased),
            _ => None,
        };
        let done = statement(change, now).execute(&mut *savepoint).await.map_err(conflict)?;
        if let Some(refusal) = decides {
            must_change(&done, refusal)?;
        }
    }
    Ok(())
}

/// Drops uses of windows that no longer count, whatever their key, and outcomes that are kept
/// no longer; of held calls, what is to be erased once nobody decides on them.
pub(super) async fn forget_expired(
    transaction: &mut SqliteConnection,
    now: i64,
) -> Result<(), sqlx::Error> {
    for statement in [
        "DELETE FROM window_uses WHERE until <= ?",
        "DELETE FROM budget_uses WHERE until <= ?",
        "DELETE FROM repeats WHERE expires <= ?",
        "DELETE FROM tokens WHERE until <= ?",
        "DELETE FROM token_leases WHERE until <= ?",
        "DELETE FROM pendings WHERE expires <= ?",
        "DELETE FROM tasks WHERE expires <= ?",
        "DELETE FROM learned_limits WHERE expires <= ?",
        "UPDATE holds SET arguments = '{}', given = '', claimed = '[]', target = '', edits = NULL, \
         stated = NULL, known = NULL, reason = NULL, erase = 2 \
         WHERE erase = 1 AND (state IN ('rejected', 'spent') OR expires <= ?)",
    ] {
        sqlx::query(statement).bind(now).execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Of what a person changed, what others are not shown was kept for the call that spends it.
fn spend(hold: String, now: i64) -> Query {
    sqlx::query(
        "UPDATE holds SET state = 'spent', edits = CASE WHEN edits IS NOT NULL THEN \
         (SELECT json_group_array(json(CASE WHEN json_type(value, '$.shown') IS NULL THEN value \
          ELSE json_remove(json_set(value, '$.value', value -> '$.shown'), '$.shown') END)) \
          FROM json_each(edits)) END \
         WHERE id = ? AND state = 'approved' AND expires > ?",
    )
    .bind(hold)
    .bind(now)
}

fn statement(change: Change, now: i64) -> Query {
    match change {
        Change::PlaceHold(hold) => place_hold(*hold, now),
        Change::DecideHold { id, state, by, user, reason, edits } => {
            // Placing and spending are no decisions, and match no row.
            let decided = matches!(state, HoldState::Approved | HoldState::Rejected);
            sqlx::query(
                "UPDATE holds SET state = ?, decided_by = ?, decided_user = ?, decided = ?, \
                 reason = ?, edits = ? WHERE id = ? AND state = 'pending' AND expires > ? AND ?",
            )
            .bind(state.as_str())
            .bind(by)
            .bind(user)
            .bind(now)
            .bind(reason)
            .bind(edits)
            .bind(id)
            .bind(now)
            .bind(decided)
        }
        Change::EndHold { id } => sqlx::query(
            "UPDATE holds SET expires = min(expires, ?) WHERE id = ? AND state = 'approved'",
        )
        .bind(now)
        .bind(id),
        Change::Stop { scope, by } => {
            let (scope, name) = scope.columns();
            // Who stopped it first did.
            sqlx::query("INSERT INTO stops (scope, name, by, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
                .bind(scope)
                .bind(name.to_owned())
                .bind(by)
                .bind(now)
        }
        Change::Resume { scope } => {
            let (scope, name) = scope.columns();
            sqlx::query("DELETE FROM stops WHERE scope = ? AND name = ?")
                .bind(scope)
                .bind(name.to_owned())
        }
        Change::KeepCheckpoint(row) => keep_checkpoint(row),
        Change::Mark(..)
        | Change::ErasePayloads(_)
        | Change::EraseHolds(_)
        | Change::EraseHoldsBefore(_)
        | Change::EraseKept(_)
        | Change::Prune { .. }
        | Change::PruneHolds { .. }
        | Change::Sweep => upkeep::statement(change, now),
        Change::AddKey(key) => add_key(key),
        Change::RevokeKey { id } => {
            sqlx::query("UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL")
                .bind(now)
                .bind(id)
        }
        Change::ClaimKey(row) => claim_key(row, now),
        Change::KeepToken(row) => token::keep(row),
        Change::ForgetToken { name } => token::forget(name),
        Change::LeaseToken { name, holder, until } => token::lease(name, holder, until, now),
        Change::ReleaseToken { name, holder } => token::release(name, holder),
        Change::KeepOutcome(row) => sqlx::query(
            "UPDATE repeats SET outcome = ? WHERE identity = ? AND tool = ? AND key = ? AND call = ?",
        )
        .bind(row.outcome)
        .bind(row.identity)
        .bind(row.tool)
        .bind(row.key)
        .bind(row.call),
        Change::FreeKey(row) => sqlx::query(
            "DELETE FROM repeats WHERE identity = ? AND tool = ? AND key = ? AND call = ?",
        )
        .bind(row.identity)
        .bind(row.tool)
        .bind(row.key)
        .bind(row.call),
        Change::KeepPending(row) => keep_pending(row),
        Change::KeepLearned(row) => learned::keep(row),
        Change::OpenTask(_)
        | Change::KeepTasks { .. }
        | Change::CancelTask { .. }
        | Change::EndTask { .. } => tasks::statement(change, now),
        Change::DropPending(row) => sqlx::query(
            "DELETE FROM pendings WHERE identity = ? AND tool = ? AND digest = ? AND handle = ?",
        )
        .bind(row.identity)
        .bind(row.tool)
        .bind(row.digest)
        .bind(row.handle),
    }
}

/// What was erased stays so: a call that goes on with an earlier one, under way while that is erased,
/// would write back where it is asked after.
fn keep_pending(row: PendingRow) -> Query {
    sqlx::query(
        "INSERT INTO pendings (identity, tool, digest, call, handle, expires) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (identity, tool, digest) DO UPDATE \
         SET call = ?4, handle = ?5, expires = ?6 \
         WHERE call <> ?4 OR substr(handle, 1, 10) <> '{\"erased\":'",
    )
    .bind(row.identity)
    .bind(row.tool)
    .bind(row.digest)
    .bind(row.call)
    .bind(row.handle)
    .bind(row.expires)
}

fn claim_key(row: RepeatRow, now: i64) -> Query {
    sqlx::query(
        "INSERT INTO repeats (identity, tool, key, digest, call, expires, outcome) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL) \
         ON CONFLICT (identity, tool, key) DO UPDATE \
         SET digest = ?4, call = ?5, expires = ?6, outcome = NULL WHERE expires <= ?7",
    )
    .bind(row.identity)
    .bind(row.tool)
    .bind(row.key)
    .bind(row.digest)
    .bind(row.call)
    .bind(row.expires)
    .bind(now)
}

/// How many calls of one identity may wait for a person at once.
const MAX_PENDING: i64 = 100;

fn place_hold(hold: HoldRow, now: i64) -> Query {
    sqlx::query(
        "INSERT INTO holds (id, call, identity, tool, digest, arguments, rule, price, placed, \
         expires, state, decided_by, decided, reason, given, target, claimed, asks_operator, \
         asks_client, barred, edits, stated, known) \
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?17, ?18, ?19, ?20, \
         ?21, ?22, ?23, ?24, ?25 \
         WHERE NOT EXISTS (SELECT 1 FROM holds WHERE identity = ?3 AND tool = ?4 AND digest = ?5 \
            AND state <> 'spent' AND expires > ?15) \
         AND (SELECT count(*) FROM holds WHERE identity = ?3 AND state = 'pending' \
            AND expires > ?15) < ?16",
    )
    .bind(hold.id)
    .bind(hold.call)
    .bind(hold.identity)
    .bind(hold.tool)
    .bind(hold.digest)
    .bind(hold.arguments)
    .bind(hold.rule)
    .bind(hold.price)
    .bind(hold.placed)
    .bind(hold.expires)
    .bind(hold.state.as_str())
    .bind(hold.decided_by)
    .bind(hold.decided)
    .bind(hold.reason)
    .bind(now)
    .bind(MAX_PENDING)
    .bind(hold.given)
    .bind(hold.target)
    .bind(hold.claimed)
    .bind(hold.asks_operator)
    .bind(hold.asks_client)
    .bind(hold.barred)
    .bind(hold.edits)
    .bind(hold.stated)
    .bind(hold.known)
}

fn keep_checkpoint(row: CheckpointRow) -> Query {
    sqlx::query(
        "INSERT INTO checkpoints (seq, hash, at, key, signature) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT DO NOTHING",
    )
    .bind(row.seq)
    .bind(row.hash.to_vec())
    .bind(row.at)
    .bind(row.key)
    .bind(row.signature)
}

fn add_key(key: KeyRow) -> Query {
    sqlx::query(
        "INSERT INTO keys (id, hash, identity, created, expires, revoked, approver) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(key.id)
    .bind(key.hash)
    .bind(key.identity)
    .bind(key.created)
    .bind(key.expires)
    .bind(key.revoked)
    .bind(key.approver)
}

/// A change that matched no row was refused.
fn must_change(done: &SqliteQueryResult, refusal: CommitError) -> Result<(), Refusal> {
    match done.rows_affected() {
        0 => Err(refusal.into()),
        _ => Ok(()),
    }
}

fn conflict(error: sqlx::Error) -> Refusal {
    match error.as_database_error() {
        Some(refused) if refused.is_unique_violation() => Refusal::Conflict(error),
        _ => Refusal::Store(error),
    }
}
