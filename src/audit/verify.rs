//! Whether the trail is what was written.
//!
//! Each event's hash is computed again from the event and the hash before it, from the chain's
//! beginning or from where retention cut it off; what was signed must be what is there. The first
//! event that is not so is named: what comes after it proves nothing any more.
//!
//! What is found: an event that was changed, put in, taken out or moved; a payload that is gone
//! without a word; a trail that ends before what was signed. What was written behind the last
//! checkpoint and cut off with it is found by an anchor that was kept elsewhere.

#[cfg(test)]
pub(super) mod tests;

use std::collections::{HashMap, VecDeque};
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::{Anchor, Time};
use crate::store::{ChainRow, ChainStart, Digest, Store, StoreError, TrailReader, genesis};

/// How many events are read at once.
const PAGE: u32 = 2_000;

/// What a trail that verifies is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The trail's name.
    pub trail: String,
    /// How many events are chained.
    pub events: u64,
    /// The place of the last one; 0 where there is none.
    pub last: i64,
    /// How many events are from before the chain: one digest covers them.
    pub before_chain: i64,
    /// Up to which event retention removed them.
    pub pruned_to: Option<i64>,
    /// How many events had a payload that was erased.
    pub erased: u64,
    /// How many checkpoints were checked.
    pub checkpoints: u64,
    /// Up to which event it is signed.
    pub signed_to: Option<i64>,
    /// When that was.
    pub signed: Option<Time>,
    /// By which key.
    pub key: Option<String>,
    /// How many anchors were found in it.
    pub anchors: u64,
    /// How many anchors are of events that retention removed: they say nothing any more.
    pub anchors_too_old: u64,
}

/// The first thing that is wrong with a trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Broken {
    /// Events are not there.
    Missing {
        /// The first of them.
        from: i64,
        /// The last of them.
        to: i64,
    },
    /// An event is not the one that was written.
    Changed {
        /// Which.
        seq: i64,
        /// Its call.
        call: Option<String>,
    },
    /// An event has no hash, though it is not from before the chain.
    Unchained {
        /// Which.
        seq: i64,
        /// Its call.
        call: Option<String>,
    },
    /// A payload is gone, and nothing says that it was erased.
    PayloadGone {
        /// Whose.
        seq: i64,
        /// Its call.
        call: Option<String>,
    },
    /// The text that an event has in common with others is not there, or not what it was.
    SharedText {
        /// Of which.
        seq: i64,
        /// Its call.
        call: Option<String>,
    },
    /// The events from before the chain are not those that it covers.
    BeforeChain,
    /// The beginning of the chain is not what it was.
    Beginning,
    /// A checkpoint says something else of an event.
    Checkpoint {
        /// Of which.
        seq: i64,
    },
    /// A checkpoint's signature is wrong.
    Signature {
        /// Of which event.
        seq: i64,
    },
    /// A checkpoint was signed by another key.
    Key {
        /// Of which event.
        seq: i64,
        /// By which.
        key: String,
    },
    /// There are events, and none of them is signed.
    Unsigned,
    /// The trail ends before an event that was signed.
    CutOff {
        /// Its last event.
        last: i64,
        /// The event that was signed.
        signed: i64,
    },
    /// An anchor says something else of an event.
    Anchor {
        /// Of which.
        seq: i64,
    },
    /// An anchor is of another trail.
    OtherTrail {
        /// Which.
        trail: String,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |call: &Option<String>| match call {
            Some(call) => format!(" (call {})", call.chars().take(64).collect::<String>()),
            None => String::new(),
        };
        match self {
            Self::Missing { from, to } if from == to => write!(f, "event {from} is missing"),
            Self::Missing { from, to } => write!(f, "events {from} to {to} are missing"),
            Self::Changed { seq, call } => {
                write!(f, "event {seq}{} is not the one that was written", of(call))
            }
            Self::Unchained { seq, call } => {
                write!(f, "event {seq}{} was put in past the chain", of(call))
            }
            Self::PayloadGone { seq, call } => write!(
                f,
                "the payload of event {seq}{} is gone, and nothing says that it was erased",
                of(call)
            ),
            Self::SharedText { seq, call } => write!(
                f,
                "the text that event {seq}{} has in common with others is gone, or is not the one \
                 that was written",
                of(call)
            ),
            Self::BeforeChain => {
                f.write_str("the events from before the chain are not those that it covers")
            }
            Self::Beginning => f.write_str("the beginning of the chain was changed or removed"),
            Self::Checkpoint { seq } => {
                write!(f, "event {seq} is not the one that the checkpoint of it was signed for")
            }
            Self::Signature { seq } => {
                write!(f, "the signature of the checkpoint at event {seq} is wrong")
            }
            Self::Key { seq, key } => write!(
                f,
                "the checkpoint at event {seq} was signed by another key, {}",
                key.chars().take(80).collect::<String>()
            ),
            Self::Unsigned => f.write_str("no checkpoint says that the chain is ours"),
            Self::CutOff { last, signed } => {
                write!(f, "it ends at event {last}, and was signed up to event {signed}")
            }
            Self::Anchor { seq } => {
                write!(f, "event {seq} is not the one that the anchor was taken of")
            }
            Self::OtherTrail { trail } => {
                let trail: String = trail.chars().take(64).collect();
                write!(f, "the anchor is of another trail, {trail}")
            }
        }
    }
}

