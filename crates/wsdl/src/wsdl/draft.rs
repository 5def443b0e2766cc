//! Operations in the making, whichever binding they have, and what becomes of them once the
//! types are known.

use std::sync::Arc;

use tollbridge_operation::{
    Binding, DeclaredError, Effect, EffectSource, Endpoint, MOST_ERRORS, Operation, OperationId,
    OperationKey,
};

use super::bound::first_sentence;
use super::{ReadOptions, effect, http, operation, schema};
use crate::binding::SoapBinding;
use crate::message::{Addressing, OperationPlan, Wanted};
use crate::plan::{Element, Fault, Types};

/// An operation before the types of its messages are known.
#[allow(clippy::large_enum_variant, reason = "one an operation, and most are of the larger kind")]
pub(super) enum Draft {
    Soap(operation::Draft),
    Http(http::Draft),
}

impl Draft {
    /// Service, port and operation.
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Soap(draft) => &draft.key,
            Self::Http(draft) => &draft.key,
        }
    }

    /// What tells overloaded operations apart.
    pub(super) fn input_name(&self) -> Option<&str> {
        match self {
            Self::Soap(draft) => draft.input_name.as_deref(),
            Self::Http(draft) => draft.input_name.as_deref(),
        }
    }

    /// Its place in the document.
    pub(super) fn pointer(&self) -> &str {
        match self {
            Self::Soap(draft) => &draft.pointer,
            Self::Http(draft) => &draft.pointer,
        }
    }

    /// The operation, or why it cannot be called.
    pub(super) fn finish(
        &self,
        options: &ReadOptions<'_>,
        key: &str,
        types: &Arc<Types>,
        shared: &mut schema::Shared,
    ) -> Result<Operation, Fault> {
        let key = OperationKey::new(key)
            .map_err(|error| Fault::new(self.pointer().to_owned(), error.to_string()))?;
        let id = OperationId { api: options.api.clone(), key };
        match self {
            Self::Soap(draft) => soap(draft, id, types, shared),
            Self::Http(draft) => plain(draft, id, types, shared),
        }
    }
}

fn soap(
    draft: &operation::Draft,
    id: OperationId,
    types: &Arc<Types>,
    shared: &mut schema::Shared,
) -> Result<Operation, Fault> {
    let (input, output) = draft.messages(types);
    let roots = input.roots().into_iter().chain(draft.headers.iter().map(|header| header.ty));
    if let Some(broken) = types.broken(roots) {
        return Err(broken.clone());
    }
    // An answer whose type is broken is read as it comes.
    let output = output.filter(|output| types.broken(output.roots()).is_none());
    let faults: Vec<_> =
        draft.faults.iter().filter(|fault| types.broken([fault.ty]).is_none()).cloned().collect();
    let declared = faults.iter().take(MOST_ERRORS);
    let errors = declared.map(|fault| DeclaredError::new(&fault.name.local, "")).collect();
    let sound = |header: &&Arc<Element>| types.broken([header.ty]).is_none();
    let answer_headers = draft.answer_headers.iter().filter(sound).cloned().collect();
    let input_schema = schema::input(types, &input, &draft.headers, shared);
    let output_schema = output.as_ref().map(|output| schema::output(types, output, shared));
    let (effect, idempotent) = if draft.safe { (Effect::Read, true) } else { effect(&draft.name) };
    let source = if draft.safe { EffectSource::Declared } else { EffectSource::Inferred };
    let plan = OperationPlan {
        version: draft.version,
        action: draft.action.clone(),
        addressing: Addressing {
            wanted: draft.demands.addressing.is_some() || draft.says_action,
            version: draft.demands.addressing.unwrap_or_default(),
            action: draft.addressing_action.clone(),
            answers: draft.answers,
        },
        wanted: Wanted {
            digest: draft.demands.digest,
            timestamp: draft.demands.timestamp,
            mtom: draft.demands.mtom,
        },
        types: Arc::clone(types),
        headers: draft.headers.clone(),
        answer_headers,
        input,
        output,
        faults,
    };
    let binding = SoapBinding::new(plan)
        .map_err(|error| Fault::new(draft.pointer.clone(), error.to_string()))?;
    Ok(Operation {
        id,
        endpoint: None,
        summary: draft.summary.clone(),
        description: draft.documentation.clone(),
        tags: vec![draft.service.clone()],
        deprecated: false,
        effect,
        effect_source: source,
        idempotent,
        input: input_schema,
        output: output_schema,
        errors,
        security: draft.demands.security(),
        servers: draft.servers.clone(),
        twin_of: None,
        binding: Arc::new(binding),
    })
}

fn plain(
    draft: &http::Draft,
    id: OperationId,
    types: &Arc<Types>,
    shared: &mut schema::Shared,
) -> Result<Operation, Fault> {
    let binding = draft.binding(types)?;
    let output = draft.answer(types).map(|answer| schema::output(types, &answer, shared));
    // RFC 9110 §9.2: GET is safe, PUT and DELETE may be repeated.
    let (effect, idempotent) = match draft.method.as_str() {
        "GET" => (Effect::Read, true),
        "DELETE" => (Effect::Destructive, true),
        "PUT" => (effect(&draft.name).0, true),
        _ => effect(&draft.name),
    };
    Ok(Operation {
        id,
        endpoint: Some(Endpoint {
            method: draft.method.to_string(),
            path: if draft.template.is_empty() { "/".to_owned() } else { draft.template.clone() },
        }),
        summary: draft.documentation.as_deref().map(first_sentence),
        description: draft.documentation.clone(),
        tags: vec![draft.service.clone()],
        deprecated: false,
        effect,
        effect_source: EffectSource::Inferred,
        idempotent,
        input: schema::input(types, &draft.message(), &[], shared),
        output,
        errors: Vec::new(),
        security: Vec::new(),
        servers: draft.servers.clone(),
        twin_of: None,
        binding: Arc::new(binding) as Arc<dyn Binding>,
    })
}
