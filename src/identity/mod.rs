//! Who is calling: groups, what else is known of a caller, inbound API keys, tokens and
//! certificates.
//!
//! A caller is known by an [`Identity`](tollbridge_operation::Identity); rules may name it or
//! a group that it is in. Who a request comes from is established here and nowhere else; what
//! they may do is none of this room's business.

mod authorities;
mod certificate;
mod facts;
mod groups;
mod key;
mod token;

pub use authorities::{Authorities, Listening};
pub use certificate::{Certificate, NamedBy};
pub use facts::{Agent, Claim, Facts, Proof};
pub use groups::Groups;
pub use key::{
    KEY_PREFIX, KeyError, KeyHolder, NewKey, hash, is_still_approver, verify, verify_approver,
};
pub use token::{
    Algorithm, ClaimRules, Fetch, Introspection, Keyring, Known, MAX_TOKEN, NotKnown, Tokens,
};
