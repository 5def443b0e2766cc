//! What a client reads, completes and picks beside calling tools: resources and prompts.

use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, CompleteRequestParams, CompleteResult, CompletionInfo, ErrorCode,
    GetPromptRequestParams, GetPromptResult, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ReadResourceRequestParams, ReadResourceResult, Reference,
};

use super::{Handler, LIST_TTL_MS};
use crate::agent::prompts::{self, Plan};
use crate::agent::resources::{self, PlaceKind};
use crate::agent::{Backend, result};
use crate::gateway::{Caller, StoreError};

impl<B: Backend> Handler<B> {
    /// Whether such requests are answered: as the client was told when it came.
    pub(super) fn readable(&self, method: &'static str) -> Result<(), ErrorData> {
        match &self.config().capabilities.resources {
            Some(_) => Ok(()),
            None => Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None)),
        }
    }

    pub(super) async fn resources(&self, caller: &Caller) -> ListResourcesResult {
        let apis = self.backend().apis(caller).await;
        let all = apis.iter().map(|(name, title)| resources::of_api(name, title)).collect();
        let mut page = ListResourcesResult::with_all_items(all)
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private);
        page.meta = Some(result::server_meta(self.server()));
        page
    }

    pub(super) fn templates(&self) -> ListResourceTemplatesResult {
        let mut page = ListResourceTemplatesResult::with_all_items(resources::templates())
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private);
        page.meta = Some(result::server_meta(self.server()));
        page
    }

    pub(super) async fn read(
        &self,
        caller: &Caller,
        request: ReadResourceRequestParams,
    ) -> Result<ReadResourceResult, ErrorData> {
        let missing = || ErrorData::resource_not_found("there is no such resource", None);
        let place = resources::place(&request.uri).ok_or_else(missing)?;
        let text = self.backend().read(caller, &place).await.map_err(|error| unreadable(&error))?;
        let contents = resources::contents(&request.uri, &place, text.ok_or_else(missing)?);
        let mut read = ReadResourceResult::new(vec![contents])
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private);
        read.meta = Some(result::server_meta(self.server()));
        Ok(read)
    }

    pub(super) fn prompts(&self) -> ListPromptsResult {
        let mut page = ListPromptsResult::with_all_items(prompts::all())
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private);
        page.meta = Some(result::server_meta(self.server()));
        page
    }

    pub(super) fn prompt(
        &self,
        request: &GetPromptRequestParams,
    ) -> Result<GetPromptResult, ErrorData> {
        let wrong = |reason: String| ErrorData::invalid_params(reason, None);
        let plan = Plan::named(&request.name)
            .ok_or_else(|| wrong("there is no such prompt".to_owned()))?;
        let messages = plan.messages(request.arguments.as_ref()).map_err(wrong)?;
        let mut prompt = GetPromptResult::new(messages).with_description(plan.description());
        prompt.meta = Some(result::server_meta(self.server()));
        Ok(prompt)
    }

    /// What an argument may go on with; nothing where it is none of ours.
    pub(super) async fn completed(
        &self,
        caller: &Caller,
        request: &CompleteRequestParams,
    ) -> Result<CompleteResult, ErrorData> {
        let argument = &request.argument;
        let kind = match &request.r#ref {
            Reference::Resource(template) => PlaceKind::of_template(&template.uri, &argument.name),
            Reference::Prompt(prompt) => Plan::named(&prompt.name)
                .filter(|plan| plan.asks_for_call(&argument.name))
                .map(|_| PlaceKind::Call),
            _ => None,
        };
        let mut values = match kind {
            None => Vec::new(),
            Some(kind) => self
                .backend()
                .begin_so(caller, kind, &argument.value)
                .await
                .map_err(|error| unreadable(&error))?,
        };
        let total = u32::try_from(values.len()).unwrap_or(u32::MAX);
        values.truncate(CompletionInfo::MAX_VALUES);
        let has_more = values.len() < total as usize;
        let completion = CompletionInfo::with_pagination(values, Some(total), has_more)
            .map_err(|error| ErrorData::internal_error(error, None))?;
        let mut completed = CompleteResult::new(completion);
        completed.meta = Some(result::server_meta(self.server()));
        Ok(completed)
    }
}

