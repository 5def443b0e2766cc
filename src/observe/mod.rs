//! What operators see while the program runs: logs on standard error, and metrics and traces, which
//! are read here or sent to a collector.
//!
//! Neither is the audit trail. A log line or a counter may be lost and proves nothing; what
//! must be known of a call is in `audit`. Labels and log fields never hold arguments, bodies
//! or secrets, and the number of label values is bounded whatever callers send.

mod conventions;
mod logging;
mod metrics;
mod names;
mod otlp;
mod spans;

pub use conventions::{
    CALL, Channel, ErrorType, HttpRequest, McpRequest, OTHER_METHOD, OperationEnd, TOOL_ERROR,
};
pub use logging::{LogFormat, LogOptions, LoggingError, init_logging};
pub use metrics::{ApiStanding, CallInFlight, Metrics};
pub use otlp::{Collector, Compression, Exporter, Protocol, TraceExporter};
pub use spans::{CallSpans, Message, Origin, Tracer};
