//! A key beside the store, for whoever configures none.
//!
//! A file and not a row: a copy of the store, such as a backup, opens nothing without it. It is
//! made whole or not at all, and of two processes that make it at once one wins. A file that
//! others may read is refused, as `ssh` does with its keys.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::Secret;

/// Where a key of a store is: the store's name with an ending of the key's own.
pub fn beside(store: &Path, ending: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// The key, 32 bytes in base64; `None` where there is none yet. The error says in words what is wrong.
pub fn read(path: &Path) -> Result<Option<Secret>, String> {
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    if is_open_to_others(&metadata) {
        return Err(format!(
            "{0} can be read by others, and is not used: run `chmod 600 {0}`",
            path.display()
        ));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(unreadable)?);
    match STANDARD_NO_PAD.decode(text.trim()).map(Zeroizing::new) {
        Ok(bytes) if bytes.len() == 32 => Ok(Some(Secret::new(text.trim()))),
        _ => Err(format!("{} is not a key that tollbridge made", path.display())),
    }
}

/// The key, made where there is none.
pub fn read_or_make(path: &Path) -> Result<Secret, String> {
    if let Some(key) = read(path)? {
        return Ok(key);
    }
    make(path)?;
    read(path)?.ok_or_else(|| format!("{} vanished", path.display()))
}

fn make(path: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{} cannot be made: {error}", path.display());
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|_| "the system gives no random bytes".to_owned())?;
    let text = Zeroizing::new(format!("{}\n", STANDARD_NO_PAD.encode(*bytes)));
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", ulid::Ulid::new()));
    let new = PathBuf::from(new);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        // A link does not take the place of a file that is there, as a rename would.
        .and_then(|()| fs::hard_link(&new, path));
    let _ = fs::remove_file(&new);
    match written {
        // Another process was first.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        written => written.map_err(failed),
    }
}

#[cfg(unix)]
fn is_open_to_others(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = beside(&folder.path().join("a.db"), "key");
        assert!(read(&path).expect("nothing is wrong").is_none());
        let all: Vec<String> = std::thread::scope(|scope| {
            let one = || read_or_make(&path).expect("a key").expose().to_owned();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().expect("an end")).collect()
        });
        assert!(all.iter().all(|key| *key == all[0]));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = beside(&folder.path().join("a.db"), "key");
        read_or_make(&path).expect("a key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
        let error = read(&path).expect_err("refused");
        assert!(error.contains("chmod 600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        fs::write(&path, "short\n").expect("a file");
        assert!(read(&path).expect_err("refused").contains("not a key"));
    }
}
