#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use super::*;

/// What a wrong file is told, for people.
fn refused(text: &str) -> String {
    match parse(Path::new("tools.toml"), text.to_owned()) {
        Ok(_) => panic!("this loads:\n{text}"),
        Err(diagnostics) => diagnostics.to_string(),
    }
}

fn loaded(text: &str) -> Config {
    match parse(Path::new("conf/tools.toml"), text.to_owned()) {
        Ok((config, warnings)) => {
            assert!(warnings.is_empty(), "{warnings}");
            config
        }
        Err(diagnostics) => panic!("{diagnostics}"),
    }
}

/// An API, so that tools have one.
fn with_api(rest: &str) -> String {
    format!("[api.shop]\nspec = \"shop.yaml\"\n{rest}")
}

/// A tool, so that its keys can be tried.
fn tool(keys: &str) -> String {
    with_api(&format!("[[tool]]\napi = \"shop\"\noperation = \"getOrder\"\n{keys}"))
}

const EXAMPLE: &str = r#"
[server]
name     = "acme"
identity = "local"
discovery = false
origins  = ["https://app.example.com"]

[groups]
ops = ["support-bot", "alice"]

[server.auth]
keys = true

[audit]
store           = "sqlite:tollbridge.db"
durability      = "full"
reads_when_down = "deny"

[settlement]
facilitator = "https://x402.example.com"
pay_to = "0x00000000000000000000000000000000000000aa"
network = "eip155:8453"
assets = { USDC = "0x00000000000000000000000000000000000000bb" }

[api.warehouse]
spec            = "specs/warehouse.wsdl"
base_url        = "https://warehouse.example.com/soap"
hosts           = ["files.example.com", "files.example.com:8443", "[2001:db8::1]:80"]
digest          = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
auth            = { kind = "bearer", token = "env:WAREHOUSE_TOKEN" }
headers         = { X-Tenant = "acme", X-Key = "cred:key" }
timeout         = "45s"
attempt_timeout = "15s"
redirects       = "refuse"
max_response    = "8MiB"

[api.shop]
spec = "shop.yaml"

[api.shop.credentials]
ApiKey = { kind = "api_key", value = "env:WAREHOUSE_KEY" }
Basic = { kind = "basic", username = "svc", password = "file:password" }

[[tool]]
api       = "warehouse"
operation = "GetStock"
name      = "get_stock"
title     = "Stock of an article"
examples  = [{ sku = "A-1", at = 1.50 }]
effect    = "read"
allow     = ["support-bot", "group:ops"]
deny      = ["alice"]
hold      = { identities = ["*"], expires = "10m" }
calls     = { limit = 100, per = "1m", by = "identity" }
price     = "0.010 USDC"
timeout   = "20s"
idempotent = true

[tool.args.warehouse]
enum    = ["berlin", "paris", 1.10]

[tool.args."/body/items/*/price"]
min = 0
max = 500.0000000000000000001
pattern = "^[0-9.]+$"
default = 12345678901234567890123
"#;

