//! Telling clients that their tools changed.
//!
//! Modern clients ask for it with a `subscriptions/listen` stream, which the handler serves.
//! Legacy clients are told over the session that they opened; the MCP library keeps no list
//! of sessions, so this one does: bounded, and without those that have gone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::service::Peer;
use tokio_util::sync::CancellationToken;

use super::Backend;
use crate::gateway::Caller;

/// How many legacy sessions are told. The oldest are forgotten first.
const MAX_PEERS: usize = 1024;

/// How long one session may take to accept a notification.
const PATIENCE: Duration = Duration::from_secs(2);

/// The legacy sessions that are open.
#[derive(Debug, Clone, Default)]
pub(super) struct Peers(Arc<Mutex<Vec<Session>>>);

#[derive(Debug, Clone)]
struct Session {
    peer: Peer<RoleServer>,
    caller: Caller,
    digest: String,
}

impl Peers {
    pub(super) fn add(&self, peer: Peer<RoleServer>, caller: Caller, digest: String) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| !session.peer.is_transport_closed());
        if sessions.len() >= MAX_PEERS {
            sessions.remove(0);
        }
        sessions.push(Session { peer, caller, digest });
    }

    /// Those whose list is no longer the one that they know.
    fn changed<B: Backend>(&self, backend: &B) -> Vec<Peer<RoleServer>> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| !session.peer.is_transport_closed());
        let changed = sessions.iter_mut().filter_map(|session| {
            let digest = backend.tools(&session.caller).digest.clone();
            let known = std::mem::replace(&mut session.digest, digest);
            (known != session.digest).then(|| session.peer.clone())
        });
        changed.collect()
    }
}

/// Tells legacy sessions of every change until the server closes.
pub(super) async fn announce<B: Backend>(
    backend: Arc<B>,
    peers: Peers,
    closing: CancellationToken,
) {
    let mut changes = backend.changes();
    loop {
        tokio::select! {
            () = closing.cancelled() => return,
            tick = changes.changed() => if tick.is_err() { return },
        }
        let tell = peers.changed(&*backend).into_iter().map(|peer| async move {
            // A session that does not take it in time learns of the change when it lists.
            let _ = tokio::time::timeout(PATIENCE, peer.notify_tool_list_changed()).await;
        });
        tokio::select! {
            () = closing.cancelled() => return,
            _ = futures::future::join_all(tell) => {}
        }
    }
}
