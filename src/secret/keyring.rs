//! Entries of the desktop's keyring: what Secret Service keeps on Linux, and the Keychain on macOS.
//!
//! They are read by the platform's own programs, as a command's output is: `secret-tool` of
//! libsecret, `security` of macOS. The entries are those that other keyring libraries write, by
//! service and user. A machine without a desktop has no keyring, and says so.

use std::path::Path;

use zeroize::Zeroizing;

use super::{SecretRef, command};

/// Reads `SERVICE/USER`; the user is what follows the last `/`.
pub(super) fn entry(text: &str) -> Option<SecretRef> {
    let (service, user) = text.rsplit_once('/')?;
    let is_fine = |text: &str| !text.is_empty() && !text.contains('\0') && !text.starts_with('-');
    (is_fine(service) && is_fine(user))
        .then(|| SecretRef::Keyring { service: service.to_owned(), user: user.to_owned() })
}

/// The program that reads an entry, and its arguments.
fn words(service: &str, user: &str) -> Result<Vec<String>, String> {
    let words: &[&str] = if cfg!(target_os = "macos") {
        &["/usr/bin/security", "find-generic-password", "-w", "-s", service, "-a", user]
    } else if cfg!(unix) {
        &["secret-tool", "lookup", "service", service, "username", user]
    } else {
        return Err(
            "the keyring of this platform is not read; use `env:`, `file:` or `exec:`".into()
        );
    };
    Ok(words.iter().map(ToString::to_string).collect())
}

/// Whether the keyring could be read. The error says in words what is wrong.
pub(super) fn find(
    service: &str,
    user: &str,
    dir: &Path,
    path: Option<&Path>,
) -> Result<(), String> {
    command::find(&words(service, user)?, dir, path).map_err(|_| NO_PROGRAM.to_owned())
}

const NO_PROGRAM: &str = "there is no `secret-tool` (libsecret) to read it with, and on a server \
                          usually no keyring either: use `file:`, `cred:` or `exec:` there";

/// What the entry holds, and at most one byte more than is allowed. The error says in words what
/// is wrong, and nothing of what the program said.
pub(super) fn read(
    service: &str,
    user: &str,
    dir: &Path,
    most: u64,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let path = std::env::var_os("PATH");
    find(service, user, dir, path.as_deref().map(Path::new))?;
    read_with(&words(service, user)?, dir, most)
}

fn read_with(words: &[String], dir: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>, String> {
    command::output(words, dir, command::TIME, most).map_err(|_| {
        "the keyring gives nothing: it has no such entry, is locked, or there is none in this \
         session (a server has none: use `file:`, `cred:` or `exec:` there)"
            .to_owned()
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_service_and_a_user() {
        let entry = |text: &str| entry(text).map(|reference| reference.to_string());
        assert_eq!(entry("shop/bridge").as_deref(), Some("keyring:shop/bridge"));
        assert_eq!(
            entry("https://shop/x/bridge").as_deref(),
            Some("keyring:https://shop/x/bridge")
        );
        for text in ["", "shop", "/bridge", "shop/", "-s/bridge", "shop/-a"] {
            assert_eq!(entry(text), None, "{text}");
        }
    }

    #[test]
    fn a_machine_without_a_keyring_says_what_to_do() {
        let nowhere = Path::new("/nonexistent");
        let error = find("shop", "bridge", nowhere, Some(nowhere)).expect_err("nothing there");
        assert!(cfg!(target_os = "macos") || error.contains("use `file:`"), "{error}");
        let failing = ["sh", "-c", "echo hunter2 >&2; exit 1"].map(str::to_owned);
        let error = read_with(&failing, Path::new("/"), 16).expect_err("it fails");
        assert!(error.contains("no such entry") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn what_the_program_prints_is_the_secret() {
        let prints = ["sh", "-c", "printf s3cret"].map(str::to_owned);
        let read = read_with(&prints, Path::new("/"), 16).expect("a secret");
        assert_eq!(read.as_slice(), b"s3cret");
    }
}
