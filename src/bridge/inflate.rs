//! Undoing gzip under two bounds: how much comes out, and how much more than went in.
//!
//! A small answer may unpack to a thousand times its size (RFC 1951's longest matches). It is
//! unpacked piece by piece, and no further than is allowed.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;

/// How many times its size an answer may unpack to.
const RATIO: u64 = 400;

/// What an answer may unpack to whatever its size.
const FREE: u64 = 1024 * 1024;

/// Why there is no more of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// More than is allowed would come out.
    TooLarge,
    /// Far more would come out than went in.
    Bomb,
    /// It is no gzip, or not all of it.
    Broken,
}

/// An answer that is being unpacked.
pub(super) struct Inflate(MultiGzDecoder<Sink>);

/// What came out, and its bounds.
struct Sink {
    out: BytesMut,
    packed: u64,
    max: u64,
    stopped: Option<Stopped>,
}

impl Inflate {
    /// Unpacks to at most `max` bytes.
    pub(super) fn new(max: u64) -> Self {
        let out = BytesMut::new();
        Self(MultiGzDecoder::new(Sink { out, packed: 0, max, stopped: None }))
    }

    /// Takes the next piece.
    pub(super) fn take(&mut self, piece: &[u8]) -> Result<(), Stopped> {
        self.0.get_mut().packed += piece.len() as u64;
        let taken = self.0.write_all(piece);
        self.or_stopped(taken)
    }

    /// How many bytes came out so far.
    pub(super) fn bytes(&self) -> u64 {
        self.0.get_ref().out.len() as u64
    }

    /// All that came out. An answer without a body is none in gzip either.
    pub(super) fn finish(mut self) -> Result<Bytes, Stopped> {
        if self.0.get_ref().packed > 0 {
            let ended = self.0.try_finish();
            self.or_stopped(ended)?;
        }
        Ok(self.0.get_mut().out.split().freeze())
    }

    fn or_stopped(&self, ended: io::Result<()>) -> Result<(), Stopped> {
        ended.map_err(|_| self.0.get_ref().stopped.unwrap_or(Stopped::Broken))
    }
}

impl Write for Sink {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let bytes = self.out.len() as u64 + piece.len() as u64;
        let stopped = if bytes > self.max {
            Some(Stopped::TooLarge)
        } else if bytes > FREE && bytes / RATIO > self.packed {
            Some(Stopped::Bomb)
        } else {
            None
        };
        if stopped.is_some() {
            self.stopped = stopped;
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.out.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(bytes).expect("memory");
        packed.finish().expect("memory")
    }

    /// What comes out, however the packed bytes are cut into pieces.
    fn unpacked(packed: &[u8], max: u64) -> Result<Vec<u8>, Stopped> {
        let of = |size: usize| {
            let mut inflate = Inflate::new(max);
            packed.chunks(size).try_for_each(|piece| inflate.take(piece))?;
            inflate.finish().map(|bytes| bytes.to_vec())
        };
        let whole = of(packed.len().max(1));
        assert_eq!(of(7), whole);
        whole
    }

    #[test]
    fn what_was_packed_comes_out_up_to_the_limit() {
        let text = b"{\"ok\": true}".repeat(10);
        let packed = gzip(&text);
        assert_eq!(unpacked(&packed, 120), Ok(text.clone()));
        assert_eq!(unpacked(&packed, 119), Err(Stopped::TooLarge));
        assert_eq!(unpacked(&[packed.clone(), packed].concat(), 240), Ok(text.repeat(2)));
        assert_eq!(unpacked(b"", 1), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_gzip_or_not_all_of_it_is_broken() {
        let packed = gzip(b"{\"ok\": true}");
        let mut wrong_sum = packed.clone();
        *wrong_sum.last_mut().expect("bytes") ^= 1;
        for bytes in [b"plain".as_slice(), &packed[..packed.len() - 3], &packed[..12], &wrong_sum] {
            assert_eq!(unpacked(bytes, 1000), Err(Stopped::Broken), "{bytes:?}");
        }
    }

    #[test]
    fn what_unpacks_to_far_more_than_its_size_is_stopped_early() {
        let packed = gzip(&vec![0; 8 << 20]);
        assert_eq!(unpacked(&packed, 64 << 20), Err(Stopped::Bomb));
        let mut inflate = Inflate::new(64 << 20);
        let _ = inflate.take(&packed);
        assert!(inflate.bytes() < 4 << 20, "{}", inflate.bytes());
        // A megabyte of the same is nobody's bomb.
        assert!(unpacked(&gzip(&vec![0; 1 << 20]), 64 << 20).is_ok());
    }
}
