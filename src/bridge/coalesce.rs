//! Identical reads that are under way at the same time are one request: the first one goes out,
//! and the others take its answer.
//!
//! Each call remains its own: it waits no longer than it may, and may leave at any time. Where the
//! one whose request it is leaves, another one sends its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tollbridge_operation::CallId;

use super::breakage::Breakage;
use super::exchange::{Content, Ended};

/// A digest of all that tells a request from another one, and of who may share its answer.
pub(super) type Same = [u8; 32];

/// How a request ended that others waited for.
#[derive(Debug)]
pub(super) struct Landed {
    /// Whose request it was.
    pub(super) call: CallId,
    pub(super) ended: Ended,
    /// Which token it carried.
    pub(super) token: Option<u64>,
}

type Told = Option<Arc<Landed>>;

/// The reads of an API that are under way.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<Board>);

#[derive(Debug, Default)]
struct Board {
    under_way: HashMap<Same, (u64, watch::Receiver<Told>)>,
    counter: u64,
}

/// Which part a call has in a request.
#[derive(Debug)]
pub(super) enum Part<'f> {
    /// It sends it.
    First(Lead<'f>),
    /// It waits for its answer.
    Later(Follow),
}

/// The duty to tell others how a request ended. Where it is dropped, there is nothing to tell.
#[derive(Debug)]
pub(super) struct Lead<'f> {
    flights: &'f Flights,
    same: Same,
    number: u64,
    told: watch::Sender<Told>,
}

/// A wait for somebody else's request.
#[derive(Debug)]
pub(super) struct Follow(watch::Receiver<Told>);

impl Flights {
    /// Joins the request if it is under way, or else begins it.
    pub(super) fn join(&self, same: Same) -> Part<'_> {
        let mut board = self.lock();
        if let Some((_, under_way)) = board.under_way.get(&same) {
            return Part::Later(Follow(under_way.clone()));
        }
        let (told, heard) = watch::channel(None);
        board.counter += 1;
        let number = board.counter;
        board.under_way.insert(same, (number, heard));
        Part::First(Lead { flights: self, same, number, told })
    }

    /// Something was changed: whoever asks from now on does not want an answer from before.
    pub(super) fn close(&self) {
        self.lock().under_way.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lead<'_> {
    /// Tells how the request ended, unless that was for reasons of the caller's own.
    pub(super) fn landed(self, landed: Landed) {
        if is_of_the_upstream(&landed.ended) {
            // Nobody may be waiting.
            let _ = self.told.send(Some(Arc::new(landed)));
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        // Whoever comes from now on asks anew.
        let mut board = self.flights.lock();
        if board.under_way.get(&self.same).is_some_and(|(number, _)| *number == self.number) {
            board.under_way.remove(&self.same);
        }
    }
}

impl Follow {
    /// How the request ended; `None` where whoever sent it is gone.
    pub(super) async fn landed(mut self) -> Option<Arc<Landed>> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

/// Whether it would have ended so for any other caller. How long a caller waits is its own.
fn is_of_the_upstream(ended: &Ended) -> bool {
    let is_late = |what: &Breakage| matches!(what, Breakage::TimedOut(_) | Breakage::NotConnected);
    match ended {
        Ended::Answered(answered) => {
            !matches!(&answered.body, Content::Broken(what) if is_late(what))
        }
        Ended::Broken { what, .. } => !is_late(what),
        Ended::Cancelled { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landed(ended: Ended) -> Landed {
        Landed { call: CallId::new("c1"), ended, token: None }
    }

    fn follow(flights: &Flights) -> Follow {
        match flights.join([1; 32]) {
            Part::Later(follow) => follow,
            Part::First(_) => panic!("it is under way"),
        }
    }

    fn lead(flights: &Flights) -> Lead<'_> {
        match flights.join([1; 32]) {
            Part::First(lead) => lead,
            Part::Later(_) => panic!("it is not under way"),
        }
    }

    const REFUSED: Ended = Ended::Broken { what: Breakage::Refused, sent: false };

    #[tokio::test]
    async fn all_who_wait_are_told_and_the_next_one_asks_anew() {
        let flights = Flights::default();
        let first = lead(&flights);
        let others = [follow(&flights), follow(&flights)];
        first.landed(landed(REFUSED));
        for other in others {
            let told = other.landed().await.expect("it is told");
            assert_eq!(told.call.as_str(), "c1");
        }
        let _anew = lead(&flights);
        assert!(matches!(flights.join([2; 32]), Part::First(_)), "another request");
    }

    #[tokio::test]
    async fn after_a_write_nobody_joins_what_was_asked_before_it() {
        let flights = Flights::default();
        let before = lead(&flights);
        let waiting = follow(&flights);
        flights.close();
        let after = lead(&flights);
        before.landed(landed(REFUSED));
        assert!(waiting.landed().await.is_some());
        drop(follow(&flights));
        drop(after);
    }

    #[tokio::test]
    async fn where_the_first_one_leaves_another_one_begins() {
        let flights = Flights::default();
        for leaves in [
            |_: Lead<'_>| {},
            |lead: Lead<'_>| lead.landed(landed(Ended::Cancelled { sent: true })),
            |lead: Lead<'_>| {
                let what = Breakage::TimedOut(std::time::Duration::from_secs(1));
                lead.landed(landed(Ended::Broken { what, sent: true }));
            },
        ] {
            let first = lead(&flights);
            let other = follow(&flights);
            leaves(first);
            assert!(other.landed().await.is_none());
            drop(lead(&flights));
        }
    }
}
