//! What goes over the wire to a SOAP service, through files and layers as a user has them: a
//! WSDL document, a `tools.toml`, and an upstream that keeps what reached it.

mod answers;
mod headers;
mod security;

use tollbridge::config::Style;
use tollbridge::gateway::{self, Loaded, Secrets};
use tollbridge::store::{Durability, Store};

use super::support::{Answer, Bridge, Folder, Upstream, envelope, stock_wsdl};

/// A configuration with one tool, `get_stock`, which reads; `api` are more keys of the API.
fn config(base_url: &str, api: &str) -> String {
    format!(
        "[audit]\ndurability = \"process\"\n\n[api.warehouse]\nspec = \"warehouse.wsdl\"\n\
         base_url = \"{base_url}/soap\"\n{api}\n\n[[tool]]\napi = \"warehouse\"\n\
         operation = \"Warehouse.Port.GetStock\"\nname = \"get_stock\"\neffect = \"read\"\n"
    )
}

/// A folder with the warehouse's description, changed as a test wants it, and secrets in files.
fn folder(config: &str, wsdl: &str) -> Folder {
    let folder = Folder::new();
    folder.write("warehouse.wsdl", wsdl);
    folder.write("tools.toml", config);
    folder.write("session", SECRET);
    folder
}

/// What the file `session` holds: text that XML escapes.
const SECRET: &str = "w4rehouse-k3y<&>";

async fn bridge(upstream: &Upstream, wsdl: &str, api: &str) -> Bridge {
    let folder = folder(&config(&upstream.url(), api), wsdl);
    let Loaded { toolbox, .. } = gateway::load(&folder.file("tools.toml"), Secrets::Resolve)
        .unwrap_or_else(|wrong| panic!("{}", wrong.render(Style::Plain)));
    let store = Store::open(&folder.store_url(), Durability::Process).await.expect("a store");
    Bridge::of(folder, toolbox, store)
}

/// What is wrong with this configuration, as `check` says it.
fn refused(wsdl: &str, api: &str) -> String {
    let folder = folder(&config("http://127.0.0.1:9", api), wsdl);
    match gateway::load(&folder.file("tools.toml"), Secrets::Resolve) {
        Ok(_) => panic!("it was taken"),
        Err(wrong) => wrong.render(Style::Plain),
    }
}

fn wsdl() -> String {
    stock_wsdl("http://warehouse.example/soap")
}

fn seven() -> Answer {
    soap(200, &envelope("<w:GetStockResponse><w:quantity>7</w:quantity></w:GetStockResponse>"))
}

fn soap(status: u16, body: &str) -> Answer {
    Answer::new(status, "application/soap+xml; charset=utf-8", body)
}

const ARTICLE: &str = r#"{"article": "A-1"}"#;
