# What one types while working here. `just` alone lists it.

_default:
    @just --list --unsorted

# Everything that compiles, without building it
check:
    cargo check --workspace --all-targets --locked

# All tests
test:
    cargo test --workspace --locked

# The tests of one pure crate: operation, xml, openapi or wsdl. Seconds, not minutes
test-crate NAME:
    cargo test -p tollbridge-{{ NAME }} --locked

# Every property with many values, none of them the gate's
properties CASES="4096":
    PROPTEST_CASES={{ CASES }} cargo test --workspace --profile properties --locked

# Format every file
fmt:
    cargo fmt --all

# Format and lints, as continuous integration sees them
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The library's documentation, with its warnings as errors
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Licences, bans and sources of every dependency
deny:
    cargo deny --locked --log-level error check bans licenses sources

# How long large descriptions take, imported, listed, and as a curation of six tools
bench-load *FILTER:
    cargo bench --locked --bench load -- {{ FILTER }}

# A SOAP message of 1 MB written and read, beside zeep and node-soap
bench-soap *OPTIONS:
    benches/soap/run.py {{ OPTIONS }}

# The bundled upstreams and a scripted day through the bridge
demo:
    cargo run --locked -- demo

# The debug binary before every judge that is not ours, a table of what they say, the soak, and the kills
evidence:
    cargo build --workspace --locked
    tests/judges/run target/debug/tollbridge
    tests/chaos/run target/debug/tollbridge
    tests/crash/run target/debug/tollbridge

# The server killed 500 times under load, and what its trail says after each
crash *OPTIONS:
    cargo build --workspace --locked
    tests/crash/run {{ OPTIONS }} target/debug/tollbridge

# Ten minutes of work in front of PowerDNS, with mitmproxy breaking things in between
chaos *OPTIONS:
    cargo build --workspace --locked
    tests/chaos/run {{ OPTIONS }} target/debug/tollbridge

# The bridge beside nginx, a bare proxy, a bare rmcp server and FastMCP: docs/performance.md
bench *OPTIONS:
    benches/end-to-end/run.py {{ OPTIONS }}

# The binary as it is released, laid out by what runs: prints where it is
release:
    packaging/release

# The benchmark of programs as they are released
bench-release *OPTIONS:
    binary=$(packaging/release) && benches/end-to-end/run.py --from "$(dirname "$binary")" {{ OPTIONS }}

# The search over ten thousand operations: indexing, searching, memory.
bench-search:
    cargo bench -p tollbridge-discovery --bench scale --locked

# A decision among a hundred policies, beside Cedar's authorizer alone.
bench-policies:
    cargo bench -p tollbridge-policy --bench decide --locked

# The usual questions to a trail of ten million events, which it writes first
bench-trail *OPTIONS:
    cargo bench --locked --bench trail -- {{ OPTIONS }}

# What recovery costs a call that needs none of it
bench-recovery *ROUNDS:
    cargo bench --locked --bench recovery -- {{ ROUNDS }}

# The pieces of a call's way, one by one
bench-pieces *FILTER:
    cargo bench --locked --bench hot_path -- {{ FILTER }}

# Everything that must hold before a change goes in
ci:
    .ci/run
