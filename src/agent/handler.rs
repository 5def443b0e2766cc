//! MCP's methods: what is listed, what is called, and how a call is followed and ended.
//!
//! Both eras of the protocol arrive here in one shape; the MCP library negotiates versions,
//! checks what each era requires of a request, and takes fields away that an older peer does
//! not know. No argument is looked at here: the gateway checks them.

mod asked;
mod follow;
mod reading;

use std::borrow::Cow;
use std::future::ready;
use std::sync::Arc;

use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams,
    CompleteResult, CustomRequest, CustomResult, DiscoverResult, ErrorCode, GetPromptRequestParams,
    GetPromptResponse, GetTaskParams, GetTaskResult, Implementation, InitializeRequestParams,
    InitializeResult, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, MetaObject, PaginatedRequestParams, ProgressToken,
    ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse, RequestId,
    ServerCapabilities, ServerConfig, SetLevelRequestMethod, SubscribeRequestMethod,
    SubscribeRequestParams, SubscriptionFilter, Tool, ToolAnnotations, UnsubscribeRequestMethod,
    UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, Peer, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tollbridge_operation::Identity;

use super::arrived::{Arrived, Passing, origin_of};
use super::asking::{self, Asks};
use super::changes::Peers;
use super::in_flight::InFlight;
use super::methods;
use super::prompts::Plan;
use super::result::{self, Made};
use super::tasks::Tasks;
use super::{Backend, ToolList, ToolView};
use crate::gateway::{Agent, Asking, CallWatch, Caller, OperationEnd, Origin, Refused, Transport};
use asked::call_request;
pub(super) use asked::{
    Asked, Beside, headers_of, message_of, message_over_http, revision, version_of,
};
use follow::follow;

/// The revisions that we speak, oldest first.
pub(super) static VERSIONS: [ProtocolVersion; 3] =
    [ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];

/// How long a client may use a list without asking again: not at all, because the list
/// changes with its configuration at any time, and clients that do not listen would go on
/// with the old one.
const LIST_TTL_MS: u64 = 0;

/// How many `subscriptions/listen` streams are held open at once.
const MAX_LISTENERS: usize = 1024;

/// What of a client's name and version is kept.
const MAX_CLIENT: usize = 128;

/// Given the list that answers a request, by a transport that writes lists itself: the page
/// that goes to it is then empty.
pub(super) type Listed = Arc<dyn Fn(&RequestId, Arc<ToolList>) + Send + Sync>;

/// One server for all of a transport's sessions. Clones share everything.
pub(super) struct Handler<B> {
    shared: Arc<Shared<B>>,
}

struct Shared<B> {
    backend: Arc<B>,
    config: ServerConfig,
    server: Arc<Implementation>,
    transport: Transport,
    /// Who calls where the transport has one caller; over HTTP each request brings its own.
    caller: Option<Caller>,
    peers: Peers,
    listeners: Arc<Semaphore>,
    in_flight: InFlight,
    tasks: Tasks,
    closing: CancellationToken,
    gone: CancellationToken,
    listed: Option<Listed>,
}

impl<B> Clone for Handler<B> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<B: Backend> Handler<B> {
    /// A server whose listen streams end when `closing` is cancelled, and whose calls are
    /// cancelled with `gone`. `caller` is the one of
    /// every call, or `None` where each HTTP request has it in its extensions.
    pub(super) fn new(
        backend: Arc<B>,
        transport: Transport,
        caller: Option<Caller>,
        closing: CancellationToken,
        gone: CancellationToken,
    ) -> Self {
        let server = result::server(&backend.server_name());
        let mut capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_tasks()
            .build();
        if backend.discovers() {
            let more = ServerCapabilities::builder()
                .enable_resources()
                .enable_prompts()
                .enable_completions()
                .build();
            capabilities.resources = more.resources;
            capabilities.prompts = more.prompts;
            capabilities.completions = more.completions;
        }
        let mut config = ServerConfig::default();
        config.protocol_version = ProtocolVersion::V_2025_11_25;
        config.capabilities = capabilities;
        config.server_info = Implementation::clone(&server);
        config.instructions = backend.instructions();
        let shared = Shared {
            backend,
            config,
            server,
            transport,
            caller,
            peers: Peers::default(),
            listeners: Arc::new(Semaphore::new(MAX_LISTENERS)),
            in_flight: InFlight::new(),
            tasks: Tasks::default(),
            closing,
            gone,
            listed: None,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Has `listed` given lists. To be used before the handler is cloned.
    pub(super) fn with_listed(mut self, listed: Listed) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.listed = Some(listed);
        }
        self
    }

