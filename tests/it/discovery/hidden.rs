//! What one may not find leaves no trace: with it or without it in the description and in the
//! configuration, everything that is shown is the same.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};
use tollbridge::config::Style;
use tollbridge::gateway::{self, Secrets, Toolbox};

use crate::support::{Folder, caller};

/// Operations of an API: what they are called, how, and what is said of them. Those of one path are
/// side by side, so that the description has them in this order whichever are left out.
const OPERATIONS: [(&str, &str, &str, &str); 7] = [
    ("listOrders", "get", "/orders", "Lists the orders"),
    ("getOrder", "get", "/orders/{id}", "Reads one order"),
    ("deleteOrder", "delete", "/orders/{id}", "Removes an order for ever"),
    ("cancelOrder", "post", "/orders/{id}/cancel", "Cancels an order"),
    ("listRefunds", "get", "/refunds", "Lists refunds of orders"),
    ("createRefund", "post", "/refunds", "Pays money back for an order"),
    ("rareZebra", "get", "/zebras", "Counts the zebras of the warehouse"),
];

/// What the configuration says of an operation: nothing, or that it is a tool of `ann` or of `eve`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Said {
    Nothing,
    ToolOfAnn,
    ToolOfEve,
    /// No policy lets `ann` find it.
    Forbidden,
    /// No policy lets `ann` call it.
    Uncallable,
}

impl Said {
    /// Whether `ann` may find it.
    fn is_shown(self) -> bool {
        matches!(self, Self::Nothing | Self::ToolOfAnn)
    }
}

fn document(operations: &[usize]) -> String {
    let mut paths = json!({});
    for at in operations {
        let (id, method, path, summary) = OPERATIONS[*at];
        let mut operation = json!({"operationId": id, "summary": summary, "responses": {}});
        if path.contains("{id}") {
            operation["parameters"] = json!([{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}]);
        }
        paths[path][method] = operation;
    }
    json!({"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "paths": paths})
        .to_string()
}

/// The toolbox of these operations, with what is said of each.
fn toolbox(said: &[Said], only_shown: bool) -> (Folder, Toolbox) {
    let kept: Vec<usize> =
        (0..OPERATIONS.len()).filter(|at| !only_shown || said[*at].is_shown()).collect();
    let folder = Folder::new();
    folder.write("shop.json", &document(&kept));
    let mut policies = String::new();
    let mut text = "[server]\ndiscovery = true\n[safety]\npolicies = [\"shop.cedar\"]\n\
                    [api.shop]\nspec = \"shop.json\"\nbase_url = \"http://127.0.0.1:9\"\n\
                    discover = [\"*\"]\n"
        .to_owned();
    for at in kept {
        let id = OPERATIONS[at].0;
        let ann = r#"principal == Identity::"ann""#;
        match said[at] {
            Said::Nothing => {}
            Said::ToolOfAnn | Said::ToolOfEve => {
                let who = if said[at] == Said::ToolOfAnn { "ann" } else { "eve" };
                write!(
                    text,
                    "[[tool]]\napi = \"shop\"\noperation = \"{id}\"\nallow = [\"{who}\"]\n"
                )
                .expect("a string takes it");
            }
            Said::Forbidden => {
                writeln!(
                    policies,
                    "forbid({ann}, action == Action::\"discover\", resource == Operation::\"shop/{id}\");"
                ).expect("a string takes it");
            }
            Said::Uncallable => {
                writeln!(
                    policies,
                    "forbid({ann}, action in Action::\"call\", resource == Tool::\"shop/{id}\");"
                )
                .expect("a string takes it");
            }
        }
    }
    folder.write("shop.cedar", &policies);
    folder.write("tools.toml", &text);
    let loaded = gateway::load(&folder.file("tools.toml"), Secrets::Verify)
        .unwrap_or_else(|wrong| panic!("{}", wrong.render(Style::Plain)));
    (folder, loaded.toolbox)
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        3 => Just(Said::Nothing),
        1 => Just(Said::ToolOfAnn),
        1 => Just(Said::ToolOfEve),
        1 => Just(Said::Forbidden),
        1 => Just(Said::Uncallable),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("order"),
        Just("orders"),
        Just("cancel"),
        Just("remove"),
        Just("refund"),
        Just("money"),
        Just("zebra"),
        Just("zebar"),
        Just("list"),
        Just("api:shop"),
        Just("effect:read"),
        Just("effect:destructive"),
        Just("method:POST"),
        Just("warehouse"),
        Just("createRefund"),
        Just("shop/rareZebra"),
        Just("\u{202e}x"),
    ];
    proptest::collection::vec(word, 1..4).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_query_filter_or_id_shows_what_is_hidden(
        said in proptest::collection::vec(said(), OPERATIONS.len()),
        queries in proptest::collection::vec(query(), 1..5),
        limit in 1_usize..12,
    ) {
        let shown: BTreeSet<String> = (0..OPERATIONS.len())
            .filter(|at| said[*at].is_shown())
            .map(|at| format!("shop/{}", OPERATIONS[at].0))
            .collect();
        let (_kept, whole) = toolbox(&said, false);
        let ann = caller("ann");
        let Some(view) = whole.view(&ann) else {
            prop_assert!(shown.is_empty());
            return Ok(());
        };
        prop_assert_eq!(view.len(), shown.len());
        let (_kept, without) = toolbox(&said, true);
        let other = without.view(&ann).expect("there is something to find");
        prop_assert_eq!(view.apis().text, other.apis().text);
        for query in &queries {
            let (found, same) = (view.search(query, limit), other.search(query, limit));
            prop_assert_eq!(&found.text, &same.text, "{}", query);
            prop_assert_eq!(found.matched, same.matched);
            let scores = |hits: &[gateway::Hit]| -> Vec<Value> {
                hits.iter().map(|hit| json!([hit.id, hit.score])).collect()
            };
            prop_assert_eq!(scores(&found.hits), scores(&same.hits));
            for hit in &found.hits {
                prop_assert!(shown.contains(&hit.id), "{} by {}", hit.id, query);
            }
        }
        for (id, ..) in OPERATIONS {
            let id = format!("shop/{id}");
            prop_assert_eq!(view.describe(&id), other.describe(&id));
            prop_assert_eq!(view.called_by(&id), other.called_by(&id));
            prop_assert_eq!(view.called_by(&id).is_some(), shown.contains(&id), "{}", id);
        }
    }
}
