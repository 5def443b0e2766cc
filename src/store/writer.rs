//! The one task of a process that writes: group commit, deadlines and recovery.

use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Transaction};
use tokio::sync::{mpsc, oneshot};

use super::apply::{Group, Refusal, forget_expired};
use super::place::{FileIdentity, Place};
use super::plain::{self, Plain};
use super::{Batch, CommitError, Receipt, Settings, StoreError};

/// How many batches share a transaction at most.
const GROUP: usize = 256;

/// Every so many groups, rows of windows that nobody asks about any more are dropped.
const FORGET_EVERY: u32 = 1024;

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Request {
    /// Write this.
    Commit(Batch, oneshot::Sender<Result<Receipt, CommitError>>),
    /// Write what came before this, and end.
    Close(oneshot::Sender<()>),
}

pub(super) struct Writer {
    place: Place,
    settings: Settings,
    requests: mpsc::Receiver<Request>,
    /// `None` after an error: the next group opens the file again.
    connection: Option<SqliteConnection>,
    file: FileIdentity,
    groups: u32,
    /// Whether anything was stopped when last looked: then groups are not tried as plain ones.
    stopped: bool,
}

type Waiting = (Batch, oneshot::Sender<Result<Receipt, CommitError>>);

impl Writer {
    pub(super) fn new(
        place: Place,
        settings: Settings,
        requests: mpsc::Receiver<Request>,
        connection: SqliteConnection,
    ) -> Result<Self, StoreError> {
        let file = place.file()?;
        Ok(Self {
            place,
            settings,
            requests,
            connection: Some(connection),
            file,
            groups: 0,
            stopped: false,
        })
    }

    pub(super) async fn run(mut self) {
        let mut queued = Vec::with_capacity(GROUP);
        let mut closing = Vec::new();
        while closing.is_empty() && self.requests.recv_many(&mut queued, GROUP).await > 0 {
            let mut group: Vec<Waiting> = Vec::with_capacity(queued.len());
            for request in queued.drain(..) {
                match request {
                    // Nobody waits for it any more, so it must not have an effect.
                    Request::Commit(_, answer) if answer.is_closed() => {}
                    Request::Commit(batch, answer) if closing.is_empty() => {
                        group.push((batch, answer));
                    }
                    Request::Commit(..) => {}
                    Request::Close(closed) => closing.push(closed),
                }
            }
            if !group.is_empty() {
                self.commit(group).await;
            }
        }
        self.requests.close();
        if let Some(connection) = self.connection.take() {
            // Everything acknowledged is down; a failure here costs a tidy log file only.
            let _ = tokio::time::timeout(self.settings.deadline, connection.close()).await;
        }
    }

    async fn commit(&mut self, group: Vec<Waiting>) {
        let (batches, answers): (Vec<Batch>, Vec<_>) = group.into_iter().unzip();
        let deadline = self.settings.deadline;
        let written = tokio::time::timeout(deadline, self.write(batches)).await;
        let written = written.unwrap_or_else(|_| Err(self.too_late(deadline)));
        // A receiver that is gone no longer wants to know.
        match written {
            Ok(results) => {
                for (answer, result) in answers.into_iter().zip(results) {
                    let _ = answer.send(result.map(|()| Receipt { _private: () }));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the store cannot be written");
                for answer in answers {
                    let _ = answer.send(Err(error.clone().into()));
                }
            }
        }
    }

    /// Writes a group. On an error, or when this future is dropped, the connection is given
    /// up, and with it whatever was not committed.
    async fn write(
        &mut self,
        batches: Vec<Batch>,
    ) -> Result<Vec<Result<(), CommitError>>, StoreError> {
        let mut connection = self.connect().await?;
        self.groups = self.groups.wrapping_add(1);
        let forget = self.groups % FORGET_EVERY == 1;
        if !forget && !self.stopped {
            let written = plain::write(&mut connection, &batches).await;
            if written.map_err(|error| self.place.describe(&error))? == Plain::Written {
                self.connection = Some(connection);
                return Ok(batches.iter().map(|_| Ok(())).collect());
            }
        }
        let begun = connection.begin_with("BEGIN IMMEDIATE").await;
        let transaction = begun.map_err(|error| self.place.describe(&error))?;
        let now = (self.settings.clock)();
        let (results, stopped) = write_group(transaction, batches, now, forget, &self.place)
            .await
            .map_err(|error| self.place.describe(&error))?;
        self.stopped = stopped;
        self.connection = Some(connection);
        Ok(results)
    }

    /// The connection, if it still leads to the file that is at the path. `SQLite` itself goes
    /// on writing to a file that was deleted.
    async fn connect(&mut self) -> Result<SqliteConnection, StoreError> {
        let connection = self.connection.take();
        let file = self.place.file()?;
        match connection {
            Some(connection) if self.file == file => Ok(connection),
            _ => {
                let connection = self.place.set_up().await?;
                self.file = file;
                Ok(connection)
            }
        }
    }

    fn too_late(&self, deadline: Duration) -> StoreError {
        let seconds = deadline.as_secs_f32();
        self.place.error(format!("a write took longer than {seconds} s: its disk is too slow"))
    }
}

/// What became of each batch, and whether anything is stopped.
async fn write_group(
    transaction: Transaction<'_, sqlx::Sqlite>,
    batches: Vec<Batch>,
    now: i64,
    forget: bool,
    place: &Place,
) -> Result<(Vec<Result<(), CommitError>>, bool), sqlx::Error> {
    let mut transaction = transaction;
    if forget {
        forget_expired(&mut transaction, now).await?;
    }
    let mut group = Group::new(&mut transaction, now);
    let mut results = Vec::with_capacity(batches.len());
    for batch in batches {
        results.push(match group.add(batch).await {
            Ok(()) => Ok(()),
            Err(Refusal::Batch(refused)) => Err(refused),
            Err(Refusal::Conflict(error)) => Err(place.describe(&error).into()),
            Err(Refusal::Store(error)) => return Err(error),
        });
    }
    let stopped = group.stopped();
    group.write().await?;
    transaction.commit().await?;
    Ok((results, stopped))
}
