//! The scripted day: what two agents do, what they are answered, and what the trail says.
//!
//! Each step states what must come of it; where something else comes the demo fails. So it
//! is a test of the whole house that people can watch.

use serde_json::{Value, json};

use super::client::Agent;
use super::stage::{DemoError, Stage};
use crate::audit::{self, Filter};
use crate::gateway;

/// Something to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A part of the day begins.
    Part(String),
    /// An agent or a person does something.
    Does(String),
    /// What came of it.
    Gets(String),
    /// A row of the trail, or of the upstream's own record.
    Row(String),
}

/// Runs the day. `say` is told what happens while it happens.
pub async fn run(stage: &Stage, say: &mut dyn FnMut(Line)) -> Result<(), DemoError> {
    say(Line::Part("Two agents connect over MCP".into()));
    let support = stage.agent("support-bot").await?;
    let warehouse = stage.agent("warehouse-bot").await?;
    for (name, agent) in [("support-bot", &support), ("warehouse-bot", &warehouse)] {
        let tools = agent.tools().await?;
        say(Line::Does(format!("{name} lists its tools")));
        say(Line::Gets(tools.join(", ")));
    }

    let mut day = Day { stage, say };
    day.part("Reads");
    day.ok(&support, "get_order", json!({"order_id": "ord_1001"}), "/status").await?;
    day.part("The API says 429 with Retry-After, then 503: the bridge recovers by itself");
    day.recovered(&warehouse, "get_stock", json!({"sku": "PAN-024"})).await?;
    day.recovered(&support, "track_shipment", json!({"shipment_id": "shp_3001"})).await?;

    day.part("A warehouse of 2013 speaks SOAP, and not what its WSDL says");
    let article = |number: &str| json!({"ArticleNo": number});
    day.unlocked(&warehouse, "get_warehouse_stock", article("PAN-024")).await?;
    day.ok(&warehouse, "get_pick_list", json!({"no": 4711}), "/getPickListReturn/lines/0/bin")
        .await?;
    day.fails(&support, "get_warehouse_stock", article("XXX-999"), "upstream_error").await?;

    day.part("A write within its limits, and two beyond them");
    let refund = |amount: &str, reason: &str| {
        let amount: serde_json::Number = serde_json::from_str(amount).unwrap_or_else(|_| 0.into());
        json!({"order_id": "ord_1001", "body": {"amount": amount, "currency": "EUR", "reason": reason}})
    };
    day.ok(&support, "refund_order", refund("120.50", "damaged"), "/amount").await?;
    day.fails(&support, "refund_order", refund("200.000000000000000001", "damaged"), "denied")
        .await?;
    day.fails(&warehouse, "refund_damaged_goods", refund("60", "damaged"), "denied").await?;
    day.unknown(&warehouse, "refund_order", refund("1", "damaged")).await?;

    day.part("A call that a person must approve");
    let cancel = json!({"order_id": "ord_1002", "body": {"reason": "customer_request"}});
    let held = day.fails(&support, "cancel_order", cancel.clone(), "held").await?;
    let id = held["hold"]["id"].as_str().unwrap_or_default().to_owned();
    day.does(format!("a person: tollbridge approve {id}"));
    gateway::approve(stage.gateway.store(), &id, "operator:demo", Some("customer called".into()))
        .await?;
    day.gets("approved: the same call goes on, once".into());
    day.ok(&support, "cancel_order", cancel.clone(), "/status").await?;
    day.fails(&support, "cancel_order", cancel, "held").await?;

    day.part("A call with a price");
    day.fails(&support, "get_demand_forecast", json!({"sku": "PAN-024"}), "payment_required")
        .await?;

    day.part("The kill switch");
    day.does("a person: tollbridge stop".into());
    gateway::stop(stage.gateway.store(), crate::store::StopScope::All, "operator:demo").await?;
    day.fails(&support, "get_order", json!({"order_id": "ord_1001"}), "stopped").await?;
    day.does("a person: tollbridge resume".into());
    gateway::resume(stage.gateway.store(), crate::store::StopScope::All, "operator:demo").await?;
    day.ok(&support, "get_order", json!({"order_id": "ord_1001"}), "/refunded/amount").await?;

    support.close().await;
    warehouse.close().await;

    day.part("What the API saw");
    for seen in stage.orders.seen() {
        day.row(format!("{} {} {}", seen.status, seen.method, seen.path));
    }
    day.part("What the warehouse heard");
    for heard in stage.warehouse.heard() {
        let fault = heard.fault.map(|code| format!(", the fault {code}")).unwrap_or_default();
        day.row(format!("{} {}{fault}", heard.status, heard.operation));
    }
    day.part("The audit trail");
    let calls = audit::calls(stage.gateway.store(), &Filter::default()).await?;
    for call in &calls {
        let decision = call.decision.as_ref().map_or("-", |decision| decision.effect.as_str());
        let rules =
            call.decision.as_ref().map(|decision| decision.rules.join(", ")).unwrap_or_default();
        let statuses: Vec<String> = call
            .attempts
            .iter()
            .map(|attempt| attempt.status.map_or("-".to_owned(), |status| status.to_string()))
            .collect();
        day.row(format!(
            "{:<13} {:<21} {:<5} {:<17} {:<9} {rules}",
            call.identity.as_deref().unwrap_or("-"),
            call.tool.as_deref().unwrap_or("-"),
            decision,
            call.outcome.as_deref().unwrap_or("running"),
            statuses.join(">"),
        ));
    }
    Ok(())
}

