//! Budgets: sums in sliding windows, exact whatever runs beside.
//!
//! A call reserves in the transaction that records its intent, which holds the write lock: what is
//! read there stays true until it ends. It is given back where certainly nothing was done, and
//! counts until its time is over else.
//!
//! A row is what one call took, or several ([`bundle`]).
//!
//! Each row has the sum of all before it, modulo 2^128: sums go on for as long as there are rows,
//! so that what lies between any two of them can be told, and what a window holds is never more
//! than an `i128`, whatever the sums before it have come to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;

use super::apply::Refusal;
use super::batch::micros;
use super::bundle::{self, Of};
use super::standing::Standing;
use super::{Amount, BudgetClaim, CommitError, Store, StoreError};

/// One row: its place, what it holds of what is asked for, and the sum up to it.
#[derive(Debug, Clone, Copy)]
struct Use {
    n: i64,
    at: i64,
    amount: i128,
    total: i128,
}

/// A budget as its rows say.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    /// What its window holds.
    spent: i128,
    /// The first and the last row in it.
    ends: Option<(Use, Use)>,
}

/// What the rows from one to another hold together.
fn between(first: Use, last: Use) -> i128 {
    last.total.wrapping_sub(first.total).wrapping_add(first.amount)
}

/// Takes up what the claims ask for, in order, or refuses at the first that is too much. Claims of
/// one batch count for each other too. `left` learns where the budgets then stand.
pub(super) async fn reserve(
    connection: &mut SqliteConnection,
    claims: Vec<BudgetClaim>,
    now: i64,
    left: &mut HashMap<Arc<str>, Standing>,
) -> Result<(), Refusal> {
    for (index, claim) in claims.into_iter().enumerate() {
        let per = micros(claim.per);
        let found = found(connection, &claim.key, now, per).await?;
        let refused = |room: i128, retry_after| {
            let left = Amount(room.max(0));
            Refusal::from(CommitError::BudgetSpent { claim: index, left, retry_after })
        };
        let room = claim.limit.0.saturating_sub(found.spent);
        left.insert(Arc::clone(&claim.key), Standing { per, held: found.spent, at: now });
        if claim.amount.0 > room || claim.amount.0 < 0 {
            let wait = room_at(connection, &claim, found, now, per).await?;
            return Err(refused(room, wait));
        }
        let before = match found.ends {
            Some((_, last)) => Some(last),
            None => last(connection, &claim.key).await?,
        };
        let (n, at, total) = match before {
            Some(last) => (last.n + 1, last.at.max(now), last.total),
            None => (1, now, 0),
        };
        let total = total.wrapping_add(claim.amount.0);
        let held = found.spent.saturating_add(claim.amount.0);
        left.insert(Arc::clone(&claim.key), Standing { per, held, at: now });
        sqlx::query(
            "INSERT INTO budget_uses (key, n, at, call, amount, total, until) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(claim.key)
        .bind(n)
        .bind(at)
        .bind(claim.call)
        .bind(claim.amount.0.to_string())
        .bind(total.to_string())
        .bind(at.saturating_add(per))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Of the first row in a window the sum up to it and what it took, when its first use was and each of them,
/// where it is of several calls; of the last one the sum.
type Ends = (String, String, Option<i64>, Option<Vec<u8>>, String);

impl Store {
    /// What a budget holds now, as its key names it.
    pub async fn budget_spent(&self, key: &str, per: Duration) -> Result<Amount, StoreError> {
        self.settle().await?;
        let gone = self.now().saturating_sub(micros(per));
        let query = sqlx::query(
            "SELECT first.total, first.amount, first.since, first.uses, last.total FROM \
                (SELECT amount, total, since, CASE WHEN since <= ?2 THEN uses END AS uses \
                    FROM budget_uses WHERE key = ?1 AND at > ?2 ORDER BY at, n LIMIT 1) AS first, \
                (SELECT total FROM budget_uses WHERE key = ?1 AND at > ?2 \
                    ORDER BY at DESC, n DESC LIMIT 1) AS last",
        )
        .bind(key.to_owned())
        .bind(gone);
        let rows: Vec<Ends> = self.typed(&self.all(query).await?)?;
        let Some((first, amount, since, uses, last)) = rows.first() else {
            return Ok(Amount::default());
        };
        let spent = || {
            let amount = alive(amount, *since, uses.as_deref(), gone)?;
            Ok::<_, sqlx::Error>(number(last)?.wrapping_sub(number(first)?).wrapping_add(amount))
        };
        spent().map(Amount).map_err(|_| self.malformed("an amount of a budget is no number"))
    }
}

/// How much of a row came after a time. `uses` are looked at where the row is of several calls.
fn alive(
    amount: &str,
    since: Option<i64>,
    uses: Option<&[u8]>,
    gone: i64,
) -> Result<i128, sqlx::Error> {
    let (Some(since), Some(uses)) = (since, uses) else { return number(amount) };
    let mut alive = 0_i128;
    for share in bundle::shares(uses, Of::Budget, since) {
        let share = share?;
        if share.at > gone {
            alive = alive.wrapping_add(share.amount);
        }
    }
    Ok(alive)
}

async fn found(
    connection: &mut SqliteConnection,
    key: &str,
    now: i64,
    per: i64,
) -> Result<Found, sqlx::Error> {
    let gone = now.saturating_sub(per);
    let first = "SELECT n, at, amount, total, since, CASE WHEN since <= ?2 THEN uses END \
                 FROM budget_uses WHERE key = ?1 AND at > ?2 ORDER BY at, n LIMIT 1";
    let last = "SELECT n, at, amount, total, NULL, NULL FROM budget_uses \
                WHERE key = ? AND at > ? ORDER BY at DESC, n DESC LIMIT 1";
    let Some(first) = end(connection, first, key, gone).await? else {
        return Ok(Found::default());
    };
    // The first row is in the window, so there is a last one.
    let last = end(connection, last, key, gone).await?.unwrap_or(first);
    Ok(Found { spent: between(first, last), ends: Some((first, last)) })
}

/// The last row of a budget, whether or not it is in the window: one that has left it comes back
/// where the clock does, and what follows must go on from it.
async fn last(connection: &mut SqliteConnection, key: &str) -> Result<Option<Use>, sqlx::Error> {
    let last = "SELECT n, at, amount, total, NULL, NULL FROM budget_uses \
                WHERE key = ? AND n > ? ORDER BY n DESC LIMIT 1";
    end(connection, last, key, 0).await
}

/// A row that comes after `beyond`, a time or a place. Of one that is read with its uses as much as came
/// after that time.
async fn end(
    connection: &mut SqliteConnection,
    query: &'static str,
    key: &str,
    beyond: i64,
) -> Result<Option<Use>, sqlx::Error> {
    type Row = (i64, i64, String, String, Option<i64>, Option<Vec<u8>>);
    let row: Option<Row> =
        sqlx::query_as(query).bind(key.to_owned()).bind(beyond).fetch_optional(connection).await?;
    let Some((n, at, amount, total, since, uses)) = row else { return Ok(None) };
    let amount = alive(&amount, since, uses.as_deref(), beyond)?;
    Ok(Some(Use { n, at, amount, total: number(&total)? }))
}

/// How long until the budget leaves enough; `None` where it never does.
async fn room_at(
    connection: &mut SqliteConnection,
    claim: &BudgetClaim,
    found: Found,
    now: i64,
    per: i64,
) -> Result<Option<Duration>, sqlx::Error> {
    if claim.amount.0 > claim.limit.0 || claim.amount.0 < 0 {
        return Ok(None);
    }
    let Some((first, last)) = found.ends else { return Ok(None) };
    // What is left once all rows up to one have gone is the last total less its own.
    let most = claim.limit.0 - claim.amount.0;
    let (mut low, mut high) = (first.n, last.n);
    let (mut leaves, mut leaving) = (last.at, last.n);
    while low <= high {
        let middle = low + (high - low) / 2;
        // Not every number has a row: one has that of the last call in it.
        let row: Option<(i64, i64, String)> = sqlx::query_as(
            "SELECT n, at, total FROM budget_uses WHERE key = ? AND n >= ? ORDER BY n LIMIT 1",
        )
        .bind(claim.key.clone())
        .bind(middle)
        .fetch_optional(&mut *connection)
        .await?;
        let Some((n, at, total)) = row else { break };
        if last.total.wrapping_sub(number(&total)?) <= most {
            (leaves, leaving) = (at, n);
            high = middle - 1;
        } else {
            low = n + 1;
        }
    }
    let left = Left { last: last.total, most, gone: now.saturating_sub(per) };
    let leaves = left.leaves_in(connection, &claim.key, leaving).await?.unwrap_or(leaves);
    let wait = leaves.saturating_add(per).saturating_sub(now).max(1);
    Ok(Some(Duration::from_micros(wait.unsigned_abs())))
}

/// What is asked for where a budget leaves too little.
struct Left {
    /// The sum up to the last row.
    last: i128,
    /// As much may be left of it.
    most: i128,
    /// What came until then has left already.
    gone: i64,
}

impl Left {
    /// When that one came of several calls that stand in one row which must have left; `None` where the
    /// row is of one.
    async fn leaves_in(
        &self,
        connection: &mut SqliteConnection,
        key: &str,
        n: i64,
    ) -> Result<Option<i64>, sqlx::Error> {
        let row: Option<(String, String, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT amount, total, since, uses FROM budget_uses \
             WHERE key = ? AND n = ? AND uses IS NOT NULL",
        )
        .bind(key.to_owned())
        .bind(n)
        .fetch_optional(connection)
        .await?;
        let Some((amount, total, since, uses)) = row else { return Ok(None) };
        let mut up_to = number(&total)?.wrapping_sub(number(&amount)?);
        for share in bundle::shares(&uses, Of::Budget, since) {
            let share = share?;
            up_to = up_to.wrapping_add(share.amount);
            // Sums that reach back to what has left may be more than a number holds.
            if share.at > self.gone && self.last.wrapping_sub(up_to) <= self.most {
                return Ok(Some(share.at));
            }
        }
        Ok(None)
    }
}

pub(super) fn number(text: &str) -> Result<i128, sqlx::Error> {
    text.parse().map_err(|_| sqlx::Error::Decode("an amount of a budget is no number".into()))
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use sqlx::Connection;

    use super::*;

    use crate::store::give_back::Returns;
    use crate::store::journal::Uses;
    use crate::store::{Batch, GiveBack};

    const PER: i64 = 100;
    const LIMIT: i128 = 100;

    #[derive(Debug, Clone)]
    enum Step {
        /// A call asks for so much.
        Ask(i128),
        /// Calls take so much each, as far as it fits, so long after one another; all of it is
        /// written together.
        Ahead(Vec<(i64, i128)>),
        /// The calls made so many ago give back what they took, all at once.
        GiveBack(Vec<usize>),
        /// So much time goes by; less than none where somebody sets the clock.
        Wait(i64),
        /// What no longer counts is dropped.
        Forget,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0_i128..60).prop_map(Step::Ask),
            2 => proptest::collection::vec((0_i64..40, 0_i128..40), 1..8).prop_map(Step::Ahead),
            1 => proptest::collection::vec(0_usize..24, 1..6).prop_map(Step::GiveBack),
            2 => (0_i64..70).prop_map(Step::Wait),
            1 => (-70_i64..0).prop_map(Step::Wait),
            1 => Just(Step::Forget),
        ];
        proptest::collection::vec(step, 1..60)
    }

    /// The same with a list of all that was taken: when, how much, and in which row. What comes after
    /// something counts for at least as long.
    #[derive(Default)]
    struct Model(Vec<(i64, i128, usize)>);

    impl Model {
        fn last(&self) -> i64 {
            self.0.iter().map(|(at, ..)| *at).max().unwrap_or(0)
        }

        fn spent(&self, now: i64) -> i128 {
            self.0.iter().filter(|(at, ..)| at + PER > now).map(|(_, amount, _)| amount).sum()
        }

        /// When there is room for so much.
        fn room(&self, now: i64, limit: i128, amount: i128) -> Option<i64> {
            (amount <= limit).then(|| {
                let later = |time: &i64| self.spent(*time) + amount <= limit;
                (now..=now.max(self.last()) + PER).find(later).expect("a window runs out")
            })
        }
    }

    fn claim(call: usize, amount: i128, limit: i128) -> BudgetClaim {
        BudgetClaim {
            key: "k".into(),
            call: call.to_string().into(),
            amount: Amount(amount),
            limit: Amount(limit),
            per: Duration::from_micros(PER.unsigned_abs()),
        }
    }

    /// A database in memory with the tables that calls are counted in.
    pub(in crate::store) async fn database() -> SqliteConnection {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.expect("memory");
        for migration in [
            include_str!("migrations/0001_foundation.sql"),
            include_str!("migrations/0008_budgets.sql"),
            include_str!("migrations/0019_bundles.sql"),
        ] {
            sqlx::raw_sql(migration).execute(&mut connection).await.expect("tables");
        }
        connection
    }

    async fn follow(steps: Vec<Step>) {
        let mut connection = database().await;
        let mut model = Model::default();
        let mut now = 1_000_000;
        for step in steps {
            match step {
                Step::Wait(time) => now += time,
                Step::Forget => {
                    sqlx::query("DELETE FROM budget_uses WHERE until <= ?")
                        .bind(now)
                        .execute(&mut connection)
                        .await
                        .expect("forgotten");
                    // With the last that stands in its row: until then a clock that is set back brings
                    // back all of it.
                    let kept = model.0.iter().filter(|(at, ..)| at + PER > now);
                    let kept: BTreeSet<usize> = kept.map(|(_, _, row)| *row).collect();
                    let gone = model.0.iter_mut().filter(|(_, _, row)| !kept.contains(row));
                    gone.for_each(|one| *one = (0, 0, 0));
                }
                Step::GiveBack(ago) => {
                    let mut returns = Returns::default();
                    let made = ago.into_iter().filter_map(|ago| model.0.len().checked_sub(ago + 1));
                    let made: Vec<usize> = made.collect();
                    for index in &made {
                        let (since, keys) = (model.0[*index].0, vec!["k".into()]);
                        returns.add(GiveBack { call: index.to_string().into(), keys, since });
                    }
                    returns.write(&mut connection).await.expect("given back");
                    for index in made {
                        model.0[index].1 = 0;
                    }
                }
                Step::Ahead(takes) => {
                    let (mut uses, row): (Option<Uses>, _) = (None, model.0.len());
                    for (after, amount) in takes {
                        now += after;
                        if model.spent(now) + amount > LIMIT {
                            continue;
                        }
                        let budgets = vec![claim(model.0.len(), amount, LIMIT)];
                        let one = Uses::of(&Batch { budgets, ..Batch::default() }, now);
                        match &mut uses {
                            None => uses = Some(one),
                            Some(uses) => uses.append(one),
                        }
                        model.0.push((now.max(model.last()), amount, row));
                    }
                    if let Some(uses) = uses {
                        uses.write(&mut connection).await.expect("written");
                    }
                }
                Step::Ask(amount) => {
                    let claim = claim(model.0.len(), amount, LIMIT);
                    let spent = model.spent(now);
                    match reserve(&mut connection, vec![claim], now, &mut HashMap::new()).await {
                        Ok(()) => {
                            assert!(spent + amount <= LIMIT, "{amount} passed beside {spent}");
                            model.0.push((now.max(model.last()), amount, model.0.len()));
                        }
                        Err(Refusal::Batch(CommitError::BudgetSpent {
                            left, retry_after, ..
                        })) => {
                            assert!(spent + amount > LIMIT, "{amount} was refused beside {spent}");
                            assert_eq!(left.0, (LIMIT - spent).max(0));
                            let wait = retry_after.map(|wait| now + micros(wait));
                            assert_eq!(wait, model.room(now, LIMIT, amount));
                        }
                        Err(Refusal::Batch(other)) => panic!("{other}"),
                        Err(Refusal::Conflict(error) | Refusal::Store(error)) => panic!("{error}"),
                    }
                }
            }
        }
    }

    /// What a busy budget adds up to over its days is more than any number that it could hold.
    #[tokio::test]
    async fn a_budget_that_is_never_empty_goes_on_for_ever() {
        let mut connection = database().await;
        let half = i128::MAX / 2;
        for n in 0..20_i64 {
            let claim = |amount| claim(usize::default(), amount, i128::MAX);
            let now = n * (PER / 2 + 1);
            let fits = reserve(&mut connection, vec![claim(half)], now, &mut HashMap::new()).await;
            assert!(fits.is_ok(), "{n}");
            // The two that are in the window leave one.
            if n > 0 {
                let over = reserve(&mut connection, vec![claim(2)], now, &mut HashMap::new()).await;
                assert!(over.is_err(), "{n}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_budget_is_the_sum_of_what_its_window_holds(steps in steps()) {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(follow(steps));
        }
    }
}
