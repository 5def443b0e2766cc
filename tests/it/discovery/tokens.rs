//! What discovery costs a model, in tokens, on real documents where a folder of them is at hand.

use std::fmt::Write as _;

use serde_json::json;
use tollbridge::config::Style;
use tollbridge::gateway::{self, Meta, Secrets};
use tollbridge::tools::tokens;

use crate::corpus::documents;
use crate::support::{Folder, caller};

/// What people ask of APIs, whatever these are about.
const QUERIES: [&str; 12] = [
    "list everything",
    "create a new one",
    "delete a message",
    "send a message to a channel",
    "search for a film by its title",
    "update the permissions of a folder",
    "who is the current user",
    "cancel a payment",
    "effect:read",
    "effect:destructive",
    "get the details of a record by its id",
    "upload a file",
];

#[test]
fn three_tools_and_ten_results_cost_little_however_many_operations_there_are() {
    let mut text = "[server]\ndiscovery = true\n".to_owned();
    let documents = documents();
    if documents.is_empty() {
        return;
    }
    for (at, document) in documents.iter().enumerate() {
        write!(
            text,
            "[api.api{at}]\nspec = {:?}\nbase_url = \"http://127.0.0.1:9\"\ndiscover = [\"*\"]\n",
            document.display().to_string()
        )
        .expect("a string takes it");
    }
    let folder = Folder::new();
    let file = folder.write("tools.toml", &text);
    let loaded = gateway::load(&file, Secrets::Verify)
        .unwrap_or_else(|wrong| panic!("{}", wrong.render(Style::Plain)));
    let ann = caller("ann");
    let offer = loaded.toolbox.offer(&ann);
    let names: Vec<&str> = offer.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, Meta::ALL.map(Meta::name));
    let listed: u32 = offer.tools.iter().map(|tool| tool.tokens()).sum();
    assert!(listed < 1_200, "{listed}");
    let view = loaded.toolbox.view(&ann).expect("there is something to find");
    assert!(view.len() > 900, "{}", view.len());
    for query in QUERIES {
        let found = view.search(query, 10);
        assert_eq!(found.hits.len(), 10, "{query}");
        let cost = tokens::count(&json!({ "results": found.text }).to_string());
        assert!(cost < 600, "{query}: {cost}\n{}", found.text);
    }
    // Each can be called by the id that is shown.
    for hit in view.search("effect:read,write,destructive", 25).hits {
        assert!(view.called_by(&hit.id).is_some(), "{}", hit.id);
    }
}