#[test]
fn the_example_of_the_format_loads() {
    let config = loaded(EXAMPLE);
    assert_eq!(config.dir, Path::new("conf"));
    assert!(config.store_url().starts_with("sqlite:/"));
    assert!(config.store_url().ends_with("/conf/tollbridge.db"));
    assert!(config.digest.starts_with("sha256:"));
    assert_eq!(
        config.apis.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["warehouse", "shop"]
    );
    let tool = &config.tools[0];
    assert_eq!(tool.price.as_ref().unwrap().to_string(), "0.010 USDC");
    assert_eq!(tool.hold.as_ref().unwrap().expires.0, Duration::from_mins(10));
    assert_eq!(tool.examples[0].0.to_string(), r#"{"sku":"A-1","at":1.50}"#);
    let rules: Vec<_> = tool.args.iter().map(|(_, rules)| rules).collect();
    assert_eq!(rules[0].one_of.as_ref().unwrap()[2].0.to_string(), "1.10");
    assert_eq!(rules[1].max.as_ref().unwrap().as_str(), "500.0000000000000000001");
    assert_eq!(rules[1].default.as_ref().unwrap().0.to_string(), "12345678901234567890123");
    let path = tool.args.iter().nth(1).unwrap().0;
    assert_eq!(path.segments(), ["body", "items", "*", "price"]);
}

#[test]
fn what_is_left_out_has_the_defaults_of_the_format() {
    let config = loaded(&tool("hold = true"));
    let api = config.apis.iter().next().unwrap().1;
    assert_eq!(api.timeout(), Duration::from_secs(45));
    assert_eq!(api.attempt_timeout(), Duration::from_secs(15));
    assert_eq!(api.max_response(), 8 * 1024 * 1024);
    assert_eq!(api.redirects, Redirects::Refuse);
    assert_eq!(config.server.identity.as_str(), "local");
    assert_eq!(config.audit.durability, Durability::Full);
    assert_eq!(config.audit.reads_when_down, ReadsWhenDown::Deny);
    let hold = config.tools[0].hold.as_ref().unwrap();
    assert_eq!(*hold.identities[0], Selector::Everyone);
    assert_eq!(hold.expires.to_string(), "10m");
    assert!(loaded(&tool("hold = false")).tools[0].hold.is_none());
    assert!(loaded("").tools.is_empty());
}

#[test]
fn places_are_those_of_the_values() {
    let text = tool("name = \"get_order\"\nallow = [\"*\", \"bob\"]\n[tool.args.id]\nmax = 5");
    let config = loaded(&text);
    let tool = &config.tools[0];
    let at = |span: std::ops::Range<usize>| &text[span];
    assert_eq!(at(tool.operation.span()), "\"getOrder\"");
    assert_eq!(at(tool.allow.as_ref().unwrap()[1].span()), "\"bob\"");
    let (path, rules) = tool.args.iter().next().unwrap();
    assert_eq!(at(path.span()), "id");
    assert_eq!(at(rules.max.as_ref().unwrap().span()), "5");
    assert_eq!(at(config.apis.iter().next().unwrap().0.span()), "shop");
}

#[test]
fn all_unknown_keys_are_reported_at_once() {
    insta::assert_snapshot!(refused(
        "[server]\nidentiti = \"x\"\n\n[api.shop]\nspec = \"a\"\ntimeuot = \"1s\"\nauth = { kind = \"bearer\", tokn = \"env:A\" }\n\n\
         [[tool]]\napi = \"shop\"\noperation = \"a\"\nhold = { expire = \"1m\" }\n[tool.args.id]\nmaximum = 3\n\n[tools]\n"
    ));
}

#[test]
fn keys_that_are_not_acted_on_are_refused() {
    insta::assert_snapshot!(refused(
        "safety = {}\n[audit]\nstore = \"postgres://h/db\"\n\
         [api.shop]\nspec = \"a\"\nauth = { kind = \"mtls\", username = \"a\", password = \"env:B\" }\n\
         [[tool]]\napi = \"shop\"\noperation = \"a\"\n"
    ));
}

#[test]
fn a_window_needs_days_or_hours_and_a_zone() {
    insta::assert_snapshot!(refused(&tool(
        "when = { days = \"mon-frei\", hours = \"8-18\", zone = \"Europe/Berlinn\" }\n"
    )));
    insta::assert_snapshot!(refused(&tool("when = { hours = \"08:00-18:00\" }\n")));
    insta::assert_snapshot!(refused(&tool("when = { zone = \"UTC\" }\n")));
}

#[test]
fn callers_who_could_be_anybody_are_refused_with_the_mend() {
    let jwt = |more: &str| {
        format!(
            "jwt = {{ issuer = \"https://id.example.com/\", audience = \"https://b.example/mcp\"{more} }}"
        )
    };
    let asked = "introspection = { url = \"http://id.example.com/ask\", client_id = \"b\", client_secret = \"env:S\", \
         issuer = \"https://id.example.com\", audience = \"\", cache = \"1h\" }";
    let opaque = jwt("").replace("https://b.example/mcp", "api://bridge");
    let all = [
        "keys = true\nscopes = [\"mcp\"]".to_owned(),
        "keys = true\nresource = \"https://b.example/mcp\"".to_owned(),
        format!("{}\n{asked}", jwt("")),
        jwt(", jwks = \"http://id.example.com/jwks\", algorithms = []"),
        jwt(", jwks = \"ftp://x\", algorithms = [\"HS256\", \"none\"]"),
        jwt("").replace("https://id", "http://id"),
        opaque.clone(),
        format!("{}\nscopes = [\"a b\"]", jwt("")),
    ];
    let shown: Vec<String> =
        all.iter().map(|auth| refused(&format!("[server.auth]\n{auth}\n"))).collect();
    insta::assert_snapshot!(shown.join("\n"));
    for good in [
        jwt(", jwks = \"file:jwks.json\", groups = \"groups\", typed = true"),
        jwt("").replace("https://id.example.com/", "http://127.0.0.1:9/"),
        format!("{opaque}\nresource = \"https://b.example/mcp\"\nscopes = [\"mcp\"]"),
    ] {
        loaded(&format!("[server.auth]\n{good}\n"));
    }
}

#[test]
fn a_group_that_tokens_may_claim_needs_no_table() {
    let text = tool("allow = [\"group:ops\"]\nscopes = [\"items:read\"]");
    assert!(refused(&text).contains("TB0203"));
    let jwt = "jwt = { issuer = \"https://id.example.com\", audience = \"https://b.example/mcp\", groups = \"groups\" }";
    loaded(&format!("[server.auth]\n{jwt}\n{text}"));
}

#[test]
fn a_budget_that_measures_nothing_or_cannot_be_counted_is_refused() {
    insta::assert_snapshot!(refused(&tool(
        "budget = [{ limit = 1, per = \"1h\" }, { count = true, sum = \"a\", limit = 1.5, per = \"0s\" },\n\
         { sum = \"a\", limit = 1e-19, per = \"1h\" }, { count = true, currency = { at = \"c\", is = \"EUR\" }, limit = -1, per = \"1h\" }]"
    )));
}

#[test]
fn two_budgets_that_count_the_same_are_refused() {
    let once = "count = true, per = \"1h\"";
    let same = refused(&tool(&format!(
        "budget = [{{ {once}, limit = 5 }}, {{ {once}, limit = 6, name = \"b\" }}]"
    )));
    assert!(same.contains("two budgets count the same"), "{same}");
    let over = "[[budget]]\neffect = \"write\"\ncount = true\nper = \"60m\"\nlimit = 5\n";
    let same = refused(&format!("{over}{}{}", over.replace("60m", "1h"), tool("")));
    assert!(same.contains("two budgets count the same"), "{same}");
    loaded(&tool(&format!(
        "budget = [{{ {once}, limit = 5 }}, {{ {once}, limit = 6, by = \"all\" }}, \
         {{ count = true, per = \"1d\", limit = 9 }}]"
    )));
}

#[test]
fn wrong_types_and_forms_are_reported_at_once() {
    insta::assert_snapshot!(refused(
        "[server]\nname = 3\nidentity = \"\"\norigins = [\"https://a.example/path\"]\n[audit]\nstore = \"file.db\"\ndurability = \"ful\"\n\
         [api.Shop]\nspec = \"a\"\n[api.b]\nbase_url = \"https://u:hunter2@h/\"\nhosts = [\"h/x\"]\ntimeout = 45\nmax_response = \"8 MiB\"\ndigest = \"md5:1\"\n\
         [[tool]]\napi = \"b\"\noperation = \"a\"\nname = \"Get-Stock\"\neffect = \"reed\"\nallow = \"*\"\nhold = \"yes\"\ncalls = { limit = 0, per = \"1w\" }\nprice = \"0.01\"\n\
         [tool.args.\"/a~2\"]\nmin = inf\npattern = \"(\"\nmax_length = -1\n"
    ));
}

#[test]
fn a_literal_secret_is_refused_and_never_shown() {
    let shown = refused(
        "[api.shop]\nspec = \"a\"\nauth = { kind = \"bearer\", token = \"sk-live-1\" }\nheaders = { Authorization = \"Bearer sk-live-2\", X-A = \"b\" }\n\
         [api.shop.credentials]\nA = { kind = \"api_key\", value = \"sk-live-3\" }\nB = { kind = \"api_key\", valu = \"sk-live-4\" }\nC = \"sk-live-5\"\nD = { kind = \"bearer\", token = \"keyring:a\" }\n",
    );
    assert!(!shown.contains("sk-live"), "{shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn a_header_that_names_a_secret_takes_no_literal() {
    let shown =
        refused(&with_api("headers = { Authorization = \"Bearer sk-live-2\", X-A = \"b\" }"));
    assert!(!shown.contains("sk-live"), "{shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn a_file_that_is_no_toml_shows_no_values() {
    let shown =
        refused("[api.shop]\nspec = \"a\"\ntoken = sk-live-1\nauth = { token = \"sk-live-2 }\n");
    assert!(!shown.contains("live"), "{shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn what_contradicts_itself_is_refused() {
    insta::assert_snapshot!(refused(
        "[api.shop]\nspec = \"a\"\ntimeout = \"5s\"\nattempt_timeout = \"6s\"\nmax_response = \"0B\"\nheaders = { Host = \"a\", \"a b\" = \"c\" }\n\
         auth = { kind = \"api_key\", value = \"env:A\" }\n[api.shop.credentials]\nA = { kind = \"basic\", username = \"a:b\", password = \"env:P\" }\n\
         [[tool]]\napi = \"shop\"\noperation = \"a\"\nname = \"a\"\nallow = [\"group:x\"]\nprice = \"1 USDC\"\nhold = { expires = \"0s\" }\n\
         [tool.args.id]\nmin = 500.0000000000000000001\nmax = \"500.00\"\nenum = []\nfixed = 1\ndefault = 2\nrename = \"a b\"\n\
         [tool.args.\"/id\"]\nrequired = true\nhide = true\n\
         [[tool]]\napi = \"shp\"\noperation = \"b\"\nname = \"a\"\n"
    ));
}

#[test]
fn what_connections_present_and_send_is_whole() {
    const SECRET: &str = ", client_secret = \"env:S\"";
    let oauth = |url: &str, more: &str| {
        format!("auth = {{ kind = \"oauth2\", token_url = \"{url}/t\", client_id = \"c\"{more} }}")
    };
    for (keys, told) in [
        ("tls = { cert = \"file:a.pem\" }", "needs `key`"),
        ("tls = { key = \"file:a.pem\" }", "needs `cert`"),
        ("base_url = \"http://shop.example\"\ntls = { ca = \"file:a.pem\" }", "use https"),
        ("tls = { ca = \"-----BEGIN CERTIFICATE-----\" }", "a literal secret is refused"),
        ("proxy = \"ftp://proxy.example\"", "socks5h"),
        ("proxy = \"socks5://proxy.example\"", "a port"),
        ("proxy = \"http://u:p@proxy.example\"", "`proxy_auth`"),
        ("proxy_auth = { username = \"u\", password = \"env:P\" }", "needs `proxy`"),
        ("max_upload = \"0B\"", "no file fits"),
        ("auth = { kind = \"digest\", username = \"u\" }", "`password`"),
        (&oauth("http://id.example", SECRET), "use https"),
        (&oauth("http://127.0.0.1:1", ""), "needs `client_secret`"),
        (
            &oauth("https://id.example", &format!("{SECRET}, grant = \"password\"")),
            "needs `username`",
        ),
        (
            &oauth("https://id.example", &format!("{SECRET}, grant = \"refresh_token\"")),
            "needs `refresh_token`",
        ),
        (
            &oauth("https://id.example", &format!("{SECRET}, password = \"env:P\"")),
            "`password` has no effect",
        ),
        (
            &oauth("https://id.example", &format!("{SECRET}, scope = \"a\"")),
            "did you mean `scopes`",
        ),
    ] {
        let shown = refused(&with_api(keys));
        assert!(shown.contains(told), "{keys}: {shown}");
        assert!(!shown.contains("BEGIN"), "{shown}");
    }
    let config = loaded(&with_api(
        "base_url = \"https://shop.example\"\nfiles = \"uploads\"\n\
         auth = { kind = \"digest\", username = \"u\", password = \"env:P\" }\n\
         proxy = \"socks5h://[::1]:1080\"\nproxy_auth = { username = \"u\", password = \"env:P\" }\n\
         tls = { ca = \"file:ca.pem\", cert = \"file:a.pem\", key = \"cred:key\" }",
    ));
    let (_, api) = config.apis.iter().next().unwrap();
    assert!(matches!(api.auth.as_deref(), Some(Auth::Digest { .. })));
    assert_eq!(api.max_upload(), 8 << 20);
}

#[test]
fn a_settlement_names_real_addresses() {
    insta::assert_snapshot!(refused(
        "[settlement]\nfacilitator = \"http://x402.example.com\"\npay_to = \"0x12\"\nnetwork = \"eip155:8453\"\nassets = { USDC = \"usdc\" }\n\
         [api.shop]\nspec = \"a\"\n[[tool]]\napi = \"shop\"\noperation = \"a\"\nprice = \"1 EURC\"\n"
    ));
}

#[test]
fn what_is_unsafe_and_may_be_meant_is_a_warning() {
    let (_, warnings) = parse(
        Path::new("tools.toml"),
        "[server.auth]\nkeys = false\n[api.a]\nspec = \"a\"\nbase_url = \"http://a.example\"\nauth = { kind = \"bearer\", token = \"env:A\" }\n[api.b]\nspec = \"a\"\nbase_url = \"http://127.0.0.1:1\"\nauth = { kind = \"bearer\", token = \"env:A\" }\n".to_owned(),
    )
    .unwrap();
    insta::assert_snapshot!(warnings.to_string());
}

#[test]
fn a_missing_file_says_how_to_get_one() {
    let diagnostics = load(Path::new("no/such/tools.toml")).unwrap_err();
    insta::assert_snapshot!(diagnostics.to_string());
}

#[test]
fn scripts_get_line_and_column() {
    let diagnostics = parse(Path::new("tools.toml"), "[server]\nnam = 1\n".to_owned()).unwrap_err();
    insta::assert_snapshot!(format!("{:#}", diagnostics.to_json()));
}

#[test]
fn the_schema_names_every_key() {
    insta::assert_snapshot!(format!("{:#}", schema()));
}

#[test]
fn every_key_in_the_schema_says_what_it_is() {
    fn walk(schema: &serde_json::Value, at: &str) {
        if let Some(properties) = schema.get("properties").and_then(|p| p.as_object()) {
            for (key, property) in properties {
                let told = property.get("description").is_some() || property.get("const").is_some();
                assert!(told, "{at}/{key} has no description");
            }
        }
        match schema {
            serde_json::Value::Object(members) => {
                members.iter().for_each(|(key, member)| walk(member, &format!("{at}/{key}")));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| walk(item, at)),
            _ => {}
        }
    }
    walk(&schema(), "");
}

#[test]
fn a_terminal_cannot_be_driven_by_a_file() {
    let shown = refused("\"\\u001b[2J\" = 1 # \u{202e}x\n");
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown:?}");
}

#[test]
fn values_have_one_form() {
    for (text, seconds) in
        [("500ms", 0.5), ("10s", 10.0), ("15m", 900.0), ("1h", 3600.0), ("30d", 2_592_000.0)]
    {
        assert_eq!(text.parse::<Period>().unwrap().0, Duration::from_secs_f64(seconds), "{text}");
        assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
    }
    for bad in ["", "10", "s", "1.5h", "-1s", "10 s", "1w", "99999999999999999999s", "36526d"] {
        assert!(bad.parse::<Period>().is_err(), "{bad}");
    }
    for (text, limit, seconds) in
        [("20/s", 20, 1), ("1000/h", 1000, 3600), ("100/10s", 100, 10), ("5/m", 5, 60)]
    {
        let per = Duration::from_secs(seconds);
        assert_eq!(text.parse::<Rate>().unwrap(), Rate { limit, per }, "{text}");
    }
    for bad in ["20", "0/s", "/s", "20/", "20/0s", "-1/s", "1.5/s", "20 /s", "20/w", "100001/s"] {
        assert!(bad.parse::<Rate>().is_err(), "{bad}");
    }
    for (text, bytes) in
        [("100B", 100), ("1MiB", 1 << 20), ("8MB", 8_000_000), ("512KiB", 512 << 10)]
    {
        assert_eq!(text.parse::<Size>().unwrap().0, bytes, "{text}");
    }
    for bad in ["8", "8M", "1025GiB", "MiB", "1 MiB"] {
        assert!(bad.parse::<Size>().is_err(), "{bad}");
    }
    for bad in ["0.01", "USDC", "-1 USDC", "1e3 USDC", "1  USDC", "1 US DC", ".5 USDC"] {
        assert!(bad.parse::<Money>().is_err(), "{bad}");
    }
    for bad in ["", "a/b", "http://a", "a:0", "a:99999", "u@a", "*.a", "a b", "::1", "a:1:2"] {
        assert!(bad.parse::<HostName>().is_err(), "{bad}");
    }
    assert_eq!("EXAMPLE.com:81".parse::<HostName>().unwrap().to_string(), "example.com:81");
    for bad in ["", "group:", "a*", "a\nb"] {
        assert!(bad.parse::<Selector>().is_err(), "{bad}");
    }
    assert_eq!("/a~1b/~0".parse::<ArgumentPath>().unwrap().segments(), ["a/b", "~"]);
    assert_eq!("a/b".parse::<ArgumentPath>().unwrap().to_string(), "/a~1b");
}

#[test]
fn a_collector_that_cannot_be_what_was_meant_is_refused_with_the_mend() {
    let collector = |keys: &str| refused(&with_api(&format!("\n[observe.otlp]\n{keys}\n")));
    let wrong = [
        "endpoint = \"http://127.0.0.1:4318/v1/metrics\"\ninterval = \"10ms\"",
        "endpoint = \"http://127.0.0.1:4318/v1/traces/\"\nresource = { \" \" = \"x\" }",
        "endpoint = \"http://127.0.0.1:4318\"\nmetrics = false",
        "endpoint = \"http://127.0.0.1:4318\"\nheaders = { \"no header\" = \"x\" }",
        "traces = true",
    ];
    let told = wrong.map(collector).join("\n");
    insta::assert_snapshot!(told);
}

#[test]
fn secrets_for_a_collector_over_plain_http_are_a_warning_but_to_this_machine() {
    let at = |endpoint: &str| {
        with_api(&format!(
            "\n[observe.otlp]\nendpoint = \"{endpoint}\"\nheaders = {{ A = \"env:A\" }}\n"
        ))
    };
    let (_, warnings) = parse(Path::new("tools.toml"), at("http://collector.example")).unwrap();
    insta::assert_snapshot!(warnings.to_string());
    for fine in ["http://127.0.0.1:4318", "https://collector.example"] {
        assert!(loaded(&at(fine)).observe.otlp.is_some(), "{fine}");
    }
}