/// What the trail must agree with besides itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Against<'a> {
    /// Checkpoints that were kept elsewhere.
    pub anchors: &'a [Anchor],
    /// The public key that must have signed: `ed25519:` and base64. Where none is named it is
    /// that of the first anchor, and else whichever signed last.
    pub key: Option<&'a str>,
}

/// Verifies a trail, as it is now. It streams: what it holds does not grow with the trail.
pub async fn verify(
    store: &Store,
    against: Against<'_>,
) -> Result<Result<Verified, Broken>, StoreError> {
    let mut trail = store.trail().await?;
    let found = match trail.start().await? {
        Some(start) => Walk::new(start, &mut trail, against).await?.walk(&mut trail).await?,
        None => Err(Broken::Beginning),
    };
    trail.close().await?;
    Ok(found)
}

/// A run of events, from the first to the last.
type Span = (i64, i64);

/// Something that must be true of an event's hash.
struct Expected {
    seq: i64,
    hash: String,
    broken: Broken,
}

/// On the way along the chain.
struct Walk {
    start: ChainStart,
    hash: Digest,
    next: i64,
    last: i64,
    /// Up to where events may be gone.
    pruned: Option<(i64, Digest)>,
    /// Whose payloads may be gone.
    erased: Vec<Span>,
    expected: VecDeque<Expected>,
    /// What is wrong with what was signed, whatever the events are.
    refused: Option<Broken>,
    /// Texts that events have in common and that are what they were.
    texts: HashMap<String, String>,
    report: Verified,
}

impl Walk {
    async fn new(
        start: ChainStart,
        trail: &mut TrailReader,
        against: Against<'_>,
    ) -> Result<Self, StoreError> {
        let statements = trail.statements().await?;
        let rows = trail.checkpoints().await?;
        let last = trail.last().await?;
        let pruned = statements.iter().filter_map(pruned_by).max_by_key(|(upto, _)| *upto);
        let erased = statements.iter().flat_map(erased_by).collect();
        let report = Verified {
            trail: start.trail.clone(),
            events: 0,
            last: last.as_ref().map_or(0, |row| row.seq),
            before_chain: start.covers,
            pruned_to: pruned.map(|(upto, _)| upto),
            erased: 0,
            checkpoints: 0,
            signed_to: rows.last().map(|row| row.seq),
            signed: rows.last().map(|row| Time(row.at)),
            key: rows.last().map(|row| row.key.clone()),
            anchors: 0,
            anchors_too_old: 0,
        };
        let mut walk = Self {
            hash: start.genesis,
            next: start.first,
            last: report.last,
            start,
            pruned,
            erased,
            expected: VecDeque::new(),
            refused: None,
            texts: HashMap::new(),
            report,
        };
        let key = against.key.or(against.anchors.first().map(|anchor| anchor.key.as_str()));
        let key = key.map(str::to_owned).or(walk.report.key.clone());
        let mut expected = Vec::new();
        for anchor in against.anchors {
            let broken = Broken::Anchor { seq: anchor.seq };
            if anchor.trail != walk.start.trail {
                walk.refuse(Broken::OtherTrail { trail: anchor.trail.clone() });
            } else if walk.signed(anchor, key.as_deref()) {
                walk.report.anchors += 1;
                expected.push(Expected { seq: anchor.seq, hash: anchor.hash.clone(), broken });
            }
        }
        for row in &rows {
            let anchor = Anchor::of_row(&walk.start.trail, row);
            if walk.signed(&anchor, key.as_deref()) {
                walk.report.checkpoints += 1;
                let broken = Broken::Checkpoint { seq: row.seq };
                expected.push(Expected { seq: row.seq, hash: anchor.hash, broken });
            }
        }
        if let Some((upto, _)) = walk.pruned {
            let too_old = |anchor: &&Anchor| anchor.seq < upto;
            let count = against.anchors.iter().filter(too_old).count() as u64;
            walk.report.anchors_too_old = count;
            walk.report.anchors -= count.min(walk.report.anchors);
            expected.retain(|expected| expected.seq >= upto);
        }
        expected.sort_by_key(|expected| expected.seq);
        walk.expected = expected.into();
        Ok(walk)
    }

