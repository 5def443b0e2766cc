//! Metrics as OTLP has them: made of the text of `/metrics`, so that both say the same.
//!
//! Names are those of the text with a dot behind `tollbridge`, and without the unit's; where
//! OpenTelemetry's conventions name a metric, it has that name. What a collector writes for
//! Prometheus is the text's names again.

use serde_json::{Value, json};

use crate::audit::otlp_text;
use crate::observe::conventions::{self, Kind};

/// Cumulative: each point is of all since the process began.
const CUMULATIVE: u8 = 2;

/// A sample's labels, in their order.
type Labels = Vec<(String, String)>;

/// A family of the text.
#[derive(Default)]
struct Family<'t> {
    name: &'t str,
    kind: &'t str,
    help: &'t str,
    unit: &'t str,
    points: Vec<Point>,
}

/// What is known of a family for one set of labels.
#[derive(Default)]
struct Point {
    labels: Labels,
    value: String,
    sum: f64,
    /// Upper bounds with how many observations are at most so large, the last without a bound.
    buckets: Vec<(f64, u64)>,
}

/// Which time the points are of, in nanoseconds since 1970: when the process began, and now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) began: u128,
    pub(super) now: u128,
}

/// An `ExportMetricsServiceRequest` (opentelemetry-proto, metrics service, in its JSON mapping) of an
/// `OpenMetrics` text that is ours, about the resource of these attributes.
pub(super) fn request(text: &str, resource: &Value, times: Times) -> Value {
    let metrics: Vec<Value> =
        families(text).iter().filter_map(|family| metric(family, times)).collect();
    json!({"resourceMetrics": [{
        "resource": resource,
        "scopeMetrics": [{
            "scope": {"name": "tollbridge", "version": env!("CARGO_PKG_VERSION")},
            "metrics": metrics,
        }],
    }]})
}

fn families(text: &str) -> Vec<Family<'_>> {
    let mut all: Vec<Family<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(meta) = line.strip_prefix("# ") {
            let mut words = meta.splitn(3, ' ');
            let (Some(what), Some(name), Some(said)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            if all.last().is_none_or(|family| family.name != name) {
                all.push(Family { name, ..Family::default() });
            }
            let Some(family) = all.last_mut() else { continue };
            match what {
                "HELP" => family.help = said,
                "TYPE" => family.kind = said,
                "UNIT" => family.unit = said,
                _ => {}
            }
        } else if let (Some(family), Some((name, labels, value))) = (all.last_mut(), sample(line)) {
            family.take(name, labels, value);
        }
    }
    all
}

impl Family<'_> {
    fn take(&mut self, name: &str, mut labels: Labels, value: &str) {
        let part = name.strip_prefix(self.name).unwrap_or_default();
        let bound = labels.iter().position(|(label, _)| label == "le").map(|at| labels.remove(at));
        if self.kind != "histogram" || self.points.last().is_none_or(|p| p.labels != labels) {
            self.points.push(Point { labels, ..Point::default() });
        }
        let Some(point) = self.points.last_mut() else { return };
        match (part, bound) {
            ("_bucket", Some((_, bound))) => {
                let bound = if bound == "+Inf" { f64::INFINITY } else { number(&bound) };
                point.buckets.push((bound, value.parse().unwrap_or_default()));
            }
            ("_sum", _) => point.sum = number(value),
            _ => point.value = value.to_owned(),
        }
    }
}

/// A number of the text. What is none is not told of.
fn number(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

/// A sample: its name, its labels, its value.
fn sample(line: &str) -> Option<(&str, Labels, &str)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, behind) = rest.split_once("=\"")?;
            let mut value = String::new();
            let mut characters = behind.char_indices();
            let end = loop {
                match characters.next()? {
                    (at, '"') => break at,
                    (_, '\\') => match characters.next()?.1 {
                        'n' => value.push('\n'),
                        other => value.push(other),
                    },
                    (_, other) => value.push(other),
                }
            };
            labels.push((label.to_owned(), value));
            rest = &behind[end + 1..];
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        rest = &rest[1..];
    }
    Some((name, labels, rest.trim().split(' ').next()?))
}

