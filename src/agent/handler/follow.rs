//! Following a call: its progress is passed on until it ends.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::Peer;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::gateway::Progress;

/// How long a progress notification under way may delay the answer.
const PROGRESS_PATIENCE: Duration = Duration::from_secs(1);

/// After how long of silence a client that follows a call is told that it goes on.
const SILENCE: Duration = Duration::from_secs(4);

/// Carries out a call and passes its progress on until it ends, never after.
pub(super) async fn follow<T>(
    call: impl Future<Output = T>,
    mut progress: mpsc::Receiver<Progress>,
    peer: &Peer<RoleServer>,
    token: &ProgressToken,
) -> T {
    let mut call = std::pin::pin!(call);
    let begun = Instant::now();
    let mut last = None;
    // MCP wants it to increase with each notification, and these are more than there are steps.
    let mut notifications = 0_u32;
    loop {
        let message = tokio::select! {
            biased;
            reply = &mut call => return reply,
            Some(step) = progress.recv() => {
                if last.is_some_and(|last| step.done <= last) {
                    continue;
                }
                last = Some(step.done);
                step.message
            }
            () = sleep(SILENCE) => format!("under way for {} s", begun.elapsed().as_secs()),
        };
        notifications += 1;
        let told = ProgressNotificationParam::new(token.clone(), f64::from(notifications))
            .with_message(message);
        let mut told = std::pin::pin!(peer.notify_progress(told));
        tokio::select! {
            _ = &mut told => {}
            reply = &mut call => {
                // It is on its way: the answer goes behind it.
                let _ = tokio::time::timeout(PROGRESS_PATIENCE, told).await;
                return reply;
            }
        }
    }
}
