//! A bridge in this process: a gateway on a real store, in front of an upstream.

use std::sync::Arc;

use serde_json::Value;
use sqlx::{Connection, SqliteConnection};
use tollbridge::audit::{self, CallRecord, Filter};
use tollbridge::config::Style;
use tollbridge::gateway::{
    self, CallRequest, CallWatch, Caller, Failure, Gateway, Loaded, Refused, Reply, Secrets,
    Toolbox, Transport,
};
use tollbridge::observe::Metrics;
use tollbridge::store::{Clock, Durability, Store};
use tollbridge_operation::{Identity, Payload};

use super::{Folder, Upstream};

/// A configuration that is being written.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    top: String,
    base_url: String,
    api: String,
    tools: String,
}

impl Draft {
    /// A bridge to the shop at this URL.
    pub(crate) fn to(base_url: &str) -> Self {
        Self {
            top: "[audit]\ndurability = \"process\"\n".to_owned(),
            base_url: base_url.to_owned(),
            ..Self::default()
        }
    }

    /// Tables before the shop's, instead of those that make the store quick.
    pub(crate) fn top(mut self, top: &str) -> Self {
        self.top = top.to_owned();
        self
    }

    /// More keys of `[audit]`, which stands last so far.
    pub(crate) fn audit(mut self, keys: &str) -> Self {
        self.top = format!("{}{keys}\n", self.top);
        self
    }

    /// A facilitator at this URL.
    pub(crate) fn settled_at(mut self, facilitator: &str) -> Self {
        self.top = format!(
            "[settlement]\nfacilitator = \"{facilitator}\"\n\
             pay_to = \"0x0000000000000000000000000000000000000001\"\n\
             network = \"eip155:84532\"\n\
             assets = {{ USDC = \"0x036CbD53842c5426634e7929541eC2318f3dCF7e\" }}\n\n{}",
            self.top
        );
        self
    }

    /// More keys of the shop.
    pub(crate) fn api(mut self, keys: &str) -> Self {
        self.api = keys.to_owned();
        self
    }

    /// One tool of the shop, and what else its table has.
    pub(crate) fn tool(mut self, operation: &str, keys: &str) -> Self {
        self.tools = format!(
            "{}\n[[tool]]\napi = \"shop\"\noperation = \"{operation}\"\n{keys}\n",
            self.tools
        );
        self
    }

    /// The whole file.
    pub(crate) fn text(&self) -> String {
        let Self { top, base_url, api, tools } = self;
        format!(
            "{top}\n[api.shop]\nspec = \"shop.json\"\nbase_url = \"{base_url}\"\n{api}\n{tools}"
        )
    }

    pub(crate) async fn open(self) -> Bridge {
        self.open_in(Folder::new()).await
    }

    /// Opens it in a folder that has more files.
    pub(crate) async fn open_in(self, folder: Folder) -> Bridge {
        folder.write("shop.json", include_str!("shop.json"));
        folder.write("tools.toml", &self.text());
        let loaded = load(&folder);
        let durability = gateway::durability(&loaded.config);
        let store = Store::open(&folder.store_url(), durability).await.expect("a store");
        Bridge::of(folder, loaded.toolbox, store)
    }

    /// Opens it with a store that goes by this clock.
    pub(crate) async fn open_at(self, clock: Clock) -> Bridge {
        let folder = Folder::with_shop(&self.text());
        let toolbox = load(&folder).toolbox;
        let store = Store::open_with_clock(&folder.store_url(), Durability::Process, clock).await;
        Bridge::of(folder, toolbox, store.expect("a store"))
    }
}

fn load(folder: &Folder) -> Loaded {
    gateway::load(&folder.file("tools.toml"), Secrets::Resolve)
        .unwrap_or_else(|wrong| panic!("{}", wrong.render(Style::Plain)))
}

/// The bridge, and where its files are.
#[derive(Debug)]
pub(crate) struct Bridge {
    pub(crate) gateway: Gateway,
    pub(crate) folder: Folder,
}

impl Bridge {
    /// A bridge to the shop with these tools and no other rules.
    pub(crate) async fn offering(upstream: &Upstream, operations: &[&str]) -> Self {
        let draft = Draft::to(&upstream.url());
        operations.iter().fold(draft, |draft, operation| draft.tool(operation, "")).open().await
    }

    /// A bridge with a toolbox that was put together by hand.
    pub(crate) fn of(folder: Folder, toolbox: Toolbox, store: Store) -> Self {
        let gateway = Gateway::new(store, toolbox, Arc::new(Metrics::new()));
        Self { gateway, folder }
    }

