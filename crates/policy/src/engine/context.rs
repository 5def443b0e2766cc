//! What a call is beside its caller and its arguments: agent, channel and time. The context that
//! policies read, told to people.

use serde_json::{Value, json};

use crate::decide::Asked;
use crate::window::Local;

/// What clocks show when a call is made.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clocks {
    /// In the zone of the configuration, where there is one.
    pub(crate) local: Option<Local>,
    /// In the zone of the tool's window, where it has one.
    pub(crate) when: Option<Local>,
}

/// A place in the context, arguments aside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Spot {
    AgentName,
    AgentVersion,
    Channel,
    Moment,
    LocalWeekday,
    LocalHour,
    LocalMinute,
    WhenWeekday,
    WhenMinute,
    /// Several of these together, or nothing: a JSON pointer (RFC 6901).
    Other(String),
}

impl Spot {
    /// The place that a JSON pointer leads to.
    pub(crate) fn at(pointer: String) -> Self {
        match &*pointer {
            "/agent/name" => Self::AgentName,
            "/agent/version" => Self::AgentVersion,
            "/channel" => Self::Channel,
            "/time/instant" => Self::Moment,
            "/time/local/weekday" => Self::LocalWeekday,
            "/time/local/hour" => Self::LocalHour,
            "/time/local/minute" => Self::LocalMinute,
            "/when/weekday" => Self::WhenWeekday,
            "/when/minute" => Self::WhenMinute,
            _ => Self::Other(pointer),
        }
    }

    /// What stands there.
    pub(crate) fn value(&self, asked: &Asked<'_>, clocks: Clocks) -> Option<Value> {
        let Clocks { local, when } = clocks;
        Some(match self {
            Self::AgentName => agent(asked.client).0.into(),
            Self::AgentVersion => agent(asked.client).1.into(),
            Self::Channel => asked.channel.into(),
            Self::Moment => instant(asked.now),
            Self::LocalWeekday => local?.weekday.into(),
            Self::LocalHour => local?.hour.into(),
            Self::LocalMinute => local?.minute.into(),
            Self::WhenWeekday => when?.weekday.into(),
            Self::WhenMinute => when?.minute_of_day().into(),
            Self::Other(pointer) => return whole(asked, clocks).pointer(pointer).cloned(),
        })
    }
}

/// All of it.
fn whole(asked: &Asked<'_>, clocks: Clocks) -> Value {
    let (name, version) = agent(asked.client);
    let mut whole = json!({
        "agent": {"name": name, "version": version},
        "channel": asked.channel,
        "time": {"instant": instant(asked.now)},
    });
    if let Some(Local { weekday, hour, minute }) = clocks.local {
        whole["time"]["local"] = json!({"weekday": weekday, "hour": hour, "minute": minute});
    }
    if let Some(when) = clocks.when {
        whole["when"] = json!({"weekday": when.weekday, "minute": when.minute_of_day()});
    }
    whole
}

fn instant(now: i64) -> Value {
    jiff::Timestamp::from_microsecond(now).unwrap_or_default().to_string().into()
}

/// A client's name and version.
pub(super) fn agent(client: Option<&str>) -> (&str, &str) {
    let client = client.unwrap_or_default();
    client.rsplit_once('/').unwrap_or((client, ""))
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    #[test]
    fn each_place_is_told_as_it_stands_among_all() {
        let arguments = Map::new();
        let client = Some("some/agent/1.2");
        let asked =
            Asked { arguments: &arguments, client, channel: "http", now: 1_764_500_000_000_000 };
        let clock = |hour| Some(Local { weekday: 3, hour, minute: 59 });
        let (none, both) = (Clocks::default(), Clocks { local: clock(7), when: clock(23) });
        for clocks in [none, both] {
            let whole = whole(&asked, clocks);
            for pointer in [
                "/agent/name",
                "/agent/version",
                "/channel",
                "/time/instant",
                "/time/local/weekday",
                "/time/local/hour",
                "/time/local/minute",
                "/when/weekday",
                "/when/minute",
            ] {
                let spot = Spot::at(pointer.to_owned());
                assert!(!matches!(spot, Spot::Other(_)), "{pointer}");
                assert_eq!(
                    spot.value(&asked, clocks),
                    whole.pointer(pointer).cloned(),
                    "{pointer}"
                );
            }
            for pointer in ["", "/agent", "/time", "/time/local", "/when", "/when/hour", "/nothing"]
            {
                let spot = Spot::at(pointer.to_owned());
                assert!(matches!(spot, Spot::Other(_)), "{pointer}");
                assert_eq!(
                    spot.value(&asked, clocks),
                    whole.pointer(pointer).cloned(),
                    "{pointer}"
                );
            }
        }
    }
}