    pub(super) fn peers(&self) -> Peers {
        self.shared.peers.clone()
    }

    pub(super) fn in_flight(&self) -> InFlight {
        self.shared.in_flight.clone()
    }

    pub(super) fn backend(&self) -> &B {
        &self.shared.backend
    }

    pub(super) fn tasks(&self) -> &Tasks {
        &self.shared.tasks
    }

    fn config(&self) -> &ServerConfig {
        &self.shared.config
    }

    pub(super) fn server(&self) -> &Arc<Implementation> {
        &self.shared.server
    }

    /// Who calls, and by which program.
    fn caller(
        &self,
        extensions: &rmcp::model::Extensions,
        client: Option<&Implementation>,
    ) -> Result<Caller, ErrorData> {
        let caller = self
            .shared
            .caller
            .clone()
            .or_else(|| extensions.get::<http::request::Parts>()?.extensions.get().cloned())
            .ok_or_else(|| ErrorData::internal_error("the request has no caller", None))?;
        Ok(Caller { agent: client.map(agent), ..caller })
    }

    /// Measures the answering of a request that is no call; calls are measured where they end.
    async fn measured<T>(
        &self,
        method: &'static str,
        context: &RequestContext<RoleServer>,
        answering: impl Future<Output = Result<T, ErrorData>>,
    ) -> Result<T, ErrorData> {
        let arrived = self.arrived(method, context);
        self.answered(arrived, answering.await)
    }

    fn arrived(&self, method: &'static str, context: &RequestContext<RoleServer>) -> Arrived {
        Passing::reached(&context.extensions);
        let Shared { backend, transport, .. } = &*self.shared;
        let origin = if backend.traces() { origin_of(context) } else { Origin::default() };
        let revision = revision(context.protocol_version().as_ref());
        Arrived::now(*transport, method, revision, origin)
    }

    fn answered<T>(&self, arrived: Arrived, answer: Result<T, ErrorData>) -> Result<T, ErrorData> {
        let error = answer.as_ref().err().map(|error| error.code.0);
        let end = error.map_or(OperationEnd::Good, OperationEnd::Rpc);
        arrived.answered(&*self.shared.backend, end);
        answer
    }

    /// Records a request that was a request, but no call that the gateway could take, and
    /// makes the error that answers it.
    async fn malformed(&self, identity: Option<Identity>, reason: &str) -> ErrorData {
        let Shared { backend, transport, .. } = &*self.shared;
        backend.malformed(*transport, identity, reason.to_owned()).await;
        ErrorData::invalid_params(reason.to_owned(), None)
    }
}

impl<B: Backend> Handler<B> {
    /// Carries out a call and makes its result. `cancel` is cancelled when nobody is left to
    /// read it. The client is not asked for anything.
    pub(super) async fn carry_out(
        &self,
        caller: Caller,
        asked: Asked,
        cancel: CancellationToken,
        progress: Option<(&Peer<RoleServer>, ProgressToken)>,
    ) -> Result<Made, ErrorData> {
        self.carry_out_asking(caller, asked, cancel, progress, Asks::never()).await
    }

