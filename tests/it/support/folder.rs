//! A folder that goes when the test ends.

use std::path::{Path, PathBuf};

use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

/// A shop in OpenAPI: reads, writes, one that may be done twice, and a destructive one.
const SHOP: &str = include_str!("shop.json");

#[derive(Debug)]
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// A folder with the shop's description as `shop.json` and this `tools.toml`.
    pub(crate) fn with_shop(config: &str) -> Self {
        let folder = Self::new();
        folder.write("shop.json", SHOP);
        folder.write("tools.toml", config);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, in one step for whoever watches it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let (path, new) = (self.file(name), self.file(&format!(".{name}.new")));
        std::fs::write(&new, text).expect("a written file");
        std::fs::rename(&new, &path).expect("a renamed file");
        path
    }

    /// The URL of the store beside the configuration.
    pub(crate) fn store_url(&self) -> String {
        format!("sqlite:{}", self.file("tollbridge.db").display())
    }

    /// What a query says of the store beside the configuration, one text a row.
    pub(crate) async fn rows(&self, query: &'static str) -> Vec<String> {
        let mut connection =
            SqliteConnection::connect(&self.store_url()).await.expect("a connection");
        let rows = sqlx::query_scalar(query).fetch_all(&mut connection).await.expect("rows");
        connection.close().await.expect("an end");
        rows
    }

    /// Every byte of the store, what is not checkpointed yet among it.
    pub(crate) fn store_bytes(&self) -> Vec<u8> {
        ["tollbridge.db", "tollbridge.db-wal"]
            .into_iter()
            .flat_map(|name| std::fs::read(self.file(name)).unwrap_or_default())
            .collect()
    }
}
