//! MCP's methods: what is listed, what is called, and how a call is followed and ended.
//!
//! Both eras of the protocol arrive here in one shape; the MCP library negotiates versions,
//! checks what each era requires of a request, and takes fields away that an older peer does
//! not know. No argument is looked at here: the gateway checks them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams, CustomRequest,
    CustomResult, ErrorCode, GetTaskParams, GetTaskResult, Implementation, JsonObject,
    ListToolsResult, MetaObject, PaginatedRequestParams, ProgressNotificationParam, ProgressToken,
    ProtocolVersion, RequestId, RequestMetaObject, ServerCapabilities, ServerConfig,
    SubscriptionFilter, Tool, ToolAnnotations, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, Peer, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tollbridge_operation::{CallId, Identity, Trace};

use super::changes::Peers;
use super::in_flight::InFlight;
use super::result::{self, Made};
use super::tasks::Tasks;
use super::{Backend, ToolList, ToolView, asking, trace};
use crate::gateway::{
    Agent, Answered, Asking, CallRequest, CallWatch, Caller, Progress, Refused, Transport,
};

/// The revisions that we speak, oldest first.
pub(super) static VERSIONS: [ProtocolVersion; 3] =
    [ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];

/// How long a client may use a list without asking again: not at all, because the list
/// changes with its configuration at any time, and clients that do not listen would go on
/// with the old one.
const LIST_TTL_MS: u64 = 0;

/// How many `subscriptions/listen` streams are held open at once.
const MAX_LISTENERS: usize = 1024;

/// How long a progress notification under way may delay the answer.
const PROGRESS_PATIENCE: Duration = Duration::from_secs(1);

/// After how long of silence a client that follows a call is told that it goes on.
const SILENCE: Duration = Duration::from_secs(4);

/// What of a client's name and version is kept.
const MAX_CLIENT: usize = 128;

/// The methods that have parameters we know. A request for one of them that did not fit its
/// parameters reaches [`ServerHandler::on_custom_request`]. `initialize` is not among them:
/// what opens a legacy session does not come this way, and the newest revision has no such
/// method.
const METHODS: [&str; 7] = [
    "server/discover",
    "tools/list",
    "tools/call",
    "subscriptions/listen",
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
];

/// Told of each request for a call that got as far as the handler.
pub(super) type Reached = Arc<dyn Fn(&RequestId) + Send + Sync>;

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
    reached: Option<Reached>,
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
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_tasks()
            .build();
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
            reached: None,
            listed: None,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Has `reached` told of calls. To be used before the handler is cloned.
    pub(super) fn with_reached(mut self, reached: Reached) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.reached = Some(reached);
        }
        self
    }

    /// Has `listed` given lists. To be used before the handler is cloned.
    pub(super) fn with_listed(mut self, listed: Listed) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.listed = Some(listed);
        }
        self
    }

    fn reached(&self, id: &RequestId) {
        if let Some(reached) = &self.shared.reached {
            reached(id);
        }
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

    /// Records a request that was a request, but no call that the gateway could take, and
    /// makes the error that answers it.
    async fn malformed(&self, identity: Option<Identity>, reason: &str) -> ErrorData {
        let Shared { backend, transport, .. } = &*self.shared;
        backend.malformed(*transport, identity, reason.to_owned()).await;
        ErrorData::invalid_params(reason.to_owned(), None)
    }
}

/// A call as its request asks for it.
pub(super) struct Asked {
    pub(super) tool: String,
    pub(super) arguments: JsonObject,
    pub(super) beside: Beside,
    pub(super) answered: Option<Answered>,
    /// The name that the call gets, where whoever asks must know it before.
    pub(super) id: Option<CallId>,
}

/// What we look at in a request's `_meta`, and in its headers where it has some. What is null is not
/// there.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) approval: Option<Value>,
    pub(super) idempotency_key: Option<Value>,
    pub(super) payment: Option<Value>,
    pub(super) trace: Option<Trace>,
}

impl Beside {
    fn of(meta: &RequestMetaObject, headers: Option<&HeaderMap>) -> Self {
        let get = |name| meta.get(name).filter(|value| !value.is_null()).cloned();
        Self {
            approval: get("tollbridge/approval"),
            idempotency_key: get("tollbridge/idempotency-key"),
            payment: get("x402/payment"),
            trace: trace::of(meta.get("traceparent"), meta.get("tracestate"), headers),
        }
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
        self.carry_out_asking(caller, asked, cancel, progress, Asking::Never).await
    }