    /// The same where the person at the client can be asked. Its result may be a question.
    pub(super) async fn carry_out_asking(
        &self,
        caller: Caller,
        asked: Asked,
        cancel: CancellationToken,
        progress: Option<(&Peer<RoleServer>, ProgressToken)>,
        asks: Asks,
    ) -> Result<Made, ErrorData> {
        let Asks { way: asking, through } = asks;
        let _ticket = self.shared.in_flight.enter();
        let id = asked.id.clone();
        let revision = asked.revision;
        let request = match call_request(asked) {
            Ok(request) => request,
            Err((reason, origin)) => {
                let arrived = Arrived::now(self.shared.transport, "tools/call", revision, origin);
                let error = Box::pin(self.malformed(Some(caller.identity), reason)).await;
                return self.answered(arrived, Err(error));
            }
        };
        let described = self.shared.backend.describes(&caller, &request.tool);
        let gone = async {
            self.shared.gone.cancelled().await;
            cancel.cancel();
            std::future::pending().await
        };
        let call = async {
            let cancel = cancel.clone();
            match progress {
                None => {
                    let watch = CallWatch { id, cancel, progress: None, asking, through };
                    self.shared.backend.call(caller, request, watch).await
                }
                Some((peer, token)) => {
                    let (sender, steps) = mpsc::channel(16);
                    let progress = Some(sender);
                    let watch = CallWatch { id, cancel, progress, asking, through };
                    let call = self.shared.backend.call(caller, request, watch);
                    Box::pin(follow(call, steps, peer, &token)).await
                }
            }
        };
        let reply = tokio::select! {
            biased;
            reply = call => reply,
            reply = gone => reply,
        };
        match reply {
            Ok(reply) => Ok(result::from_reply(reply, described, &self.shared.server)),
            Err(refused @ Refused::UnknownTool { .. }) => {
                Err(ErrorData::invalid_params(refused.to_string(), None))
            }
            Err(Refused::Unrecorded) => Ok(result::unrecorded(&self.shared.server)),
        }
    }
}

impl<B: Backend> Handler<B> {
    /// What a client is answered: a result, or the question that it is to ask.
    pub(super) fn answer(&self, made: Made) -> CallToolResponse {
        match made.question() {
            Some(question) => asking::round(question, &self.shared.server).into(),
            None => made.into_library().into(),
        }
    }
}

impl<B: Backend> ServerHandler for Handler<B> {
    fn get_info(&self) -> ServerConfig {
        self.shared.config.clone()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(&VERSIONS)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let mut arrived = self.arrived("initialize", &context);
        let answer = self.negotiate_initialize(&request);
        context.peer.set_peer_info(request);
        if let Ok(agreed) = &answer {
            arrived.agreed(&agreed.protocol_version);
        }
        self.answered(arrived, answer)
    }