/// A metric; `None` where there is nothing to tell, or what it tells stands in the resource.
fn metric(family: &Family<'_>, times: Times) -> Option<Value> {
    let Times { began, now } = times;
    let about = |point: &Point, mut data: Value| {
        let labels = point.labels.iter().map(|(label, value)| attribute(label, value));
        data["attributes"] = labels.collect();
        data["timeUnixNano"] = now.to_string().into();
        if family.kind != "gauge" {
            data["startTimeUnixNano"] = began.to_string().into();
        }
        data
    };
    let points = |of: fn(&Point) -> Option<Value>| -> Vec<Value> {
        family.points.iter().filter_map(|p| of(p).map(|data| about(p, data))).collect()
    };
    let (kind, points) = match family.kind {
        "counter" => ("sum", points(|p| p.value.parse::<u64>().ok().map(counted))),
        "gauge" => ("gauge", points(|p| finite(&p.value).map(|n| json!({"asDouble": n})))),
        "histogram" => ("histogram", points(spread)),
        _ => return None,
    };
    if points.is_empty() {
        return None;
    }
    let unit = if family.unit == "seconds" { "s" } else { "" };
    let name = family.name.strip_suffix(&format!("_{}", family.unit)).unwrap_or(family.name);
    let mut data = json!({"dataPoints": points});
    if kind != "gauge" {
        data["aggregationTemporality"] = CUMULATIVE.into();
    }
    if kind == "sum" {
        data["isMonotonic"] = true.into();
    }
    let named = conventions::metric(name);
    let mut metric = json!({
        "name": named.map_or_else(|| name.replacen('_', ".", 1), str::to_owned),
        "description": family.help.trim_end_matches('.'),
        "unit": unit,
    });
    metric[kind] = data;
    Some(metric)
}

fn attribute(label: &str, value: &str) -> Value {
    match conventions::attribute(label) {
        Some((key, Kind::Number)) => json!({"key": key, "value": {"intValue": value}}),
        Some((key, Kind::Text)) => otlp_text(key, value),
        None => otlp_text(label, value),
    }
}

/// Numbers of 64 bits are texts in the JSON mapping.
fn counted(number: u64) -> Value {
    json!({"asInt": number.to_string()})
}