    /// Reads the files again, as a reload would.
    pub(crate) async fn reload(&self, draft: Draft) {
        self.folder.write("tools.toml", &draft.text());
        self.gateway.swap(load(&self.folder).toolbox).await;
    }

    /// A call by `bot`.
    pub(crate) async fn call(&self, tool: &str, arguments: &str) -> Reply {
        self.call_as("bot", tool, arguments).await
    }

    /// A call of a tool that is there.
    pub(crate) async fn call_as(&self, identity: &str, tool: &str, arguments: &str) -> Reply {
        self.ask(identity, request(tool, arguments)).await.expect("a reply")
    }

    pub(crate) async fn ask(&self, identity: &str, request: CallRequest) -> Result<Reply, Refused> {
        self.gateway.call(caller(identity), request, CallWatch::default()).await
    }

    /// The store as another process has it.
    pub(crate) async fn other_store(&self) -> Store {
        Store::open(&self.folder.store_url(), Durability::Process).await.expect("a store")
    }

    /// The same bridge in another process.
    pub(crate) async fn beside(&self) -> Gateway {
        let toolbox = load(&self.folder).toolbox;
        Gateway::new(self.other_store().await, toolbox, Arc::new(Metrics::new()))
    }

    /// Approves a held call, as another process would.
    pub(crate) async fn approve(&self, hold: &str) {
        let store = self.other_store().await;
        gateway::approve(&store, hold, "operator:ann", None).await.expect("an approval");
    }

    /// A connection to the store's file, past everything.
    pub(crate) async fn sql(&self, statement: &'static str) {
        let mut connection =
            SqliteConnection::connect(&self.folder.store_url()).await.expect("a connection");
        sqlx::query(statement).execute(&mut connection).await.expect("a statement");
        connection.close().await.expect("an end");
    }

    /// From now on no event can be written, while everything can be read.
    pub(crate) async fn break_trail(&self) {
        self.sql(
            "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        .await;
    }

    pub(crate) async fn mend_trail(&self) {
        self.sql("DROP TRIGGER full").await;
    }

    /// Every call on record, oldest first, without events.
    pub(crate) async fn trail(&self) -> Vec<CallRecord> {
        audit::calls(self.gateway.store(), &Filter::default()).await.expect("the trail")
    }

    /// The call that this reply ended, with its events.
    pub(crate) async fn record(&self, reply: &Reply) -> CallRecord {
        self.record_of(reply.meta.id.as_str()).await
    }

    pub(crate) async fn record_of(&self, id: &str) -> CallRecord {
        audit::call(self.gateway.store(), id).await.expect("the trail").expect("the call")
    }

    /// The outcome of each call on record, oldest first.
    pub(crate) async fn outcomes(&self) -> Vec<String> {
        let outcome = |call: CallRecord| call.outcome.unwrap_or_else(|| "running".to_owned());
        self.trail().await.into_iter().map(outcome).collect()
    }
}

pub(crate) fn caller(identity: &str) -> Caller {
    Caller::new(Identity::new(identity).expect("an identity"), Transport::Http)
}

/// A call as a front end hands it on. The arguments are text, so that digits are as written.
pub(crate) fn request(tool: &str, arguments: &str) -> CallRequest {
    CallRequest {
        tool: tool.to_owned(),
        arguments: serde_json::from_str(arguments).expect("an object"),
        ..CallRequest::default()
    }
}

/// How a reply ended, in the trail's word.
pub(crate) fn code(reply: &Reply) -> &'static str {
    reply.result.as_ref().map_or_else(|failure| failure.code.as_str(), |_| "succeeded")
}

pub(crate) fn failure(reply: &Reply) -> &Failure {
    reply.result.as_ref().err().unwrap_or_else(|| panic!("it succeeded: {reply:?}"))
}

/// The events of a kind in a call's record.
pub(crate) async fn events(bridge: &Bridge, reply: &Reply, kind: &str) -> Vec<Value> {
    let record = bridge.record(reply).await;
    let events = record.events.into_iter().map(|event| event.body);
    events.filter(|body| body["kind"] == kind).map(Value::Object).collect()
}

pub(crate) fn value(reply: &Reply) -> &Value {
    match &reply.result {
        Ok(success) => match &success.payload {
            Payload::Value(value) => value,
            other => panic!("no value: {other:?}"),
        },
        Err(failure) => panic!("it failed: {failure:?}"),
    }
}