    async fn discover(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Result<DiscoverResult, ErrorData> {
        let found = DiscoverResult::from_server_info(VERSIONS.to_vec(), self.get_info());
        self.measured("server/discover", &context, ready(Ok(found))).await
    }

    async fn ping(&self, context: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.measured("ping", &context, ready(Ok(()))).await
    }

    async fn subscribe(
        &self,
        _: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let none = ErrorData::method_not_found::<SubscribeRequestMethod>();
        self.measured("resources/subscribe", &context, ready(Err(none))).await
    }

    async fn unsubscribe(
        &self,
        _: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let none = ErrorData::method_not_found::<UnsubscribeRequestMethod>();
        self.measured("resources/unsubscribe", &context, ready(Err(none))).await
    }

    #[expect(deprecated, reason = "clients of earlier revisions ask for it")]
    async fn set_level(
        &self,
        _: rmcp::model::SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let none = ErrorData::method_not_found::<SetLevelRequestMethod>();
        self.measured("logging/setLevel", &context, ready(Err(none))).await
    }

    // `get_tool` stays unanswered. The library asks it, without saying for whom, only to
    // compare `Mcp-Param-*` headers with arguments; no schema of ours asks for such headers.

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.measured("tools/list", &context, async {
            let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
            one_page(request)?;
            let list = self.shared.backend.tools(&caller);
            let tools = match &self.shared.listed {
                Some(listed) => {
                    listed(&context.id, list);
                    Vec::new()
                }
                None => list.tools.iter().map(tool).collect(),
            };
            let mut page = ListToolsResult::with_all_items(tools)
                .with_ttl_ms(LIST_TTL_MS)
                .with_cache_scope(CacheScope::Private);
            page.meta = Some(result::server_meta(&self.shared.server));
            Ok(page)
        })
        .await
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        Passing::reached(&context.extensions);
        let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
        let answered = asking::answered(&request);
        let message = self.shared.backend.traces().then(|| Box::new(message_of(&context)));
        let asked = Asked {
            tool: request.name.into_owned(),
            arguments: request.arguments.unwrap_or_default(),
            beside: Beside::of(&context.meta, headers_of(&context.extensions)),
            answered,
            id: None,
            revision: revision(context.protocol_version().as_ref()),
            message,
        };
        let way = if self.shared.backend.asks_client(&caller, &asked.tool) {
            asking::way(&context)
        } else {
            Asking::Never
        };
        let asks = Asks { way, through: None };
        let cancel = context.ct.child_token();
        if context.client_capabilities().is_some_and(|can| can.supports_tasks())
            && let Some(time) = self.shared.backend.runs_long(&caller, &asked.tool)
        {
            return Box::pin(self.call_long(caller, asked, time, asks, cancel)).await;
        }
        let progress = context.meta.get_progress_token().map(|token| (&context.peer, token));
        let made = self.carry_out_asking(caller, asked, cancel, progress, asks).await?;
        Ok(self.answer(made))
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        self.measured("resources/list", &context, async {
            one_page(request)?;
            let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
            self.readable("resources/list")?;
            let _ticket = self.shared.in_flight.enter();
            Ok(self.resources(&caller).await)
        })
        .await
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        self.measured("resources/templates/list", &context, async {
            one_page(request)?;
            self.readable("resources/templates/list").map(|()| self.templates())
        })
        .await
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let mut arrived = self.arrived("resources/read", &context);
        let uri = self.shared.backend.traces().then(|| request.uri.clone());
        let answer = async {
            self.readable("resources/read")?;
            let _ticket = self.shared.in_flight.enter();
            let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
            self.read(&caller, request).await.map(Into::into)
        };
        let answer = answer.await.map_err(|error| missing(error, &context));
        arrived.request.resource = uri.filter(|_| answer.is_ok());
        self.answered(arrived, answer)
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        self.measured("prompts/list", &context, async {
            one_page(request)?;
            self.readable("prompts/list").map(|()| self.prompts())
        })
        .await
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let mut arrived = self.arrived("prompts/get", &context);
        arrived.request.prompt = Plan::named(&request.name).map(Plan::name);
        let answer = self.readable("prompts/get").and_then(|()| self.prompt(&request));
        self.answered(arrived, answer.map(Into::into))
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.measured("completion/complete", &context, async {
            self.readable("completion/complete")?;
            let _ticket = self.shared.in_flight.enter();
            let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
            self.completed(&caller, &request).await
        })
        .await
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        self.measured("tasks/get", &context, async {
            let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
            self.task(&caller, &request.task_id).await
        })
        .await
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.measured("tasks/update", &context, async {
            // Nothing is ever asked of a client in the middle of a task.
            let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
            self.known(&caller, &request.task_id).await.map(drop)
        })
        .await
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.measured("tasks/cancel", &context, async {
            let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
            self.end_early(&caller, &request.task_id).await
        })
        .await
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        // What was no request that the library knows, or did not fit its parameters.
        let method = methods::named(&request.method);
        if !methods::is_answered(method, context.protocol_version().as_ref()) {
            let unknown = bounded(&request.method);
            let error = ErrorData::new(ErrorCode::METHOD_NOT_FOUND, unknown, None);
            return self.measured(method, &context, ready(Err(error))).await;
        }
        self.measured(method, &context, async {
            let reason = format!("the parameters of {method} are malformed");
            if method != "tools/call" {
                return Err(ErrorData::invalid_params(reason, None));
            }
            let _ticket = self.shared.in_flight.enter();
            let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
            let reason = match &request.params {
                Some(Value::Object(params)) => {
                    match (params.get("name"), params.get("arguments")) {
                        (Some(Value::String(_)), Some(_)) => "`arguments` is no object".to_owned(),
                        (Some(Value::String(_)), None) => reason,
                        _ => "`name` is missing or no string".to_owned(),
                    }
                }
                _ => reason,
            };
            Err(self.malformed(Some(caller.identity), &reason).await)
        })
        .await
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let client = context.peer.peer_info().map(|peer| peer.client_info.clone());
        if let Ok(caller) = self.caller(&context.extensions, client.as_ref()) {
            let digest = self.shared.backend.tools(&caller).digest.clone();
            self.shared.peers.add(context.peer, caller, digest);
        }
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        let mut accepted = SubscriptionFilter::new();
        accepted.tools_list_changed = requested.tools_list_changed;
        Some(accepted)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let request = context.request_context();
        // Its answer is the end of the stream.
        self.measured("subscriptions/listen", request, async {
            let Shared { backend, listeners, closing, .. } = &*self.shared;
            let caller = self.caller(&request.extensions, request.client_info().as_ref())?;
            let Ok(_permit) = listeners.try_acquire() else {
                return Err(ErrorData::internal_error("too many open subscriptions", None));
            };
            let mut changes = backend.changes();
            let mut digest = backend.tools(&caller).digest.clone();
            loop {
                tokio::select! {
                    () = context.cancelled() => return Ok(()),
                    () = closing.cancelled() => return Ok(()),
                    tick = changes.changed() => if tick.is_err() { return Ok(()) },
                }
                let now = backend.tools(&caller).digest.clone();
                if std::mem::replace(&mut digest, now) != digest
                    && context.sink().notify_tool_list_changed().await.is_err()
                {
                    return Ok(());
                }
            }
        })
        .await
    }
}

