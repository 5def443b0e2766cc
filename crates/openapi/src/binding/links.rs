//! What can be called after an answer, and with what (OpenAPI 3.1.1 §4.8.20, 3.2.0 §4.20).

use http::StatusCode;
use serde_json::Value;
use tollbridge_operation::{Arguments, Exchanged, Link, OperationKey};

use super::encode::BODY;
use super::expression::{Template, is_named};
use super::{Parameter, RestBinding};
use crate::parameters::Place;

/// The links of an operation's responses, by their statuses as the description writes them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links(pub(crate) Vec<(String, Vec<LinkPlan>)>);

/// A link, planned.
#[derive(Debug, Clone)]
pub(crate) struct LinkPlan {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) operation: OperationKey,
    pub(crate) parameters: Vec<(String, Template)>,
    pub(crate) body: Option<Template>,
}

impl Links {
    /// Those of an answer: of its very status, else of its range, else of all.
    fn of(&self, status: StatusCode) -> &[LinkPlan] {
        let code = status.as_str();
        let range = format!("{}XX", &code[..1]);
        let found = [code, range.as_str(), "default"].into_iter().find_map(|wanted| {
            self.0.iter().find(|(status, _)| status.eq_ignore_ascii_case(wanted))
        });
        found.map_or(&[], |(_, links)| links.as_slice())
    }
}

/// The links of a success that lead somewhere: of those that say how, only such of which at least
/// one expression has a value.
pub(super) fn links(binding: &RestBinding, over: &Exchanged<'_>) -> Vec<Link> {
    binding.links.of(over.status).iter().filter_map(|plan| link(binding, plan, over)).collect()
}

fn link(binding: &RestBinding, plan: &LinkPlan, over: &Exchanged<'_>) -> Option<Link> {
    let (mut asked, mut got) = (false, false);
    let mut value = |template: &Template| {
        let found = template.value(binding, over);
        if !matches!(template, Template::Constant(_)) {
            asked = true;
            got |= found.is_some();
        }
        found
    };
    // An expression without a value passes none (3.1.1 §4.8.20).
    let parameters = plan
        .parameters
        .iter()
        .filter_map(|(name, template)| Some((name.clone(), value(template)?)))
        .collect();
    let body = plan.body.as_ref().and_then(&mut value);
    (got || !asked).then(|| Link {
        name: plan.name.clone(),
        description: plan.description.clone(),
        operation: plan.operation.clone(),
        parameters,
        body,
    })
}

/// The places that a name may begin with.
const PLACES: [Place; 4] = [Place::Path, Place::Query, Place::Header, Place::Cookie];

/// The arguments for a link to this operation.
pub(super) fn linked(binding: &RestBinding, link: &Link) -> Arguments {
    let find = |name: &str| {
        let qualified = PLACES.iter().find_map(|place| {
            let bare = name.strip_prefix(place.as_str())?.strip_prefix('.')?;
            binding.parameters.iter().find(|one| one.place == *place && is_named(one, bare))
        });
        let of_any_place = |one: &&Parameter| is_named(one, name);
        qualified.or_else(|| binding.parameters.iter().find(of_any_place))
    };
    let mut arguments: Arguments = link
        .parameters
        .iter()
        .filter_map(|(name, value)| Some((find(name)?.argument.clone(), value.clone())))
        .collect();
    if let Some(body) = link.body.clone().filter(|body| *body != Value::Null)
        && binding.body.is_some()
    {
        arguments.0.insert(BODY.to_owned(), body);
    }
    arguments
}
