//! Files that arguments name: read from the one folder that the configuration allows.
//!
//! An agent's path is input from a stranger. It is opened within the folder by a library that lets
//! no `..`, no absolute path and no link lead out of it, also where somebody moves things about
//! meanwhile. What a file holds is part of what is decided on: its digest joins the arguments
//! before the decision, and the request is built of no other content.

use std::borrow::Cow;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde_json::{Map, Value, json};
use tollbridge_operation::{Arguments, Call, EncodeError, Operation, digest_bytes};

use super::upstream::Upstream;

/// Where an API's files are.
#[derive(Debug, Clone)]
pub struct Uploads {
    /// The folder.
    pub folder: PathBuf,
    /// How many bytes the files of one call may have together.
    pub max: u64,
}

/// A file that a call sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRead {
    /// Its path in the folder.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its content.
    pub digest: String,
}

/// Looks at the files that the arguments name, and notes beside each path what is there: size and
/// digest. The error names the argument, and nothing outside of the folder.
pub fn note_files(
    upstream: &Upstream,
    operation: &Operation,
    arguments: &mut Arguments,
) -> Result<Vec<FileRead>, EncodeError> {
    let places = operation.binding.named_files(arguments);
    let mut left = upstream.uploads.as_ref().map_or(0, |uploads| uploads.max);
    let mut files = Vec::new();
    for place in places {
        let Some(file) = file_at(arguments, &place) else { continue };
        let (path, content) = read(upstream.uploads.as_ref(), file, &place, left)?;
        let size = content.len() as u64;
        left -= size;
        let digest = digest_bytes(&content);
        file.insert("size".to_owned(), json!(size));
        file.insert("digest".to_owned(), json!(digest));
        files.push(FileRead { path, size, digest });
    }
    Ok(files)
}

/// The arguments with the contents of the files that they name.
pub(super) fn with_contents<'a>(
    upstream: &Upstream,
    call: &'a Call,
) -> Result<Cow<'a, Arguments>, EncodeError> {
    let places = call.operation.binding.named_files(&call.arguments);
    if places.is_empty() {
        return Ok(Cow::Borrowed(&call.arguments));
    }
    let mut arguments = call.arguments.clone();
    let mut left = upstream.uploads.as_ref().map_or(0, |uploads| uploads.max);
    for place in places {
        let Some(file) = file_at(&mut arguments, &place) else { continue };
        let (path, content) = read(upstream.uploads.as_ref(), file, &place, left)?;
        left -= content.len() as u64;
        if file.get("digest") != Some(&json!(digest_bytes(&content))) {
            return Err(refused(&place, "a file that stays as it is while it is sent"));
        }
        for noted in ["path", "size", "digest"] {
            file.shift_remove(noted);
        }
        if !file.contains_key("filename")
            && let Some(name) = Path::new(&path).file_name()
        {
            file.insert("filename".to_owned(), json!(name.to_string_lossy()));
        }
        file.insert("data".to_owned(), Value::String(STANDARD.encode(content)));
    }
    Ok(Cow::Owned(arguments))
}

fn file_at<'a>(arguments: &'a mut Arguments, place: &str) -> Option<&'a mut Map<String, Value>> {
    let (first, rest) = place.strip_prefix('/')?.split_once('/').map_or_else(
        || (place.trim_start_matches('/'), String::new()),
        |(first, rest)| (first, format!("/{rest}")),
    );
    arguments.0.get_mut(first)?.pointer_mut(&rest)?.as_object_mut()
}

fn refused(place: &str, expected: &str) -> EncodeError {
    EncodeError { pointer: format!("{place}/path"), expected: expected.to_owned() }
}

fn read(
    uploads: Option<&Uploads>,
    file: &Map<String, Value>,
    place: &str,
    left: u64,
) -> Result<(String, Vec<u8>), EncodeError> {
    let refused = |expected: &str| refused(place, expected);
    let path = file.get("path").and_then(Value::as_str).ok_or_else(|| refused("a path"))?;
    let uploads = uploads.ok_or_else(|| refused("no path: this API takes none"))?;
    let is_plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if path.is_empty() || !is_plain || path.contains(['\\', '\0']) {
        return Err(refused(
            "a path within the folder of files, without `..`, `.` and `/` at its start",
        ));
    }
    let missing = |_| refused("the path of a file that is in the folder of files");
    let folder = Dir::open_ambient_dir(&uploads.folder, ambient_authority()).map_err(missing)?;
    // Before it is opened: opening what is no file may wait for ever.
    if !folder.metadata(path).map_err(missing)?.is_file() {
        return Err(refused("a file, not a folder or a device"));
    }
    let open = folder.open(path).map_err(missing)?;
    let mut content = Vec::new();
    open.take(left.saturating_add(1)).read_to_end(&mut content).map_err(missing)?;
    if content.len() as u64 > left {
        let max = uploads.max;
        return Err(refused(&format!("files of at most {max} bytes together")));
    }
    Ok((path.to_owned(), content))
}