/// That there is no such resource, by the code that the request's revision has for it. The MCP library
/// would put it there, too, but after the answer was measured.
fn missing(mut error: ErrorData, context: &RequestContext<RoleServer>) -> ErrorData {
    let is_newest = context.protocol_version().is_some_and(|version| version == VERSIONS[2]);
    if is_newest && error.code == ErrorCode::RESOURCE_NOT_FOUND {
        error.code = ErrorCode::INVALID_PARAMS;
    }
    error
}

/// All of a list is one page, so no cursor was ever given out.
fn one_page(request: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match request.and_then(|page| page.cursor) {
        Some(cursor) if !cursor.is_empty() => {
            Err(ErrorData::invalid_params("unknown cursor", None))
        }
        _ => Ok(()),
    }
}

/// A tool as the library has it.
pub(super) fn tool(view: &ToolView) -> Tool {
    let output = view.output_schema.as_ref().map(|schema| Arc::new(schema.to_map()));
    tool_with(view, Arc::new(view.input_schema.to_map()), output)
}

/// The same with other schemas.
pub(super) fn tool_with(
    view: &ToolView,
    input: Arc<JsonObject>,
    output: Option<Arc<JsonObject>>,
) -> Tool {
    let mut tool =
        Tool::new_with_raw(view.name.clone(), view.description.clone().map(Cow::Owned), input);
    tool.title.clone_from(&view.title);
    tool.output_schema = output;
    let hints = view.hints;
    tool.annotations = Some(ToolAnnotations::from_raw(
        None,
        hints.read_only,
        hints.destructive,
        hints.idempotent,
        hints.open_world,
    ));
    tool.meta = view.meta.clone().map(MetaObject);
    tool
}

/// The program that calls, by its own word.
pub(super) fn agent(client: &Implementation) -> Agent {
    Agent { name: bounded(&client.name), version: bounded(&client.version) }
}

/// A client's own words, short and printable.
fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_CLIENT).collect()
}

#[cfg(test)]
mod tests;
