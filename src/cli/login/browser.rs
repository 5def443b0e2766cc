//! The person's browser, where this machine has one that they see.
//!
//! Nothing depends on it: the URL is shown all the same, since what opens it says nothing of
//! whether a window came.

use std::env::var_os;
use std::io::{IsTerminal as _, stderr};

use url::Url;

/// Whether somebody sits before this machine: a terminal, and a desktop that is not far away.
pub(super) fn is_at_hand() -> bool {
    let set = |name| var_os(name).is_some_and(|value| !value.is_empty());
    let desktop = !cfg!(all(unix, not(target_os = "macos")))
        || ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(set);
    let far = ["SSH_CONNECTION", "SSH_TTY"].into_iter().any(set);
    stderr().is_terminal() && desktop && !far
}

/// Has the desktop open it. False where there is nothing that could.
pub(super) fn open(url: &Url) -> bool {
    // Another scheme could start another program than a browser.
    matches!(url.scheme(), "http" | "https") && open::that_detached(url.as_str()).is_ok()
}