    /// Whether a checkpoint was signed by the right key, and rightly.
    fn signed(&mut self, anchor: &Anchor, key: Option<&str>) -> bool {
        let seq = anchor.seq;
        if !anchor.is_signed() {
            self.refuse(Broken::Signature { seq });
        } else if key.is_some_and(|key| key != anchor.key) {
            self.refuse(Broken::Key { seq, key: anchor.key.clone() });
        } else {
            return true;
        }
        false
    }

    fn refuse(&mut self, broken: Broken) {
        self.refused.get_or_insert(broken);
    }

    async fn walk(
        mut self,
        trail: &mut TrailReader,
    ) -> Result<Result<Verified, Broken>, StoreError> {
        let ChainStart { trail: name, first, covers, digest, .. } = &self.start;
        if genesis(name, *first, *covers, digest) != self.start.genesis {
            return Ok(Err(Broken::Beginning));
        }
        // An event with a place before the first is there to be found.
        let mut after = i64::MIN;
        let mut before = (Digest::default(), 0_i64);
        if let Some((upto, hash)) = self.pruned {
            (self.hash, self.next, after) = (hash, upto + 1, upto);
            if let Err(broken) = self.meets(upto) {
                return Ok(Err(broken));
            }
        }
        let covered = self.pruned.is_some();
        loop {
            let rows = trail.after(after, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            for row in rows {
                if row.seq < self.start.first {
                    before = (row.link(&before.0), before.1 + 1);
                    if row.payload_digest.is_some() || row.hash.is_some() {
                        return Ok(Err(Broken::BeforeChain));
                    }
                } else if let Err(broken) = self.take(&row) {
                    return Ok(Err(broken));
                }
            }
        }
        if !covered && before != (self.start.digest, self.start.covers) {
            return Ok(Err(Broken::BeforeChain));
        }
        if let Some(signed) = self.expected.back() {
            let broken = match signed.broken {
                Broken::Anchor { seq } | Broken::Checkpoint { seq } => seq,
                _ => signed.seq,
            };
            return Ok(Err(Broken::CutOff { last: self.last, signed: broken }));
        }
        if let Some(broken) = self.refused {
            return Ok(Err(broken));
        }
        if self.report.signed_to.is_none() && self.report.events > 0 {
            return Ok(Err(Broken::Unsigned));
        }
        Ok(Ok(self.report))
    }

    /// Takes the next event.
    fn take(&mut self, row: &ChainRow) -> Result<(), Broken> {
        let call = || row.texts[0].clone();
        if row.seq != self.next {
            return Err(Broken::Missing { from: self.next, to: row.seq - 1 });
        }
        if row.payload.is_none() && row.payload_digest.is_some() {
            self.report.erased += 1;
            if !self.erased.iter().any(|(from, to)| (*from..=*to).contains(&row.seq)) {
                return Err(Broken::PayloadGone { seq: row.seq, call: call() });
            }
        }
        let Some(hash) = &row.hash else {
            return Err(Broken::Unchained { seq: row.seq, call: call() });
        };
        self.hash = row.link(&self.hash);
        if *hash != self.hash || (row.payload.is_some() && row.payload_digest.is_some()) {
            return Err(Broken::Changed { seq: row.seq, call: call() });
        }
        if !row.has_shared(&mut self.texts) {
            return Err(Broken::SharedText { seq: row.seq, call: call() });
        }
        self.report.events += 1;
        self.next += 1;
        self.meets(row.seq)
    }

    /// Whether what was signed of an event is so.
    fn meets(&mut self, seq: i64) -> Result<(), Broken> {
        while let Some(expected) = self.expected.front()
            && expected.seq <= seq
        {
            if expected.seq < seq || expected.hash != hex::encode(self.hash) {
                return Err(expected.broken.clone());
            }
            self.expected.pop_front();
        }
        Ok(())
    }
}

/// Up to where an event says that events were removed, and the hash of the last of them.
pub(super) fn pruned_by(row: &ChainRow) -> Option<(i64, Digest)> {
    if row.kind() != "records_pruned" {
        return None;
    }
    let body: Value = serde_json::from_str(row.body()).ok()?;
    let mut hash = Digest::default();
    hex::decode_to_slice(body.get("hash")?.as_str()?, &mut hash).ok()?;
    Some((body.get("upto")?.as_i64().filter(|upto| *upto < row.seq)?, hash))
}

/// Whose payloads an event says that were erased.
fn erased_by(row: &ChainRow) -> Vec<Span> {
    if row.kind() != "payloads_erased" {
        return Vec::new();
    }
    let spans = serde_json::from_str(row.body()).ok().and_then(|mut body: Value| {
        serde_json::from_value::<Vec<Span>>(body.get_mut("events")?.take()).ok()
    });
    spans.unwrap_or_default().into_iter().filter(|(_, to)| *to < row.seq).collect()
}