struct Day<'a> {
    stage: &'a Stage,
    say: &'a mut dyn FnMut(Line),
}

impl Day<'_> {
    fn part(&mut self, text: &str) {
        (self.say)(Line::Part(text.to_owned()));
    }

    fn does(&mut self, text: String) {
        (self.say)(Line::Does(text));
    }

    fn gets(&mut self, text: String) {
        (self.say)(Line::Gets(text));
    }

    fn row(&mut self, text: String) {
        (self.say)(Line::Row(text));
    }

    /// Makes a call that must succeed; shows one member of the answer.
    async fn ok(
        &mut self,
        agent: &Agent,
        tool: &str,
        arguments: Value,
        show: &str,
    ) -> Result<Value, DemoError> {
        self.does(format!("{tool} {arguments}"));
        let result = agent.call(tool, arguments).await?;
        let answer = &result["structuredContent"];
        if result["isError"] == json!(true) {
            return Err(DemoError::Script(format!("{tool}: {}", answer["error"])));
        }
        let attempts = &result["_meta"]["tollbridge/call"]["attempts"];
        let shown = answer.pointer(show).unwrap_or(&Value::Null);
        self.gets(format!("ok, {attempts} attempt(s): {} = {shown}", &show[1..]));
        Ok(result)
    }

    /// Makes a call that succeeds only because the bridge tried again.
    async fn recovered(
        &mut self,
        agent: &Agent,
        tool: &str,
        arguments: Value,
    ) -> Result<(), DemoError> {
        self.does(format!("{tool} {arguments}"));
        let before = self.stage.orders.seen().len();
        let result = agent.call(tool, arguments).await?;
        let meta = &result["_meta"]["tollbridge/call"];
        let statuses: Vec<String> = self
            .stage
            .orders
            .seen()
            .iter()
            .skip(before)
            .map(|seen| seen.status.to_string())
            .collect();
        if result["isError"] == json!(true) || statuses.len() < 2 {
            return Err(DemoError::Script(format!("{tool}: no recovery: {result}")));
        }
        self.gets(format!(
            "ok, {} attempts ({}) in {} ms",
            meta["attempts"],
            statuses.join(", then "),
            meta["upstream_ms"]
        ));
        Ok(())
    }

    /// Makes a call that the warehouse first answers by a fault under 200, and then by more
    /// than its schema has.
    async fn unlocked(
        &mut self,
        agent: &Agent,
        tool: &str,
        arguments: Value,
    ) -> Result<(), DemoError> {
        self.does(format!("{tool} {arguments}"));
        let result = agent.call(tool, arguments).await?;
        let heard = self.stage.warehouse.heard();
        let [first, second] = heard.as_slice() else {
            return Err(DemoError::Script(format!("{tool}: no recovery: {result}")));
        };
        let drift = result["_meta"]["tollbridge/drift"].as_array().map_or(0, Vec::len);
        let (Some(fault), None) = (&first.fault, &second.fault) else {
            return Err(DemoError::Script(format!("{tool}: expected one fault, got {heard:?}")));
        };
        if result["isError"] == json!(true) || drift == 0 {
            return Err(DemoError::Script(format!(
                "{tool}: expected an answer with drift, got {result}"
            )));
        }
        self.gets(format!(
            "ok, {} attempts (the fault {fault} under {}, then {}); the answer leaves its schema in {drift} places",
            result["_meta"]["tollbridge/call"]["attempts"], first.status, second.status
        ));
        Ok(())
    }

    /// Makes a call that must fail so; the error object.
    async fn fails(
        &mut self,
        agent: &Agent,
        tool: &str,
        arguments: Value,
        code: &str,
    ) -> Result<Value, DemoError> {
        self.does(format!("{tool} {arguments}"));
        let result = agent.call(tool, arguments).await?;
        let error = match &result["_meta"]["tollbridge/error"] {
            Value::Null => result["structuredContent"]["error"].clone(),
            error => error.clone(),
        };
        if error["code"] != json!(code) {
            return Err(DemoError::Script(format!("{tool}: expected {code}, got {result}")));
        }
        self.gets(format!("{code}: {}", error["message"].as_str().unwrap_or_default()));
        Ok(error)
    }

    /// Calls a tool that this agent may not see.
    async fn unknown(
        &mut self,
        agent: &Agent,
        tool: &str,
        arguments: Value,
    ) -> Result<(), DemoError> {
        self.does(format!("{tool} {arguments}"));
        match agent.call(tool, arguments).await {
            Err(error) => {
                self.gets(error.to_string());
                Ok(())
            }
            Ok(result) => Err(DemoError::Script(format!("{tool}: expected none, got {result}"))),
        }
    }
}
