//! The rows. Each is a test of its own, and a line of the page.

use super::row::Named::{At, Failed, NoSuchName, Nothing};
use super::row::{Row, Want, again, done, door, fails, fault, named, soap};
use super::rows::holds;
use tollbridge::demo::faults::Door;

/// Makes of each row a test, and of all of them the table.
macro_rules! rows {
    ($($title:literal: $($name:ident = $row:expr;)*)*) => {
        pub(super) const MATRIX: &[(&str, &[(&str, Row)])] =
            &[$(($title, &[$((stringify!($name), $row)),*])),*];
        $($(#[test]
        fn $name() {
            holds(stringify!($name));
        })*)*
    };
}

const BROKE: &str = "it broke the connection off, or spoke no HTTP";
const BODY: &str = "200, its answer broke off, or is not compressed as it says";
const SLOW: &str = "it did not answer within its time";
const SLOW_BODY: &str = "200, it did not answer within its time";
const FOLLOW: &str = "redirects = \"follow\"";
const FOLLOW_HIDDEN: &str = "redirects = \"follow\"\nhosts = [\"hidden.matrix.test:PORT\"]";
const POLL: &str = "poll = { every = \"100ms\" }";
const RENEWED: &str = "auth = { kind = \"oauth2\", client_id = \"bridge\", client_secret = \
                       \"file:token\", token_url = \"http://127.0.0.1:PORT/fault/grant~token\" }";
const METADATA: &str = "its host name leads to 169.254.169.254, the address of a cloud's \
                        metadata; if that is meant, name the address itself";

/// Nobody was reached, four times.
const fn never(last: &'static str) -> Want {
    again("upstream_unavailable").seen(0).attempts(4, 4).last(last)
}

/// No answer came to a read, which was repeated.
const fn silent(last: &'static str) -> Want {
    again("upstream_unavailable").seen(4).last(last)
}

/// The same, where each attempt takes its time.
const fn late(last: &'static str) -> Want {
    again("upstream_timeout").between(2, 4).last(last)
}

/// No answer came to a write: it went out once.
const fn unknown(last: &'static str) -> Want {
    fails("outcome_unknown").last(last)
}

/// A certificate, or a name, that is not to be trusted: nothing was sent, nor tried again.
const fn untrusted(last: &'static str) -> Want {
    fails("upstream_unavailable").seen(0).attempts(1, 1).last(last)
}

/// An answer that says no, or that cannot be used.
const fn error(last: &'static str) -> Want {
    fails("upstream_error").last(last)
}

const TOO_LARGE: Want = fails("response_too_large").last("200, its answer is too large");
const BOMB: Want =
    fails("response_too_large").last("200, its answer unpacks to far more than its size");
const TWICE: Want = done().seen(2);

