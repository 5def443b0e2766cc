//! How bytes get into the journal's file, and onto the disk.
//!
//! What need not be there before somebody syncs is gathered, and written all at once by whoever
//! does. Where the system lets us, that goes past its cache straight to the disk
//! ([`direct`](super::direct)), in one step; else it is written and then synced.
//!
//! This file knows places and bytes, and no records.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::Arc;

#[cfg(target_os = "linux")]
use super::direct::Direct;

/// Bytes that are still to be written, and where.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    bytes: Vec<u8>,
    runs: Vec<Run>,
}

/// Some of them that stand one behind the other in the file, too.
#[derive(Debug)]
struct Run {
    place: u64,
    bytes: Range<usize>,
}

impl Gathered {
    /// Adds what belongs at this place.
    pub(super) fn add(&mut self, place: u64, bytes: &[u8]) {
        let begun = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let end = self.bytes.len();
        match self.runs.last_mut() {
            Some(run) if run.place + run.bytes.len() as u64 == place => run.bytes.end = end,
            _ => self.runs.push(Run { place, bytes: begun..end }),
        }
    }

    /// How many bytes there are.
    pub(super) fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Each run of them, in the order in which they came.
    fn runs(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.runs.iter().map(|run| (run.place, &self.bytes[run.bytes.clone()]))
    }

    /// Forgets them, and keeps the room for others.
    fn clear(&mut self) {
        self.bytes.clear();
        self.runs.clear();
    }
}

/// The file as whoever syncs has it.
#[derive(Debug)]
pub(super) struct Disk {
    /// What is to be written next.
    gathered: Gathered,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Synced(Cursor),
    #[cfg(target_os = "linux")]
    Direct(Direct),
    #[cfg(test)]
    Told(Told),
}

impl Disk {
    /// Writes that file, and syncs it.
    pub(super) fn synced(file: Arc<File>) -> Self {
        Self { gathered: Gathered::default(), way: Way::Synced(Cursor::new(file)) }
    }

    /// Writes past the system's cache.
    #[cfg(target_os = "linux")]
    pub(super) fn direct(direct: Direct) -> Self {
        Self { gathered: Gathered::default(), way: Way::Direct(direct) }
    }

    /// Takes what was gathered elsewhere.
    pub(super) fn take(&mut self, gathered: &mut Gathered) {
        // The room that each of them has is used again.
        self.gathered.clear();
        std::mem::swap(&mut self.gathered, gathered);
    }

    /// Has all that was taken on the disk. After an error nothing is known of it, and nothing is
    /// to be written any more.
    pub(super) fn write(&mut self) -> io::Result<()> {
        let mut runs = self.gathered.runs();
        match &mut self.way {
            Way::Synced(cursor) => {
                runs.try_for_each(|(place, bytes)| cursor.write(place, bytes))?;
                cursor.file.sync_data()
            }
            #[cfg(target_os = "linux")]
            Way::Direct(direct) => runs.try_for_each(|(place, bytes)| direct.write(place, bytes)),
            #[cfg(test)]
            Way::Told(told) => told.write(runs.map(|(_, bytes)| bytes.len()).sum()),
        }
    }
}

/// A file, and where it would go on writing.
#[derive(Debug)]
pub(super) struct Cursor {
    file: Arc<File>,
    /// `None` where that is not known.
    at: Option<u64>,
}

impl Cursor {
    /// For a file of which nobody else moves the place.
    pub(super) fn new(file: Arc<File>) -> Self {
        Self { file, at: None }
    }

    /// Writes at that place.
    pub(super) fn write(&mut self, place: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = &*self.file;
        if self.at.take() != Some(place) {
            file.seek(SeekFrom::Start(place))?;
        }
        file.write_all(bytes)?;
        self.at = Some(place + bytes.len() as u64);
        Ok(())
    }
}

/// A disk that takes as long as a test says, and does then what that says.
#[cfg(test)]
#[derive(Debug)]
pub(super) struct Told {
    /// Told of how many bytes are to be written.
    pub(super) asked: std::sync::mpsc::Sender<usize>,
    pub(super) written: std::sync::mpsc::Receiver<io::Result<()>>,
}

#[cfg(test)]
impl Told {
    fn write(&self, bytes: usize) -> io::Result<()> {
        let gone = |_| io::Error::other("the test has ended");
        self.asked.send(bytes).map_err(|_| io::Error::other("the test has ended"))?;
        self.written.recv().map_err(gone)?
    }
}

#[cfg(test)]
impl Disk {
    pub(super) fn told(told: Told) -> Self {
        Self { gathered: Gathered::default(), way: Way::Told(told) }
    }
}