    /// The same where the person at the client can be asked. Its result may be a question.
    async fn carry_out_asking(
        &self,
        caller: Caller,
        asked: Asked,
        cancel: CancellationToken,
        progress: Option<(&Peer<RoleServer>, ProgressToken)>,
        asking: Asking,
    ) -> Result<Made, ErrorData> {
        let _ticket = self.shared.in_flight.enter();
        let id = asked.id.clone();
        let request = match call_request(asked) {
            Ok(request) => request,
            Err(reason) => {
                return Err(Box::pin(self.malformed(Some(caller.identity), reason)).await);
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
                    let watch = CallWatch { id, cancel, progress: None, asking };
                    self.shared.backend.call(caller, request, watch).await
                }
                Some((peer, token)) => {
                    let (sender, steps) = mpsc::channel(16);
                    let watch = CallWatch { id, cancel, progress: Some(sender), asking };
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

impl<B: Backend> ServerHandler for Handler<B> {
    fn get_info(&self) -> ServerConfig {
        self.shared.config.clone()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(&VERSIONS)
    }

    // `get_tool` stays unanswered. The library asks it, without saying for whom, only to
    // compare `Mcp-Param-*` headers with arguments; no schema of ours asks for such headers.

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
        // All tools are one page, so no cursor was ever given out.
        if request.and_then(|page| page.cursor).is_some_and(|cursor| !cursor.is_empty()) {
            return Err(ErrorData::invalid_params("unknown cursor", None));
        }
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
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.reached(&context.id);
        let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
        let answered = asking::answered(&request);
        let asked = Asked {
            tool: request.name.into_owned(),
            arguments: request.arguments.unwrap_or_default(),
            beside: Beside::of(&context.meta, headers_of(&context.extensions)),
            answered,
            id: None,
        };
        if context.client_capabilities().is_some_and(|can| can.supports_tasks())
            && let Some(time) = self.shared.backend.runs_long(&caller, &asked.tool)
        {
            return Box::pin(self.call_long(caller, asked, time, context.ct.child_token())).await;
        }
        let progress = context.meta.get_progress_token().map(|token| (&context.peer, token));
        let way = if self.shared.backend.asks_client(&caller, &asked.tool) {
            asking::way(&context)
        } else {
            Asking::Never
        };
        let cancel = context.ct.child_token();
        let made = self.carry_out_asking(caller, asked, cancel, progress, way).await?;
        Ok(match made.question() {
            Some(question) => asking::round(question, &self.shared.server).into(),
            None => made.into_library().into(),
        })
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
        self.task(&caller, &request.task_id).await
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        // Nothing is ever asked of a client in the middle of a task.
        let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
        self.known(&caller, &request.task_id).await.map(drop)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
        self.end_early(&caller, &request.task_id).await
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = bounded(&request.method);
        if !METHODS.contains(&request.method.as_str()) {
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None));
        }
        let reason = format!("the parameters of {method} are malformed");
        if request.method != "tools/call" {
            return Err(ErrorData::invalid_params(reason, None));
        }
        let _ticket = self.shared.in_flight.enter();
        self.reached(&context.id);
        let caller = self.caller(&context.extensions, context.client_info().as_ref())?;
        let reason = match &request.params {
            Some(Value::Object(params)) => match (params.get("name"), params.get("arguments")) {
                (Some(Value::String(_)), Some(_)) => "`arguments` is no object".to_owned(),
                (Some(Value::String(_)), None) => reason,
                _ => "`name` is missing or no string".to_owned(),
            },
            _ => reason,
        };
        Err(self.malformed(Some(caller.identity), &reason).await)
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
        let Shared { backend, listeners, closing, .. } = &*self.shared;
        let request = context.request_context();
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
    }
}

/// The longest key by which a client names a call.
const MAX_KEY: usize = 256;

/// Takes from a request what the gateway wants to know.
fn call_request(asked: Asked) -> Result<CallRequest, &'static str> {
    let answered = asked.answered;
    let Beside { approval, idempotency_key, payment, trace } = asked.beside;
    let approval = match approval {
        None => None,
        Some(Value::String(id)) => Some(id),
        Some(_) => return Err("`_meta[\"tollbridge/approval\"]` is no string"),
    };
    let idempotency_key = match idempotency_key {
        None => None,
        Some(Value::String(key)) if (1..=MAX_KEY).contains(&key.len()) => Some(key),
        Some(_) => {
            return Err("`_meta[\"tollbridge/idempotency-key\"]` is no string of 1 to 256 bytes");
        }
    };
    Ok(CallRequest {
        tool: asked.tool,
        arguments: asked.arguments,
        approval,
        idempotency_key,
        payment,
        answered,
        trace: trace.map(Arc::new),
    })
}

/// The headers that a request came with, over HTTP.
fn headers_of(extensions: &rmcp::model::Extensions) -> Option<&HeaderMap> {
    extensions.get::<http::request::Parts>().map(|parts| &parts.headers)
}

/// Carries out a call and passes its progress on until it ends, never after.
async fn follow<T>(
    call: impl Future<Output = T>,
    mut progress: mpsc::Receiver<Progress>,
    peer: &Peer<RoleServer>,
    token: &ProgressToken,
) -> T {
    let mut call = std::pin::pin!(call);
    let begun = Instant::now();
    let mut last = None;
    // MCP wants it to increase with each notification, and these are more than there are steps.
    let mut notifications = 0_u32;
    loop {
        let message = tokio::select! {
            biased;
            reply = &mut call => return reply,
            Some(step) = progress.recv() => {
                if last.is_some_and(|last| step.done <= last) {
                    continue;
                }
                last = Some(step.done);
                step.message
            }
            () = sleep(SILENCE) => format!("under way for {} s", begun.elapsed().as_secs()),
        };
        notifications += 1;
        let told = ProgressNotificationParam::new(token.clone(), f64::from(notifications))
            .with_message(message);
        let mut told = std::pin::pin!(peer.notify_progress(told));
        tokio::select! {
            _ = &mut told => {}
            reply = &mut call => {
                // It is on its way: the answer goes behind it.
                let _ = tokio::time::timeout(PROGRESS_PATIENCE, told).await;
                return reply;
            }
        }
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
