//! Where a store is, how it is opened, and what to tell a person when it cannot be.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection as _};

use super::{Durability, StoreError, chain};

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations");

/// The size of a page, in bytes; heeded by a new file only. A page is written to the log and from there
/// to the file, and each is two trips to the system: a few events have no room in SQLite's own 4,096.
const PAGE: u32 = 8_192;

/// How many connections read at once.
const READERS: u32 = 4;

/// Two processes may set up the same new file; who loses that race sees it done next time.
const SETUP_TRIES: u32 = 5;

/// A lock that lasts longer than this is another process's, and no race.
const SETUP_TIME: Duration = Duration::from_secs(1);

/// A `SQLite` database.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// `None` is a database in memory.
    path: Option<PathBuf>,
    options: SqliteConnectOptions,
}

/// A view, trigger or index: which of them, its name, and its text.
pub(super) type Made = (String, String, String);

/// The views, triggers and indexes of a database.
pub(super) const MADE: &str = "SELECT type, name, sql FROM sqlite_schema \
    WHERE type IN ('view', 'trigger', 'index') AND sql IS NOT NULL ORDER BY type, name";

/// Those that this version makes.
pub(super) async fn made() -> Result<Vec<Made>, sqlx::Error> {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await?;
    MIGRATIONS.run_direct(None, &mut connection, false).await?;
    let made = sqlx::query_as(MADE).fetch_all(&mut connection).await;
    connection.close().await?;
    made
}

/// Which file is at a path, to notice that another one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity(u64, u64);

