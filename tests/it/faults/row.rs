//! A row of the fault matrix: a fault, and what becomes of a read and of a write that meet it.

use tollbridge::demo::faults::Door;

use super::names::Said;

/// A fault, and what is to become of calls that meet it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) door: Door,
    /// What it is, where the script does not say it.
    pub(super) about: About,
    /// The fault of the script that requests meet; without it, the one of the row's name.
    pub(super) script: Option<&'static str>,
    /// How its URL begins, where that is not the door's.
    pub(super) scheme: Option<&'static str>,
    /// More keys of the API.
    pub(super) api: &'static str,
    /// More keys of the tools.
    pub(super) tool: &'static str,
    /// What the API speaks.
    pub(super) speaks: Speaks,
    /// Whether an attempt has little time: for faults that are not answered.
    pub(super) time: Time,
    /// What the name server says of the API's host; empty where its address is named.
    pub(super) names: &'static [Named],
    pub(super) read: Want,
    pub(super) write: Want,
}

/// Who says what a fault is.
#[derive(Debug, Clone, Copy)]
pub(super) enum About {
    Script,
    Door,
    Row(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    Rest,
    Soap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    Enough,
    Short,
}

/// What is said of a name, in a form that a table can hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Named {
    At([u8; 4]),
    NoSuchName,
    Failed,
    Nothing,
}

impl From<Named> for Said {
    fn from(named: Named) -> Self {
        match named {
            Named::At(address) => Self::At(vec![address.into()]),
            Named::NoSuchName => Self::NoSuchName,
            Named::Failed => Self::Failed,
            Named::Nothing => Self::Nothing,
        }
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    /// What the agent gets, and how the trail ends.
    pub(super) code: &'static str,
    pub(super) retryable: bool,
    pub(super) retry_after_s: Option<u64>,
    /// How many requests reach the upstream, at least and at most.
    pub(super) seen: (usize, usize),
    /// How many attempts are on record; without it, as many as reach the upstream.
    pub(super) attempts: Option<(usize, usize)>,
    /// What the trail says of the last attempt: its status, what broke, or both.
    pub(super) last: &'static str,
}

/// A fault that calls meet once they have sent their request.
pub(super) const fn fault(read: Want, write: Want) -> Row {
    Row {
        door: Door::Plain,
        about: About::Script,
        script: None,
        scheme: None,
        api: "",
        tool: "",
        speaks: Speaks::Rest,
        time: Time::Enough,
        names: &[],
        read,
        write,
    }
}

/// A fault that connections meet.
pub(super) const fn door(door: Door, read: Want, write: Want) -> Row {
    Row { door, about: About::Door, script: Some("unavailable-once"), ..fault(read, write) }
}

/// A fault that a service of SOAP has.
pub(super) const fn soap(read: Want, write: Want) -> Row {
    Row { speaks: Speaks::Soap, ..fault(read, write) }
}

/// A fault of the name's, whose server says this.
pub(super) const fn named(
    about: &'static str,
    names: &'static [Named],
    read: Want,
    write: Want,
) -> Row {
    Row { about: About::Row(about), names, script: Some("busy-closing"), ..fault(read, write) }
}

impl Row {
    /// The fault that its requests meet.
    pub(super) fn script(&self, name: &str) -> String {
        self.script.map_or_else(|| name.replace('_', "-"), str::to_owned)
    }

    pub(super) const fn short(self) -> Self {
        Self { time: Time::Short, ..self }
    }

    /// The API is asked over TLS, which its door does not speak.
    pub(super) const fn https(self, about: &'static str) -> Self {
        Self { about: About::Row(about), scheme: Some("https"), ..self }
    }

    pub(super) const fn api(self, api: &'static str) -> Self {
        Self { api, ..self }
    }

    pub(super) const fn tool(self, tool: &'static str) -> Self {
        Self { tool, ..self }
    }

    /// Its requests meet the fault of that name, and it is about more than that.
    pub(super) const fn scripted(self, script: &'static str, about: &'static str) -> Self {
        Self { script: Some(script), about: About::Row(about), ..self }
    }

    /// Its hosts are named, and these are their addresses.
    pub(super) const fn names(self, names: &'static [Named]) -> Self {
        Self { names, ..self }
    }
}

/// It succeeds.
pub(super) const fn done() -> Want {
    Want {
        code: "succeeded",
        retryable: false,
        retry_after_s: None,
        seen: (1, 1),
        attempts: None,
        last: "200",
    }
}

/// It fails so, and calling again makes no sense.
pub(super) const fn fails(code: &'static str) -> Want {
    Want { code, last: "", ..done() }
}

/// It fails so, and calling again may help.
pub(super) const fn again(code: &'static str) -> Want {
    Want { retryable: true, ..fails(code) }
}

impl Want {
    /// So many requests reach the upstream.
    pub(super) const fn seen(self, times: usize) -> Self {
        Self { seen: (times, times), ..self }
    }

    /// So many, depending on how quickly they go.
    pub(super) const fn between(self, least: usize, most: usize) -> Self {
        Self { seen: (least, most), ..self }
    }

    /// So many attempts are on record, of which the upstream sees fewer.
    pub(super) const fn attempts(self, least: usize, most: usize) -> Self {
        Self { attempts: Some((least, most)), ..self }
    }

    pub(super) const fn after(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// So the trail tells of the last attempt.
    pub(super) const fn last(self, last: &'static str) -> Self {
        Self { last, ..self }
    }
}