fn unreadable(error: &StoreError) -> ErrorData {
    tracing::warn!(%error, "a resource could not be read");
    ErrorData::internal_error("it cannot be read now", None)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::agent::double::{Double, Talk, modern};

    async fn ask(talk: &mut Talk, method: &str, params: Value) -> Value {
        talk.ask(modern(1, method, params)).await
    }

    #[tokio::test]
    async fn apis_are_listed_and_places_are_read() {
        let mut talk = Talk::with(&Double::discovering());
        let found = ask(&mut talk, "server/discover", json!({})).await;
        let capabilities = &found["result"]["capabilities"];
        for name in ["resources", "prompts", "completions"] {
            assert!(capabilities[name].is_object(), "{capabilities}");
        }
        let page = ask(&mut talk, "resources/list", json!({})).await["result"].clone();
        assert_eq!(page["resources"][0]["uri"], "tollbridge://apis/shop");
        assert_eq!(page["resources"][0]["title"], "The Shop");
        assert_eq!(page["cacheScope"], "private");
        let page = ask(&mut talk, "resources/templates/list", json!({})).await["result"].clone();
        assert_eq!(page["resourceTemplates"].as_array().map(Vec::len), Some(3));

        let uri = "tollbridge://operations/shop%2Fget%20item";
        let read = ask(&mut talk, "resources/read", json!({ "uri": uri })).await["result"].clone();
        let expected = json!([{ "uri": uri, "mimeType": "text/plain", "text": "getItem(id)" }]);
        assert_eq!((&read["contents"], &read["cacheScope"]), (&expected, &json!("private")));
        for uri in
            ["tollbridge://operations/shop/other", "tollbridge://keys/1", "file:///etc/passwd"]
        {
            let answer = ask(&mut talk, "resources/read", json!({ "uri": uri })).await;
            assert_eq!(answer["error"]["message"], "there is no such resource", "{answer}");
        }
        let wrong = ask(&mut talk, "resources/read", json!({ "uri": 7 })).await;
        assert_eq!(wrong["error"]["code"], -32602);
    }

    #[tokio::test]
    async fn prompts_are_listed_and_filled_in() {
        let mut talk = Talk::with(&Double::discovering());
        let page = ask(&mut talk, "prompts/list", json!({})).await["result"].clone();
        assert_eq!(page["prompts"][0]["name"], "do_task");
        let arguments = json!({ "task": "cancel an order" });
        let params = json!({ "name": "do_task", "arguments": arguments });
        let got = ask(&mut talk, "prompts/get", params).await["result"].clone();
        let text = got["messages"][0]["content"]["text"].as_str().unwrap_or_default();
        assert!(text.contains("server: cancel an order\n"), "{got}");
        for params in [json!({ "name": "do_task" }), json!({ "name": "undo" })] {
            let wrong = ask(&mut talk, "prompts/get", params).await;
            assert_eq!(wrong["error"]["code"], -32602, "{wrong}");
        }
    }

    #[tokio::test]
    async fn arguments_are_completed_a_hundred_at_a_time() {
        let mut talk = Talk::with(&Double::discovering());
        let template = json!({ "type": "ref/resource", "uri": "tollbridge://calls/{id}" });
        let prompt = json!({ "type": "ref/prompt", "name": "explain_call" });
        for (reference, name, value, expected) in [
            (&template, "id", "", (100, 150, true)),
            (&template, "id", "Call-01", (10, 10, false)),
            (&template, "name", "", (0, 0, false)),
            (&prompt, "call", "Call-14", (10, 10, false)),
            (&prompt, "task", "", (0, 0, false)),
        ] {
            let argument = json!({ "name": name, "value": value });
            let params = json!({ "ref": reference, "argument": argument });
            let answer = ask(&mut talk, "completion/complete", params).await;
            let completion = &answer["result"]["completion"];
            let values = completion["values"].as_array().map_or(0, Vec::len);
            let total = completion["total"].as_u64().unwrap_or_default();
            assert_eq!((values, total, completion["hasMore"] == true), expected, "{answer}");
        }
    }

    #[tokio::test]
    async fn where_nothing_can_be_discovered_there_are_no_such_methods() {
        let mut talk = Talk::with(&Double::new());
        let argument = json!({ "name": "id", "value": "" });
        let reference = json!({ "type": "ref/prompt", "name": "explain_call" });
        for (method, params) in [
            ("resources/list", json!({})),
            ("resources/templates/list", json!({})),
            ("resources/read", json!({ "uri": "tollbridge://apis/shop" })),
            ("prompts/list", json!({})),
            ("prompts/get", json!({ "name": "look_around" })),
            ("completion/complete", json!({ "ref": reference, "argument": argument })),
        ] {
            let answer = ask(&mut talk, method, params).await;
            assert_eq!(answer["error"]["code"], -32601, "{method}: {answer}");
        }
    }
}
