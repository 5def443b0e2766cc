//! Where a secret is to be found.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use zeroize::Zeroizing;

use super::{Secret, command, keyring};

/// Longer than any credential; a reference to a larger file is a mistake.
const MAX_BYTES: u64 = 64 * 1024;

/// Where a secret is to be found. Its text form is what `tools.toml` holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretRef {
    /// `env:NAME`: an environment variable.
    Env(String),
    /// `file:PATH`: a file, relative to the configuration's folder.
    File(PathBuf),
    /// `cred:NAME`: a file in `$CREDENTIALS_DIRECTORY` (systemd.exec(5), Credentials).
    Credential(String),
    /// `keyring:SERVICE/USER`: an entry of the desktop's keyring.
    Keyring {
        /// Of what.
        service: String,
        /// Whose.
        user: String,
    },
    /// `exec:COMMAND`: what a command prints. Its words are parted as a shell does; there is none.
    Command(String),
}

/// Why there is no secret. No variant holds a secret, nor what was given instead of a
/// reference, which may be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not a reference at all.
    #[error(
        "expected `env:NAME`, `file:PATH`, `cred:NAME`, `keyring:SERVICE/USER` or `exec:COMMAND`: a \
         literal secret is refused"
    )]
    Literal,
    /// A reference whose name cannot be one.
    #[error("`{kind}:` must be followed by {expected}")]
    BadName {
        /// Which kind of reference.
        kind: &'static str,
        /// What the name must be, in words.
        expected: &'static str,
    },
    /// Nothing is there.
    #[error("`{reference}` cannot be read: {reason}")]
    Missing {
        /// The reference.
        reference: String,
        /// What is wrong, in words.
        reason: String,
    },
    /// It is there and empty.
    #[error("`{reference}` is empty")]
    Empty {
        /// The reference.
        reference: String,
    },
    /// It is there and no text, or too long to be a credential.
    #[error("`{reference}` is no secret: expected UTF-8 text of at most 64 KiB")]
    NotText {
        /// The reference.
        reference: String,
    },
}

impl FromStr for SecretRef {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let Some((kind, name)) = text.split_once(':') else { return Err(SecretError::Literal) };
        let bad = |kind, expected| SecretError::BadName { kind, expected };
        match kind {
            "env" if !name.is_empty() && !name.contains(['=', '\0']) => Ok(Self::Env(name.into())),
            "env" => Err(bad("env", "the name of an environment variable")),
            "file" if !name.is_empty() && !name.contains('\0') => Ok(Self::File(name.into())),
            "file" => Err(bad("file", "a path")),
            "cred" if is_credential_name(name) => Ok(Self::Credential(name.into())),
            "cred" => Err(bad("cred", "the name of a systemd credential, without `/`")),
            "keyring" => keyring::entry(name)
                .ok_or_else(|| bad("keyring", "a service and a user: `keyring:SERVICE/USER`")),
            "exec" if command::words(name).is_some() => Ok(Self::Command(name.into())),
            "exec" => Err(bad("exec", "a program and its arguments")),
            _ => Err(SecretError::Literal),
        }
    }
}

fn is_credential_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0'])
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Credential(name) => write!(f, "cred:{name}"),
            Self::Keyring { service, user } => write!(f, "keyring:{service}/{user}"),
            Self::Command(text) => write!(f, "exec:{text}"),
        }
    }
}

impl SecretRef {
    /// Fetches the secret. Relative paths start at `base_dir`; one line break at the end of
    /// a file, and of what a command prints, is not part of the secret. A command may take ten
    /// seconds, and this waits for it.
    pub fn resolve(&self, base_dir: &Path) -> Result<Secret, SecretError> {
        self.resolve_in(base_dir, |name| std::env::var_os(name))
    }

    /// Whether the secret is there, as far as that can be told without running a command.
    pub fn verify(&self, base_dir: &Path) -> Result<(), SecretError> {
        let path = std::env::var_os("PATH");
        let path = path.as_deref().map(Path::new);
        let found = match self {
            Self::Command(text) => {
                command::find(&command::words(text).unwrap_or_default(), base_dir, path)
            }
            Self::Keyring { service, user } => keyring::find(service, user, base_dir, path),
            _ => return self.resolve(base_dir).map(drop),
        };
        found.map_err(|reason| self.missing(&reason))
    }

    /// Whether a program must be run to have the secret.
    pub fn runs_a_program(&self) -> bool {
        matches!(self, Self::Command(_) | Self::Keyring { .. })
    }

    /// The file that holds the secret, where one does: it changes when the secret does.
    pub fn file(&self, base_dir: &Path) -> Option<PathBuf> {
        match self {
            Self::Env(_) | Self::Command(_) | Self::Keyring { .. } => None,
            Self::File(path) => Some(base_dir.join(path)),
            Self::Credential(name) => {
                Some(Path::new(&std::env::var_os("CREDENTIALS_DIRECTORY")?).join(name))
            }
        }
    }

    /// Fetches the secret, with the environment as a parameter.
    pub(super) fn resolve_in(
        &self,
        base_dir: &Path,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Secret, SecretError> {
        let secret = match self {
            Self::Env(name) => environment(name)
                .ok_or_else(|| self.missing("the variable is not set"))?
                .into_string()
                .map(Secret::new)
                .map_err(|_| self.not_text())?,
            Self::File(path) => self.read(&base_dir.join(path))?,
            Self::Credential(name) => {
                let folder = environment("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    self.missing("CREDENTIALS_DIRECTORY is not set: systemd did not start this")
                })?;
                self.read(&Path::new(&folder).join(name))?
            }
            Self::Keyring { service, user } => {
                let bytes = keyring::read(service, user, base_dir, MAX_BYTES)
                    .map_err(|reason| self.missing(&reason))?;
                self.text(&bytes)?
            }
            Self::Command(text) => {
                let words = command::words(text).unwrap_or_default();
                let bytes = command::output(&words, base_dir, command::TIME, MAX_BYTES)
                    .map_err(|reason| self.missing(&reason))?;
                self.text(&bytes)?
            }
        };
        if secret.expose().is_empty() {
            return Err(SecretError::Empty { reference: self.to_string() });
        }
        Ok(secret)
    }

    fn read(&self, path: &Path) -> Result<Secret, SecretError> {
        let unreadable = |error: std::io::Error| self.missing(&error.to_string());
        let mut bytes = Zeroizing::new(Vec::new());
        let file = File::open(path).map_err(unreadable)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        self.text(&bytes)
    }

    /// The secret that these bytes are.
    fn text(&self, bytes: &[u8]) -> Result<Secret, SecretError> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(self.not_text());
        }
        let text = std::str::from_utf8(bytes).map_err(|_| self.not_text())?;
        let mut line = text.strip_suffix('\n').unwrap_or(text);
        line = line.strip_suffix('\r').unwrap_or(line);
        let secret = Secret::new(line);
        Ok(secret)
    }

    fn missing(&self, reason: &str) -> SecretError {
        SecretError::Missing { reference: self.to_string(), reason: reason.to_owned() }
    }

    fn not_text(&self) -> SecretError {
        SecretError::NotText { reference: self.to_string() }
    }
}
