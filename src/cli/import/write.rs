//! Files that an import leaves behind: written whole or not at all.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use super::ImportError;

/// The folder of a file.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Replaces a file, or makes it. Whoever reads it meanwhile sees the old one or the new one.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), ImportError> {
    write(path, text.as_bytes())
        .map_err(|error| ImportError::Failed(format!("cannot write {}: {error}", path.display())))
}

pub(in crate::cli) fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // A link stays a link: what it leads to is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = folder_of(&path);
    std::fs::create_dir_all(&folder)?;
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    let draft = folder.join(name);
    let written = (|| {
        let mut file = File::create(&draft)?;
        if let Ok(existing) = std::fs::metadata(&path) {
            file.set_permissions(existing.permissions())?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&draft, &path)
    })();
    if written.is_err() {
        // The draft is of no use to anyone; that it cannot be removed changes nothing.
        let _removed = std::fs::remove_file(&draft);
    }
    written
}

/// The same, or no file where there is nothing to write.
pub(in crate::cli) fn write_or_remove(path: &Path, bytes: Option<&[u8]>) -> std::io::Result<()> {
    match bytes {
        Some(bytes) => write(path, bytes),
        None => match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

/// A path as the file in `folder` names it: relative where that is possible, with `/`.
pub(super) fn relative(path: &Path, folder: &Path) -> String {
    let (Ok(path_whole), Ok(folder_whole)) = (path.canonicalize(), absolute(folder)) else {
        return slashes(path);
    };
    let ours: Vec<Component> = folder_whole.components().collect();
    let theirs: Vec<Component> = path_whole.components().collect();
    let shared = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
    // Nothing but the root in common: a way through it helps nobody.
    if shared <= 1 {
        return slashes(&path_whole);
    }
    let up = std::iter::repeat_n(Component::ParentDir, ours.len() - shared);
    slashes(&up.chain(theirs[shared..].iter().copied()).collect::<PathBuf>())
}

/// The folder with its links followed as far as it exists.
fn absolute(folder: &Path) -> std::io::Result<PathBuf> {
    folder.canonicalize().or_else(|_| std::path::absolute(folder))
}

fn slashes(path: &Path) -> String {
    path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}