fn finite(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// A histogram's point: the text counts what is at most so large, OTLP what is in each bucket.
fn spread(point: &Point) -> Option<Value> {
    let mut before = 0;
    let mut counts = Vec::with_capacity(point.buckets.len());
    for (_, until) in &point.buckets {
        counts.push(until.saturating_sub(before).to_string());
        before = *until;
    }
    let bounds: Vec<f64> =
        point.buckets.iter().map(|(bound, _)| *bound).filter(|b| b.is_finite()).collect();
    (point.sum.is_finite() && counts.len() == bounds.len() + 1).then(|| {
        json!({
            "count": before.to_string(),
            "sum": point.sum,
            "bucketCounts": counts,
            "explicitBounds": bounds,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::observe::otlp::protobuf;
    use crate::observe::{CALL, Channel, HttpRequest, McpRequest, Metrics, OperationEnd};

    const TIMES: Times = Times { began: 5, now: 7 };

    fn of(metrics: &Metrics) -> Vec<Value> {
        let resource = super::super::resource(&[("service.name".into(), "shop".into())]);
        let made = request(&metrics.encode(), &resource, TIMES);
        assert_eq!(protobuf::unknown(&made, protobuf::METRICS), [""; 0]);
        let attributes = &made["resourceMetrics"][0]["resource"]["attributes"];
        assert_eq!(attributes[1], otlp_text("service.name", "shop"));
        let metrics = &made["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
        metrics.as_array().expect("metrics").clone()
    }

    fn named<'m>(metrics: &'m [Value], name: &str) -> &'m Value {
        metrics.iter().find(|metric| metric["name"] == name).expect(name)
    }

    #[test]
    fn counters_and_histograms_are_cumulative_and_gauges_are_not() {
        let metrics = Metrics::new();
        metrics.call(Some("a\"b\\c\nd,}"), "succeeded", Duration::from_millis(20));
        metrics.call(Some("a\"b\\c\nd,}"), "succeeded", Duration::from_secs(90));
        let _call = metrics.in_flight();
        let made = of(&metrics);
        let calls = &named(&made, "tollbridge.calls")["sum"];
        assert_eq!(
            *calls,
            json!({
                "dataPoints": [{
                    "asInt": "2",
                    "attributes": [
                        otlp_text("tool", "a\"b\\c\nd,}"),
                        otlp_text("outcome", "succeeded"),
                    ],
                    "timeUnixNano": "7",
                    "startTimeUnixNano": "5",
                }],
                "aggregationTemporality": 2,
                "isMonotonic": true,
            })
        );
        let durations = named(&made, "tollbridge.call_duration");
        assert_eq!(durations["unit"], "s");
        let point = &durations["histogram"]["dataPoints"][0];
        assert_eq!(point["count"], "2");
        assert_eq!(point["sum"], json!(90.02));
        let counts: Vec<&str> = point["bucketCounts"]
            .as_array()
            .expect("counts")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(counts, ["0", "0", "1", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "1"]);
        assert_eq!(point["explicitBounds"].as_array().map(Vec::len), Some(13));
        let running = &named(&made, "tollbridge.calls_in_flight")["gauge"];
        assert_eq!(
            *running,
            json!({"dataPoints": [{"asDouble": 1.0, "attributes": [], "timeUnixNano": "7"}]})
        );
    }

    #[test]
    fn each_set_of_labels_is_a_point_and_what_never_was_is_not_told() {
        let metrics = Metrics::new();
        metrics.call(Some("a"), "succeeded", Duration::from_millis(1));
        metrics.call(Some("b"), "denied", Duration::from_millis(1));
        let made = of(&metrics);
        for (name, kind) in [("tollbridge.calls", "sum"), ("tollbridge.call_duration", "histogram")]
        {
            let points = named(&made, name)[kind]["dataPoints"].as_array().map(Vec::len);
            assert_eq!(points, Some(2), "{name}");
        }
        assert!(!made.iter().any(|metric| metric["name"] == "tollbridge.attempts"));
        assert!(!made.iter().any(|metric| metric["name"] == "tollbridge.build"));
    }

    #[test]
    fn what_the_conventions_name_has_their_names_and_kinds() {
        let metrics = Metrics::new();
        let end = OperationEnd::ToolError;
        let (tool, channel) = (Some("get_stock"), Channel::Http);
        let call = McpRequest {
            method: CALL,
            tool,
            prompt: None,
            revision: Some("2026-07-28"),
            channel,
            end,
        };
        metrics.operation(call, Duration::from_millis(20));
        let request = HttpRequest {
            address: "orders.example".into(),
            port: 443,
            method: "GET",
            status: Some(503),
            error: None,
        };
        metrics.request(&request, Duration::from_millis(20));
        let made = of(&metrics);
        let number = |key: &str, value: &str| json!({"key": key, "value": {"intValue": value}});
        for (name, attributes, bounds) in [
            (
                "mcp.server.operation.duration",
                vec![
                    otlp_text("mcp.method.name", "tools/call"),
                    otlp_text("gen_ai.operation.name", "execute_tool"),
                    otlp_text("gen_ai.tool.name", "get_stock"),
                    otlp_text("mcp.protocol.version", "2026-07-28"),
                    otlp_text("network.transport", "tcp"),
                    otlp_text("network.protocol.name", "http"),
                    otlp_text("error.type", "tool_error"),
                ],
                "[0.01,0.02,0.05,0.1,0.2,0.5,1.0,2.0,5.0,10.0,30.0,60.0,120.0,300.0]",
            ),
            (
                "http.client.request.duration",
                vec![
                    otlp_text("http.request.method", "GET"),
                    otlp_text("server.address", "orders.example"),
                    number("server.port", "443"),
                    number("http.response.status_code", "503"),
                    otlp_text("error.type", "503"),
                ],
                "[0.005,0.01,0.025,0.05,0.075,0.1,0.25,0.5,0.75,1.0,2.5,5.0,7.5,10.0]",
            ),
        ] {
            let metric = named(&made, name);
            assert_eq!(metric["unit"], "s", "{name}");
            let point = &metric["histogram"]["dataPoints"][0];
            assert_eq!(point["attributes"], Value::Array(attributes), "{name}");
            assert_eq!(point["explicitBounds"].to_string(), bounds, "{name}");
        }
    }
}
