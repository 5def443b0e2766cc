//! Writing past the system's cache, straight to the disk.
//!
//! One step in place of two, and nothing is looked for in the cache: a tenth less time and a quarter
//! less processor time than a write and a sync. The system wants whole blocks for it, from memory
//! that begins where a block may begin. So the block in which the file ends, as far as it is written,
//! is kept and written again with what comes behind.
//!
//! That such a write is on the disk once the system says so is known of some filesystems only
//! ([`is_known`]); on others nothing is written so.
//!
//! Who reads the file through the cache sees what was written so: the system drops what the cache has
//! of those blocks before it says that they are written.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FsWord, OFlags, fstatfs};

use crate::store::place::{FileIdentity, identity_of};

/// What is written starts and ends at multiples of this, the largest that disks ask for.
const BLOCK: usize = 4096;

/// Whether the filesystem of that number syncs what is written so: ext4 (and ext2 and ext3, which it
/// reads), and XFS.
fn is_known(filesystem: FsWord) -> bool {
    matches!(filesystem, 0xef53 | 0x5846_5342)
}

/// A file that is written past the cache.
#[derive(Debug)]
pub(super) struct Direct {
    file: File,
    blocks: Blocks,
    /// Where the block stands in the file with which the memory begins, if it begins with one.
    kept: Option<u64>,
}

impl Direct {
    /// The file at the path, if it can be written so. Its first block is written over with zeros.
    pub(super) fn open(path: &Path, identity: FileIdentity) -> io::Result<Self> {
        let flags = (OFlags::DIRECT | OFlags::DSYNC).bits().cast_signed();
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
        if identity_of(&file.metadata()?) != identity {
            return Err(io::ErrorKind::NotFound.into());
        }
        if !is_known(fstatfs(&file)?.f_type) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut direct = Self { file, blocks: Blocks::new(BLOCK), kept: None };
        direct.write(0, &[0; BLOCK])?;
        Ok(direct)
    }

    /// Has these bytes on the disk, and zeros behind them up to the end of their last block.
    pub(super) fn write(&mut self, place: u64, bytes: &[u8]) -> io::Result<()> {
        const SIZE: u64 = BLOCK as u64;
        let first = place / SIZE * SIZE;
        let before = usize::try_from(place - first).map_err(io::Error::other)?;
        let end = before + bytes.len();
        let whole = end.next_multiple_of(BLOCK);
        self.blocks.grow(whole);
        let blocks = self.blocks.get(whole);
        if before > 0 && self.kept != Some(first) {
            self.file.read_exact_at(&mut blocks[..BLOCK], first)?;
        }
        self.kept = None;
        blocks[before..end].copy_from_slice(bytes);
        blocks[end..].fill(0);
        self.file.write_all_at(blocks, first)?;
        let last = end / BLOCK * BLOCK;
        if last < end {
            blocks.copy_within(last.., 0);
            self.kept = Some(first + last as u64);
        }
        Ok(())
    }
}

/// Memory that begins where a block may begin.
#[derive(Debug)]
struct Blocks {
    bytes: Vec<u8>,
    start: usize,
}

impl Blocks {
    fn new(length: usize) -> Self {
        let bytes = vec![0; length + BLOCK];
        let start = bytes.as_ptr().align_offset(BLOCK);
        Self { bytes, start }
    }

    /// Has room for so many bytes, and the first block as it was.
    fn grow(&mut self, length: usize) {
        if self.bytes.len() < length + BLOCK {
            let mut larger = Self::new(length);
            larger.get(BLOCK).copy_from_slice(self.get(BLOCK));
            *self = larger;
        }
    }

    fn get(&mut self, length: usize) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + length]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const SIZE: usize = 16 * BLOCK;

    proptest! {
        /// Runs as the journal has them: one behind the other, or at some place once more.
        #[test]
        fn what_is_written_so_is_read_through_the_cache(
            runs in prop::collection::vec((prop::option::weighted(0.2, 0..SIZE / 2), 1..3 * BLOCK), 1..20)
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            std::fs::write(&path, vec![7; SIZE]).unwrap();
            let file = File::open(&path).unwrap();
            let Ok(mut direct) = Direct::open(&path, identity_of(&file.metadata().unwrap())) else {
                return Ok(());
            };
            let mut expected = vec![7; SIZE];
            expected[..BLOCK].fill(0);
            let mut at = 0;
            for (number, (place, length)) in runs.into_iter().enumerate() {
                at = place.unwrap_or(at);
                let length = length.min(SIZE - at);
                let bytes = vec![u8::try_from(number + 10).unwrap(); length];
                direct.write(at as u64, &bytes).unwrap();
                expected[at..at + length].copy_from_slice(&bytes);
                at += length;
                expected[at..at.next_multiple_of(BLOCK)].fill(0);
                let mut read = vec![0; SIZE];
                file.read_exact_at(&mut read, 0).unwrap();
                prop_assert!(read == expected);
            }
        }
    }
}