impl Place {
    pub(super) fn new(
        url: &str,
        durability: Durability,
        busy: Duration,
    ) -> Result<Self, StoreError> {
        let Some(rest) = url.strip_prefix("sqlite:") else {
            // What follows the scheme may hold a password.
            let scheme = url.split(':').next().unwrap_or_default();
            return Err(StoreError {
                path: format!("{}:…", scheme.chars().take(20).collect::<String>()),
                message: "expected `sqlite:PATH`: this version keeps its store in SQLite".into(),
            });
        };
        let synchronous = match durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Process => SqliteSynchronous::Normal,
        };
        let in_memory = || url.parse::<SqliteConnectOptions>();
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let (path, options) = match path {
            ":memory:" => (None, in_memory().map_err(|error| describe("in memory", &error))?),
            "" => {
                let message = "expected a path after `sqlite:`".into();
                return Err(StoreError { path: url.into(), message });
            }
            path => (Some(PathBuf::from(path)), SqliteConnectOptions::new().filename(path)),
        };
        let options = options
            .synchronous(synchronous)
            .busy_timeout(busy)
            .foreign_keys(true)
            .disable_statement_logging();
        Ok(Self { path, options })
    }

    /// Connects for writing. The file must be there: one that vanished is not made anew,
    /// since the kill switch would be forgotten with it.
    pub(super) async fn writer(&self) -> Result<SqliteConnection, StoreError> {
        self.file()?;
        let options = match self.path {
            // What is removed gives its pages back in small steps; heeded by a new file only.
            Some(_) => self
                .options
                .clone()
                // What was erased is overwritten.
                .pragma("secure_delete", "ON")
                .auto_vacuum(SqliteAutoVacuum::Incremental)
                .page_size(PAGE)
                .journal_mode(SqliteJournalMode::Wal),
            None => self.options.clone(),
        };
        let options = options.statement_cache_capacity(super::plain::STATEMENTS);
        options.connect().await.map_err(|error| self.describe(&error))
    }

    /// A connection that writes nothing here, and may write a copy elsewhere.
    pub(super) async fn reader(&self) -> Result<SqliteConnection, StoreError> {
        self.file()?;
        self.options.clone().connect().await.map_err(|error| self.describe(&error))
    }

    /// Connections for reading.
    pub(super) fn readers(&self, read_only: bool) -> SqlitePool {
        let pool = SqlitePoolOptions::new().max_connections(READERS);
        let pool = match self.path {
            Some(_) => pool.acquire_timeout(Duration::from_secs(5)),
            // A database in memory lives as long as a connection to it.
            None => pool.min_connections(1).idle_timeout(None).max_lifetime(None),
        };
        let options = if read_only && self.path.is_some() {
            self.options.clone().read_only(true)
        } else {
            self.options.clone()
        };
        pool.connect_lazy_with(options.pragma("query_only", "ON"))
    }

    /// Makes the file where there is none, readable for its owner alone. `SQLite` gives its
    /// other files the same mode.
    pub(super) fn create(&self) -> Result<(), StoreError> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map(drop).map_err(|error| self.unopened(path, &error))
    }

    fn unopened(&self, path: &Path, error: &std::io::Error) -> StoreError {
        let mend = match (error.kind(), path.parent()) {
            (std::io::ErrorKind::NotFound, Some(folder)) if !folder.is_dir() => {
                format!("the folder {} does not exist: create it", folder.display())
            }
            (std::io::ErrorKind::IsADirectory, _) => "it is a folder: name a file".to_owned(),
            _ => format!("cannot be opened: {error}; check who owns it and its folder"),
        };
        self.error(mend)
    }

    /// Brings the schema up to date.
    pub(super) async fn set_up(&self) -> Result<SqliteConnection, StoreError> {
        let begun = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_set_up().await {
                Err(_) if tries < SETUP_TRIES && begun.elapsed() < SETUP_TIME => {
                    tokio::time::sleep(Duration::from_millis(20) * tries).await;
                }
                done => return done,
            }
        }
    }

    async fn try_set_up(&self) -> Result<SqliteConnection, StoreError> {
        let mut connection = self.writer().await?;
        match MIGRATIONS.run_direct(None, &mut connection, false).await {
            Ok(()) => {
                let begun = chain::begin(&mut connection, super::system_clock()).await;
                begun.map_err(|error| self.describe(&error))?;
                Ok(connection)
            }
            Err(MigrateError::VersionMissing(_)) => Err(self.error(NEWER.into())),
            Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
                Err(self.describe(&error))
            }
            Err(error) => Err(self.error(format!("its schema cannot be read: {error}"))),
        }
    }

    /// Looks whether this version can read the schema that is there.
    pub(super) async fn check_readable(&self, readers: &SqlitePool) -> Result<(), StoreError> {
        let version: Option<i64> =
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(readers)
                .await
                .map_err(|error| match primary_code(&error) {
                    // No such table.
                    Some(1) => self.error("it is no store of tollbridge's".into()),
                    _ => self.describe(&error),
                })?;
        let known = MIGRATIONS.iter().map(|migration| migration.version).max();
        match version.cmp(&known) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(self.error(NEWER.into())),
            std::cmp::Ordering::Less => Err(self.error(
                "it was written by an older version: `tollbridge serve` brings it up to date"
                    .into(),
            )),
        }
    }

    /// Where the file is; `None` for a database in memory.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Which file is there now. For a database in memory it is always the same.
    pub(super) fn file(&self) -> Result<FileIdentity, StoreError> {
        let Some(path) = &self.path else { return Ok(FileIdentity(0, 0)) };
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(identity_of(&metadata)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(self.error("it does not exist (any more): put it back, or start anew".into()))
            }
            Err(error) => Err(self.unopened(path, &error)),
        }
    }

    /// Whether there is a file to read.
    pub(super) fn exists(&self) -> bool {
        self.path.as_ref().is_none_or(|path| path.exists())
    }

    pub(super) fn error(&self, message: String) -> StoreError {
        StoreError { path: self.name(), message }
    }

    pub(super) fn describe(&self, error: &sqlx::Error) -> StoreError {
        describe(&self.name(), error)
    }

    fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "in memory".into(), |path| path.display().to_string())
    }
}

const NEWER: &str = "it was written by a newer version of tollbridge: use that version";

/// Which file this is of.
#[cfg(unix)]
pub(super) fn identity_of(metadata: &std::fs::Metadata) -> FileIdentity {
    use std::os::unix::fs::MetadataExt;
    FileIdentity(metadata.dev(), metadata.ino())
}

/// Which file this is of: not known here.
#[cfg(not(unix))]
pub(super) fn identity_of(_: &std::fs::Metadata) -> FileIdentity {
    FileIdentity(0, 0)
}

/// `SQLite`'s primary result code (<https://www.sqlite.org/rescode.html>).
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

fn describe(path: &str, error: &sqlx::Error) -> StoreError {
    let message = match primary_code(error) {
        Some(5 | 6) => "another process keeps it locked: end that one, or try again".to_owned(),
        Some(8) => "it cannot be written: check who owns it, its mode and its disk".to_owned(),
        Some(11 | 26) => "it is damaged or no SQLite database: restore it from a backup, \
                          or move it away to begin a new one"
            .to_owned(),
        Some(13) => "the disk is full: make room".to_owned(),
        Some(14) => {
            "cannot be opened: check that its folder is there and may be written".to_owned()
        }
        _ => match error {
            sqlx::Error::PoolTimedOut => "too busy to be read now: try again".to_owned(),
            error => format!("cannot be used: {error}"),
        },
    };
    StoreError { path: path.to_owned(), message }
}
