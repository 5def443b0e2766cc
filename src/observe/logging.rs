//! Logs: one line an event, on standard error, because standard output is data.

use std::io::IsTerminal;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// Libraries that log what peers send, or every cancelled call as an error. Each is quiet
/// unless a filter names it.
const QUIET: [(&str, &str); 6] = [
    ("rmcp", "rmcp=warn,rmcp::service=off"),
    ("hyper", "hyper=warn,hyper_util=warn"),
    ("h2", "h2=warn"),
    ("rustls", "rustls=warn"),
    ("reqwest", "reqwest=warn"),
    ("sqlx", "sqlx=warn"),
];

/// How a log line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = LoggingError;

    fn from_str(name: &str) -> Result<Self, LoggingError> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(LoggingError::Format(other.chars().take(40).collect())),
        }
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The form of a line.
    pub format: LogFormat,
    /// `tracing` directives such as `info` or `tollbridge::bridge=debug`; by default `info`.
    pub filter: Option<String>,
}

impl LogOptions {
    /// Reads `TOLLBRIDGE_LOG_FORMAT`, and `TOLLBRIDGE_LOG` or else `RUST_LOG`, by way of
    /// `variable`, which gives an environment variable's value.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Self, LoggingError> {
        let set = |name| variable(name).filter(|value| !value.trim().is_empty());
        let format = set("TOLLBRIDGE_LOG_FORMAT").map_or(Ok(LogFormat::Text), |f| f.parse())?;
        let filter = set("TOLLBRIDGE_LOG").or_else(|| set("RUST_LOG"));
        Ok(Self { format, filter })
    }

    fn directives(&self) -> String {
        let own = self.filter.as_deref().unwrap_or("info");
        let named = |library: &str| {
            own.split(',').any(|directive| {
                let target = directive.trim().split(['=', '[', ':']).next().unwrap_or_default();
                target == library
            })
        };
        let mut all: Vec<&str> = Vec::new();
        all.extend(QUIET.iter().filter(|(library, _)| !named(library)).map(|(_, quiet)| quiet));
        all.push(own);
        all.join(",")
    }
}

/// Why logs cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoggingError {
    /// The format is not one that we write.
    #[error("`{0}` is no log format: TOLLBRIDGE_LOG_FORMAT is `text` or `json`")]
    Format(String),
    /// The filter is none.
    #[error("the log filter cannot be read: {0}")]
    Filter(String),
    /// Somebody has set up logs already.
    #[error("logs are already set up")]
    Twice,
}

/// Sends this process's logs to standard error.
pub fn init_logging(options: &LogOptions) -> Result<(), LoggingError> {
    let filter = EnvFilter::try_new(options.directives())
        .map_err(|error| LoggingError::Filter(error.to_string()))?;
    let color = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color);
    let set_up = match options.format {
        LogFormat::Text => lines.finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    };
    set_up.map_err(|_| LoggingError::Twice)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn with(filter: &str) -> String {
        LogOptions { format: LogFormat::Text, filter: Some(filter.to_owned()) }.directives()
    }

    #[test]
    fn debugging_us_does_not_log_what_clients_send() {
        let directives = with("debug");
        assert!(directives.contains("rmcp=warn"));
        assert!(directives.contains("rmcp::service=off"));
        assert!(EnvFilter::try_new(directives).is_ok());
    }

    #[test]
    fn a_library_that_is_asked_for_is_logged() {
        assert!(!with("info,rmcp::service=debug").contains("rmcp=warn"));
        assert!(with("info,rmcp::service=debug").contains("h2=warn"));
    }

    #[test]
    fn our_own_variable_wins() {
        let environment = |name: &str| match name {
            "TOLLBRIDGE_LOG" => Some("debug".to_owned()),
            "RUST_LOG" => Some("trace".to_owned()),
            "TOLLBRIDGE_LOG_FORMAT" => Some("json".to_owned()),
            _ => None,
        };
        let options = LogOptions::from_env(environment).unwrap();
        assert_eq!(options.filter.as_deref(), Some("debug"));
        assert_eq!(options.format, LogFormat::Json);
    }

    #[test]
    fn a_format_that_is_none_is_refused() {
        let environment = |name: &str| (name == "TOLLBRIDGE_LOG_FORMAT").then(|| "xml".to_owned());
        assert_eq!(LogOptions::from_env(environment), Err(LoggingError::Format("xml".into())));
    }
}