rows! {
    "Connections":
    refused = door(Door::Refused, never("it refuses connections"), never("it refuses connections"));
    black_hole = door(
        Door::BlackHole,
        never("no connection came about in time").attempts(2, 4),
        never("no connection came about in time").attempts(2, 4),
    ).short();
    reset = door(Door::Reset, never(BROKE), unknown(BROKE).seen(0).attempts(1, 1));
    closed = door(Door::Closed, never(BROKE), unknown(BROKE).seen(0).attempts(1, 1));
    never_read = door(
        Door::Silent,
        late(SLOW).seen(0).attempts(2, 4),
        unknown(SLOW).seen(0).attempts(1, 1),
    ).short();
    reset_during_request = fault(silent(BROKE), unknown(BROKE));
    reset_after_request = fault(silent(BROKE), unknown(BROKE));
    reset_once = fault(TWICE, unknown(BROKE));
    close_after_request = fault(silent(BROKE), unknown(BROKE));
    half_close = fault(silent(BROKE), unknown(BROKE));
    reset_in_head = fault(silent(BROKE), unknown(BROKE));
    reset_in_body = fault(silent(BODY), unknown(BODY));
    close_in_body = fault(silent(BODY), unknown(BODY));
    close_between = fault(done(), done());

    "TLS":
    tls_expired = door(
        Door::TlsExpired,
        untrusted("its certificate is not trusted: it has expired"),
        untrusted("its certificate is not trusted: it has expired"),
    );
    tls_early = door(
        Door::TlsEarly,
        untrusted("its certificate is not trusted: it is not valid yet"),
        untrusted("its certificate is not trusted: it is not valid yet"),
    );
    tls_elsewhere = door(
        Door::TlsElsewhere,
        untrusted("its certificate is not trusted: it is for another host"),
        untrusted("its certificate is not trusted: it is for another host"),
    );
    tls_unknown = door(
        Door::TlsUnknown,
        untrusted("its certificate is not trusted: its issuer is not among the certificates of this machine"),
        untrusted("its certificate is not trusted: its issuer is not among the certificates of this machine"),
    );
    tls_reset = door(Door::TlsReset, never(BROKE), never(BROKE));
    tls_absent = door(
        Door::Plain,
        never("no TLS session came about (does it speak https on this port?)"),
        never("no TLS session came about (does it speak https on this port?)"),
    ).https("The port speaks plain HTTP");

    "Names":
    no_such_name = named(
        "The host's name does not exist",
        &[NoSuchName],
        never("its host name cannot be resolved"),
        never("its host name cannot be resolved"),
    );
    no_such_name_once = named(
        "The host's name does not exist at first, and then does",
        &[NoSuchName, At([127, 0, 0, 1])],
        TWICE.attempts(3, 3),
        TWICE.attempts(3, 3),
    );
    name_server_fails = named(
        "The name server cannot tell",
        &[Failed],
        never("its host name cannot be resolved"),
        never("its host name cannot be resolved"),
    );
    name_server_silent = named(
        "The name server says nothing",
        &[Nothing],
        never("no connection came about in time").attempts(2, 4),
        never("no connection came about in time").attempts(2, 4),
    ).short();
    rebinding = named(
        "The host's name leads to an API at first, and then to the cloud's metadata (DNS rebinding)",
        &[At([127, 0, 0, 1]), At([169, 254, 169, 254])],
        fails("upstream_unavailable").attempts(2, 2).last(METADATA),
        fails("upstream_unavailable").attempts(2, 2).last(METADATA),
    );
    rebinding_inside = named(
        "The host's name leads to an API at first, and then into another network",
        &[At([127, 0, 0, 1]), At([10, 0, 0, 1])],
        fails("upstream_unavailable").attempts(2, 2).last("its host name now leads to 10.0.0.1, into another network than before; if that is meant, reload the configuration"),
        fails("upstream_unavailable").attempts(2, 2).last("its host name now leads to 10.0.0.1, into another network than before; if that is meant, reload the configuration"),
    );
    name_of_metadata = named(
        "The host's name leads to the cloud's metadata",
        &[At([169, 254, 169, 254])],
        untrusted(METADATA),
        untrusted(METADATA),
    );

    "Too slow, or too much":
    hang = fault(late(SLOW), unknown(SLOW)).short();
    slow_head = fault(late(SLOW), unknown(SLOW)).short();
    slow_body = fault(late(SLOW_BODY), unknown(SLOW_BODY)).short();
    stalled_body = fault(late(SLOW_BODY), unknown(SLOW_BODY)).short();
    continue_flood = fault(late(SLOW), unknown(SLOW)).short();
    endless_head = fault(silent(BROKE), unknown(BROKE));
    many_headers = fault(silent(BROKE), unknown(BROKE));
    large_header = fault(silent(BROKE), unknown(BROKE));
    endless_body = fault(TOO_LARGE, TOO_LARGE);
    endless_chunks = fault(TOO_LARGE, TOO_LARGE).api("max_response = \"64KiB\"");
    large_body = fault(TOO_LARGE, TOO_LARGE);
    gzip_bomb = fault(BOMB, BOMB).api("max_response = \"1GiB\"");
    gzip_too_large = fault(TOO_LARGE, TOO_LARGE);

    "What is no HTTP, or lies":
    other_protocol = fault(silent(BROKE), unknown(BROKE));
    http_0_9 = fault(silent(BROKE), unknown(BROKE));
    http_1_0 = fault(done(), done());
    http_9_9 = fault(silent(BROKE), unknown(BROKE));
    continue_first = fault(done(), done());
    early_hints = fault(done(), done());
    switching_protocols = fault(error("101"), error("101"));
    header_without_name = fault(silent(BROKE), unknown(BROKE));
    chunk_cut = fault(silent(BODY), unknown(BODY));
    chunk_without_end = fault(silent(BODY), unknown(BODY));
    chunk_bad_size = fault(silent(BODY), unknown(BODY));
    chunk_huge_size = fault(silent(BODY), unknown(BODY));
    length_too_long = fault(late(SLOW_BODY), unknown(SLOW_BODY)).short();
    length_too_short = fault(done(), done());
    two_lengths = fault(silent(BROKE), unknown(BROKE));
    negative_length = fault(silent(BROKE), unknown(BROKE));
    length_and_chunks = fault(done(), done());
    answers_twice = fault(done(), done());

    "Bodies":
    no_content_with_body = fault(done().last("204"), done().last("204"));
    empty_success = fault(done(), done());
    html_success = fault(done(), done());
    html_as_json = fault(error("200"), error("200"));
    json_truncated = fault(error("200"), error("200"));
    json_trailing = fault(error("200"), error("200"));
    json_deep = fault(error("200"), error("200"));
    invalid_utf_8 = fault(done(), done());
    not_gzip = fault(silent(BODY), unknown(BODY));
    gzip_cut = fault(silent(BODY), unknown(BODY));
    other_encoding = fault(
        error("200, its answer is encoded as br"),
        error("200, its answer is encoded as br"),
    );

    "Limits, and services that are down":
    busy_seconds = fault(TWICE, TWICE);
    busy_date = fault(TWICE, TWICE);
    busy_past_date = fault(TWICE, TWICE);
    busy_clock_ahead = fault(TWICE, TWICE);
    busy_clock_behind = fault(TWICE, TWICE);
    busy_nonsense = fault(TWICE, TWICE);
    busy_silent = fault(TWICE, TWICE);
    busy_absurd = fault(
        again("rate_limited").after(2_678_400).last("429"),
        again("rate_limited").after(2_678_400).last("429"),
    );
    busy_for_ever = fault(
        again("rate_limited").seen(4).last("429"),
        again("rate_limited").seen(4).last("429"),
    );
    unavailable_once = fault(TWICE, fails("upstream_unavailable").last("503"));
    unavailable = fault(silent("503"), fails("upstream_unavailable").last("503"));
    unavailable_long = fault(
        again("upstream_unavailable").after(3_600).last("503"),
        fails("upstream_unavailable").last("503"),
    );
    bad_gateway = fault(silent("502"), fails("upstream_unavailable").last("502"));
    gateway_timeout = fault(silent("504"), fails("upstream_unavailable").last("504"));
    stack_trace = fault(again("upstream_error").seen(4).last("500"), error("500"));

    "Answers that say no":
    bad_request = fault(error("400"), error("400"));
    unauthorized = fault(error("401"), error("401"));
    unauthorized_once = fault(error("401"), error("401"));
    payment = fault(error("402"), error("402"));
    forbidden = fault(error("403"), error("403"));
    not_found = fault(error("404"), error("404"));
    request_timeout = fault(error("408"), error("408"));
    conflict = fault(error("409"), error("409"));
    gone = fault(error("410"), error("410"));
    precondition = fault(error("412"), error("412"));
    teapot = fault(error("418"), error("418"));
    legal = fault(error("451"), error("451"));
    odd_status = fault(error("799"), error("799"));

    unauthorized_renewed = fault(TWICE, TWICE).api(RENEWED).scripted(
        "unauthorized-once",
        "401, then 200, where another token can be got (`oauth2`)",
    );
    created_nowhere = fault(done().last("201"), done().last("201"));
    grant = fault(done(), done());

    "Calls that the API takes and is not done with, where it is asked after (`poll`)":
    accepted = fault(done().seen(3), done().seen(3)).tool(POLL);
    accepted_for_ever = fault(
        again("upstream_timeout").after(3_600).last("202"),
        again("upstream_timeout").after(3_600).last("202"),
    ).tool(POLL);
    accepted_failed = fault(error("200").seen(2), error("200").seen(2)).tool(POLL);
    accepted_gone = fault(error("404").seen(2), error("404").seen(2)).tool(POLL);
    accepted_private = fault(error("202"), error("202")).tool(POLL);

    "Redirects, which are followed where the configuration says so":
    redirect_private = fault(error("302"), error("302")).api(FOLLOW);
    redirect_named = fault(
        untrusted(METADATA).seen(1).attempts(2, 2),
        untrusted(METADATA).seen(1).attempts(2, 2),
    ).api(FOLLOW_HIDDEN).names(&[At([127, 0, 0, 1])]);
    redirect_disguised = fault(error("307"), error("307")).api(FOLLOW);
    redirect_file = fault(error("302"), error("302")).api(FOLLOW);
    redirect_loop = fault(error("307").seen(6), error("307").seen(6)).api(FOLLOW);
    redirect_get = fault(TWICE, error("303")).api(FOLLOW);
    redirect_once = fault(TWICE, TWICE).api(FOLLOW);

    "SOAP":
    soap_fault = soap(again("upstream_error").seen(4).last("200"), error("200"));
    soap_fault_sender = soap(error("500"), error("500"));
    soap_html = soap(error("200"), error("200"));
    soap_cut = soap(error("200"), error("200"));
    soap_entity = soap(error("200"), error("200"));
}
