//! Journals of other processes: taking over what a killed one left, and waiting for a live one.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqliteExecutor, SqlitePool};

use super::file::{self, Found, Orphan, Written};
use super::uses::Uses;
use crate::store::StoreError;
use crate::store::apply::note_applied;
use crate::store::chain;
use crate::store::insert::insert_events;
use crate::store::place::Place;
use crate::store::shared::{self, Shared};

/// How long a reader waits for what a live process has acknowledged.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(5);

/// Takes over what processes that ended left beside the database, and forgets journals that are
/// gone.
pub(in crate::store) async fn take_over(
    place: &Place,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let Some(database) = place.path() else { return Ok(()) };
    // Asked before the files are listed: a journal has its file before it has its row.
    let noted: Vec<String> = sqlx::query_scalar("SELECT name FROM journals")
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| place.describe(&error))?;
    let files = list(place, database)?;
    for name in noted {
        if files.iter().all(|path| file::name_of(path) != name) {
            let forgotten = forget(&mut *connection, &name).await;
            forgotten.map_err(|error| place.describe(&error))?;
        }
    }
    for path in files {
        if let Found::Orphan(orphan) = look(place, &path)? {
            take_over_one(place, connection, &path, orphan).await?;
        }
    }
    Ok(())
}

async fn take_over_one(
    place: &Place,
    connection: &mut SqliteConnection,
    path: &Path,
    orphan: Orphan,
) -> Result<(), StoreError> {
    let name = file::name_of(path);
    let failed = |error: sqlx::Error| place.describe(&error);
    // Asked behind the lock: a transaction that was given up while it ended may have done it.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let done = applied(&mut *transaction, &name).await.map_err(failed)?;
    let mut records = orphan.after(done).map_err(|error| unreadable(place, path, &error))?;
    if let Some(newest) = records.last().map(|record| record.number) {
        let mut uses = Uses::default();
        for record in &mut records {
            uses.append(std::mem::take(&mut record.uses));
            for text in std::mem::take(&mut record.texts) {
                shared::insert(&mut transaction, &Shared::new(text)).await.map_err(failed)?;
            }
        }
        let mut head = chain::head(&mut transaction).await.map_err(failed)?;
        let events = records.iter().flat_map(|record| record.events.rows());
        insert_events(&mut transaction, &mut head, Box::new(events)).await.map_err(failed)?;
        uses.write(&mut transaction).await.map_err(failed)?;
        note_applied(&mut transaction, &name, newest).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        tracing::info!(journal = name, "took over what a process that was killed left");
    } else {
        transaction.rollback().await.map_err(failed)?;
    }
    // First the file: with its row gone, what is in it would be taken over once more.
    orphan.remove().map_err(|error| unreadable(place, path, &error))?;
    forget(connection, &name).await.map_err(failed)
}

/// Has everything in the database that was acknowledged until now, as far as that is possible:
/// for who only reads.
pub(in crate::store) async fn settle(
    place: &Place,
    readers: &SqlitePool,
) -> Result<(), StoreError> {
    let Some(database) = place.path() else { return Ok(()) };
    let failed = |error: sqlx::Error| place.describe(&error);
    let mut reader = readers.acquire().await.map_err(failed)?;
    let mut orphaned = false;
    for path in list(place, database)? {
        match await_one(place, &mut reader, &path, |written| written.newest).await? {
            Awaited::Done => {}
            Awaited::Orphaned => orphaned = true,
            Awaited::Behind => {
                let name = file::name_of(&path);
                tracing::warn!(journal = name, "a process has events that it cannot write");
            }
        }
    }
    drop(reader);
    if orphaned {
        let mut connection = place.set_up().await?;
        take_over(place, &mut connection).await?;
        let _ = connection.close().await;
    }
    Ok(())
}

/// Has everything in the database that other processes counted until now: for who has just begun to
/// hold the lock by which they do ([`Counting`](crate::store::counting::Counting)). `own` is the
/// journal of this process.
///
/// Events alone are waited for by nobody: two processes that begin at once would each wait for the
/// other.
pub(in crate::store) async fn settle_counts(
    place: &Place,
    connection: &mut SqliteConnection,
    own: Option<&str>,
) -> Result<(), StoreError> {
    let Some(database) = place.path() else { return Ok(()) };
    loop {
        let mut orphaned = false;
        for path in list(place, database)? {
            let name = file::name_of(&path);
            if Some(&*name) == own {
                continue;
            }
            // A process that is just being killed may still have its journal, and no longer that
            // lock.
            match await_one(place, connection, &path, |written| written.counted).await? {
                Awaited::Done => {}
                Awaited::Orphaned => orphaned = true,
                Awaited::Behind => {
                    return Err(place.error(format!(
                        "another process has calls in {name} that it cannot write: end it, or try \
                         again"
                    )));
                }
            }
        }
        if !orphaned {
            return Ok(());
        }
        // Somebody else may be about to, and not done yet: it is looked at once more.
        take_over(place, connection).await?;
    }
}

/// What became of another process's journal.
enum Awaited {
    /// What was in it is in the database.
    Done,
    /// Its process has ended.
    Orphaned,
    /// There is still something in it that is not.
    Behind,
}

/// Waits until a journal is in the database as far as that is `wanted` of what is in it now, but not
/// for ever.
async fn await_one(
    place: &Place,
    connection: &mut SqliteConnection,
    path: &Path,
    wanted: fn(Written) -> u64,
) -> Result<Awaited, StoreError> {
    let name = file::name_of(path);
    let until = Instant::now() + PATIENCE;
    let mut upto = None;
    loop {
        match look(place, path)? {
            Found::Gone => return Ok(Awaited::Done),
            Found::Orphan(_) => return Ok(Awaited::Orphaned),
            Found::Alive(written) => {
                let upto = *upto.get_or_insert(wanted(written));
                let done = applied(&mut *connection, &name).await;
                if done.map_err(|error| place.describe(&error))? >= upto {
                    return Ok(Awaited::Done);
                }
            }
        }
        if Instant::now() >= until {
            return Ok(Awaited::Behind);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Until which record a journal is in the database.
pub(in crate::store) async fn applied(
    executor: impl SqliteExecutor<'_>,
    name: &str,
) -> Result<u64, sqlx::Error> {
    let query = sqlx::query_scalar("SELECT applied FROM journals WHERE name = ?");
    let applied: Option<i64> = query.bind(name.to_owned()).fetch_optional(executor).await?;
    Ok(applied.map_or(0, i64::cast_unsigned))
}

/// Forgets a journal whose file is gone.
pub(in crate::store) async fn forget(
    executor: impl SqliteExecutor<'_>,
    name: &str,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query("DELETE FROM journals WHERE name = ?").bind(name.to_owned());
    query.execute(executor).await.map(drop)
}

fn list(place: &Place, database: &Path) -> Result<Vec<std::path::PathBuf>, StoreError> {
    file::list(database).map_err(|error| place.error(format!("its folder cannot be read: {error}")))
}

fn look(place: &Place, path: &Path) -> Result<Found, StoreError> {
    file::look(path).map_err(|error| unreadable(place, path, &error))
}

fn unreadable(place: &Place, path: &Path, error: &std::io::Error) -> StoreError {
    let mend = match error.kind() {
        std::io::ErrorKind::InvalidData => {
            "start that version once, which takes the file over, or move the file away: what is in \
             it is then on no record"
        }
        _ => "check who owns it and its folder",
    };
    place.error(format!(
        "what was acknowledged before it is in there stands in {}, which cannot be taken over: \
         {error}; {mend}",
        path.display()
    ))
}
