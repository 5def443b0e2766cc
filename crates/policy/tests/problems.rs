//! What is wrong with policies is told before anybody calls.

mod support;

use support::{problems, sources, tool};
use tollbridge_operation::Effect;
use tollbridge_policy::{Problem, STACK, Severity};

fn told(text: &str) -> String {
    let tools = [tool("refund", Effect::Write), tool("look", Effect::Read)];
    let text_of = |problem: &Problem| {
        let place = sources(text)[0].text.get(problem.site.span.clone()).unwrap_or("?").to_owned();
        let help = problem.help.as_deref().unwrap_or("-");
        let word = if problem.severity == Severity::Error { "error" } else { "warning" };
        format!("{word}: {} [{}] {help}", problem.message, place.lines().next().unwrap_or(""))
    };
    problems(&tools, text).iter().map(text_of).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_mistake_has_its_place_and_its_mend() {
    let table = [
        (
            r#"forbid(principal, action == Action::"refund", resource) when { context.arguments.amonut.greaterThan(decimal("1.0")) };"#,
            &["`shop.1`", "amonut", "did you mean", "amount"][..],
        ),
        (
            r#"forbid(principal, action == Action::"refund", resource) when { context.arguments.amount > 3 };"#,
            &["expected", "Long", "decimal"],
        ),
        (
            r#"forbid(principal, action == Action::"refnd", resource);"#,
            &["refnd", "did you mean", "refund"],
        ),
        (
            r#"forbid(principal, action == Action::"refund", resource) when { context.arguments has odd && context.arguments.odd == "x" };"#,
            &["`/odd` of `refund` is left out", "its names are free"],
        ),
        (
            r#"forbid(principal, action == Action::"call", resource);"#,
            &["about no tool", "action in Action::"],
        ),
        (
            r#"forbid(principal, action, resource == Tool::"refnd");"#,
            &["no such tool", "did you mean Tool::\"refund\"?"],
        ),
        (
            r#"forbid(principal, action, resource in Api::"shp");"#,
            &["no such API", "did you mean Api::\"shop\"?"],
        ),
        (
            r#"forbid(principal, action in Action::"call", resource) when { context.time.local.hour < 6 };"#,
            &["set `zone` in [safety]"],
        ),
        (
            r#"@hold("10 minutes") forbid(principal, action, resource);"#,
            &["no length of time", "@hold(\"10m\")"],
        ),
        (
            r#"@hold @ask("operators") forbid(principal, action, resource);"#,
            &["`@ask` of `shop.1` does not say who decides", "@ask(\"operator\")"],
        ),
        (
            r"@hold @ask forbid(principal, action, resource);",
            &["`@ask` of `shop.1` does not say who decides", "@ask(\"client\")"],
        ),
        (
            r#"@hold @four_eyes @ask("client, operator") forbid(principal, action, resource);"#,
            &["wants four eyes and asks the client", "no second person"],
        ),
        (
            r#"@hold("1m") @wait("2m") forbid(principal, action, resource);"#,
            &["`@wait` of `shop.1` is longer than its hold"],
        ),
        (
            r"@hold @wait forbid(principal, action, resource);",
            &["`@wait` of `shop.1` is no length of time", "@wait(\"45s\")"],
        ),
        (
            r#"@wait("2m") forbid(principal, action, resource);"#,
            &["`shop.1` has `@wait` and holds nothing", "add `@hold(\"10m\")`"],
        ),
        (
            r#"@asks("client") @hold forbid(principal, action, resource);"#,
            &["did you mean `@ask`?"],
        ),
        (r"@hold permit(principal, action, resource);", &["permit with `@hold`", "write `forbid`"]),
        (r#"@holt("1m") forbid(principal, action, resource);"#, &["did you mean `@hold`?"]),
        (
            r#"@id("a") permit(principal, action, resource); @id("a") forbid(principal, action, resource);"#,
            &["two policies `a`"],
        ),
        (
            r#"@id("refund.allow") permit(principal, action, resource);"#,
            &["two policies `refund.allow`"],
        ),
        (
            r#"forbid(principal, action, resource) when { principal.getTag("tenant").contains("x") };"#,
            &["`shop.1`", "unable to guarantee safety of access to tag"],
        ),
        (
            r#"@id("refund.scopes") forbid(principal, action, resource);"#,
            &["two policies `refund.scopes`"],
        ),
        (r"permit(principal == ?principal, action, resource);", &["template"]),
        (r"forbid(principal, action, resource) when { 1 + };", &["no Cedar"]),
    ];
    for (text, expected) in table {
        let told = told(text);
        for piece in expected {
            assert!(told.contains(piece), "`{piece}` is not told of\n{text}\n{told}");
        }
        assert!(told.starts_with("error"), "{told}");
    }
}

#[test]
fn a_mistake_is_pointed_at() {
    let told = told(
        r#"forbid(principal, action == Action::"refund", resource)
        when { context.arguments.amonut.greaterThan(decimal("1.0")) };"#,
    );
    assert!(told.contains("[context.arguments.amonut"), "{told}");
}

#[test]
fn good_policies_are_not_talked_about() {
    let told = told(
        r#"permit(principal in Group::"ops", action in Action::"call", resource);
        forbid(principal, action, resource) when { context.arguments has count && context.arguments.count > 3 };
        permit(principal, action == Action::"discover", resource);"#,
    );
    assert_eq!(told, "");
}

#[test]
fn a_policy_is_no_deeper_than_a_stack() {
    type Written = fn(usize) -> String;
    let table: [(&str, Written); 7] = [
        ("||", |many| vec!["context.channel == \"http\""; many].join(" || ")),
        ("&&", |many| vec!["context.channel == \"http\""; many].join(" && ")),
        ("+", |many| "context.time.local.hour".to_owned() + &" + 1".repeat(many) + " > 3"),
        ("()", |many| "(".repeat(many) + "context.channel == \"http\"" + &")".repeat(many)),
        ("if", |many| "if context.channel == \"http\" then true else ".repeat(many) + "false"),
        ("index", |many| "context".to_owned() + &"[\"a\"]".repeat(many) + " == 1"),
        ("clauses", |many| {
            "true".to_owned() + &" } when { context.channel == \"http\"".repeat(many)
        }),
    ];
    let whole = std::thread::Builder::new().stack_size(STACK).spawn(move || {
        for (what, written) in table {
            for (many, refused) in [(245, false), (260, true), (20_000, true)] {
                let text = format!(
                    "permit(principal, action, resource);\n\
                 forbid(principal, action == Action::\"refund\", resource) when {{ {} }};",
                    written(many)
                );
                let told = told(&text);
                assert_eq!(
                    told.contains("a policy deeper than 256"),
                    refused,
                    "{what}, {many}: {told}"
                );
                assert!(!refused || told.contains("[forbid(principal"), "{told}");
            }
        }
    });
    whole.expect("a thread").join().expect("it ends well");
}
