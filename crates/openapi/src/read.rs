//! A document to a [`Description`]: paths to operations, one at a time.
//!
//! Keys are given out before anything is read, so that an operation that cannot be read
//! changes nobody else's name.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};
use tollbridge_operation::{
    ApiKeyPlace, Description, Effect, EffectSource, Endpoint, Operation, OperationId, OperationKey,
    Schema, Skipped,
};

use crate::binding::{BODY, CONTENT_TYPE, PathTemplate, RestBinding};
use crate::document::{
    Document, Fault, Flavour, Pointer, Warnings, scalar_text, text_line, text_member,
};
use crate::flag::is_true;
use crate::links::{self, Targets};
use crate::parameters::{self, Planner};
use crate::schema::{Direction, Lifted, Schemas};
use crate::servers::Variables;
use crate::{ReadOptions, Surroundings, body, responses, security, servers, swagger2, xml};

/// The members of a path item that are operations.
const METHODS: [&str; 9] =
    ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

/// Reads everything that can be read, or what is wanted of it.
pub(crate) fn description(
    document: &Document,
    options: &ReadOptions<'_>,
    surroundings: &Surroundings<'_>,
    mut warnings: Warnings,
) -> Description {
    let info = |name: &str| {
        let value = document.root.get("info").and_then(|info| info.get(name));
        value.and_then(scalar_text).map(|text| text_line(&text)).unwrap_or_default()
    };
    let sites = sites(document, &mut warnings);
    tell_left_out(document, &sites, &mut warnings);
    let keys = keys(&sites, &mut warnings);
    let endpoints: Vec<Endpoint> = sites.iter().map(Site::endpoint).collect();
    let is_first = |at: &usize| {
        surroundings.wanted.is_none_or(|wanted| wanted.has(&keys[*at], &endpoints[*at]))
    };
    let (first, rest): (Vec<usize>, Vec<usize>) = (0..sites.len()).partition(is_first);
    let is_whole = !surroundings.wanted.is_some_and(|wanted| wanted.only);
    let mut reader = Reader {
        document,
        options,
        schemas: Schemas::new(document),
        xml: xml::Planner::new(document),
        warnings,
        variables: Variables::new(surroundings.variables),
        query_credentials: security::credentials(document, ApiKeyPlace::Query).into(),
        cookie_credentials: security::credentials(document, ApiKeyPlace::Cookie).into(),
    };
    let targets = Targets::new(|| {
        let places = |site: &Site<'_>| {
            [site.at.clone(), site.path_at.child(&site.method.to_ascii_lowercase())]
        };
        sites.iter().zip(&keys).map(|(site, key)| (places(site), key.as_str())).collect()
    });
    let mut read: Vec<Option<Result<Operation, Fault>>> = sites.iter().map(|_| None).collect();
    for part in [Some(first), is_whole.then_some(rest)].into_iter().flatten() {
        reader.schemas.expect(part.len());
        for at in part {
            reader.schemas.next_operation();
            read[at] =
                Some(reader.operation(&sites[at], keys[at].clone(), &endpoints[at], &targets));
        }
    }
    drop(targets);
    let places = sites.iter().filter_map(|site| Some((&site.at, *site.operation.as_ref().ok()?)));
    let asked = security::asked(document, places);
    reader.xml.finish();
    if is_whole {
        reader.variables.tell_unused(&mut reader.warnings);
    }
    let mut operations = Vec::new();
    let mut skipped = Vec::new();
    for ((read, key), endpoint) in read.into_iter().zip(keys).zip(endpoints) {
        match read {
            Some(Ok(operation)) => operations.push(operation),
            Some(Err(fault)) => skipped.push(Skipped {
                key,
                endpoint: Some(endpoint),
                pointer: fault.pointer.to_string(),
                reason: fault.reason,
            }),
            None => {}
        }
    }
    Description {
        title: info("title"),
        version: info("version"),
        format: document.format.clone(),
        operations,
        asked,
        skipped,
        warnings: reader.warnings.into_vec(),
    }
}

/// Where an operation stands.
struct Site<'d> {
    method: String,
    path: String,
    path_at: Pointer,
    /// The path items that it belongs to, its own first: beside a `$ref` there may be another.
    items: Vec<(Pointer, &'d Value)>,
    at: Pointer,
    operation: Result<&'d Value, Fault>,
}

impl Site<'_> {
    fn endpoint(&self) -> Endpoint {
        Endpoint { method: self.method.clone(), path: self.path.clone() }
    }
}

fn sites<'d>(document: &'d Document, warnings: &mut Warnings) -> Vec<Site<'d>> {
    let paths_at = Pointer::root().child("paths");
    let Some(paths) = document.at(&paths_at).and_then(Value::as_object) else {
        // Since 3.1 a document may have webhooks or components alone.
        let is_other =
            ["webhooks", "components"].iter().any(|part| document.root.get(part).is_some());
        if !is_other || document.flavour != Flavour::OpenApi31 {
            warnings.add(&paths_at, "expected `paths`; there is nothing to call");
        }
        return Vec::new();
    };
    let mut sites = Vec::new();
    for (path, item) in paths {
        if path.starts_with("x-") {
            continue;
        }
        let path_at = paths_at.child(path);
        if !path.starts_with('/') {
            warnings.add(&path_at, "expected a path that begins with `/`; read as if it did");
        }
        let found = document.resolve(path_at.clone(), item);
        let broken = |fault: Fault| Site {
            method: "*".to_owned(),
            path: text_line(path),
            path_at: path_at.clone(),
            items: Vec::new(),
            at: path_at.clone(),
            operation: Err(fault),
        };
        let (item_at, target) = match found {
            Ok(found) => found,
            Err(fault) => {
                sites.push(broken(fault));
                continue;
            }
        };
        if !target.is_object() {
            sites.push(broken(Fault::new(&item_at, "expected a path item (an object)")));
            continue;
        }
        let mut add =
            |items: Vec<(Pointer, &'d Value)>, at: Pointer, method: &str, operation: &'d Value| {
                let operation = match operation {
                    _ if text_line(path) != *path => Err(Fault::new(
                        &path_at,
                        "expected a path without control characters, of at most 2000 characters",
                    )),
                    Value::Object(_) => Ok(operation),
                    _ => Err(Fault::new(&at, "expected an operation (an object)")),
                };
                sites.push(Site {
                    method: method.to_owned(),
                    path: text_line(path),
                    path_at: path_at.clone(),
                    items,
                    at,
                    operation,
                });
            };
        // Beside a `$ref` a path item may have members of its own. Of both together the operations
        // of the first count, and where both say the same of an operation, what is beside it.
        let mut levels = vec![(item_at, target)];
        if !std::ptr::eq(target, item) {
            levels.insert(0, (path_at.clone(), item));
        }
        let mut seen: HashSet<String> = HashSet::new();
        for (index, (item_at, item)) in levels.iter().enumerate() {
            let items = || {
                let others = levels.iter().enumerate().filter(|(other, _)| *other != index);
                let all = std::iter::once(&levels[index]).chain(others.map(|(_, level)| level));
                all.cloned().collect::<Vec<_>>()
            };
            for (name, operation) in item.as_object().into_iter().flatten() {
                if METHODS.contains(&name.as_str()) && seen.insert(name.to_ascii_uppercase()) {
                    let method = name.to_ascii_uppercase();
                    add(items(), item_at.child(name), &method, operation);
                }
            }
            // 3.2: methods beyond the fixed ones.
            let more = item.get("additionalOperations").and_then(Value::as_object);
            for (name, operation) in more.into_iter().flatten() {
                if seen.insert(name.clone()) {
                    let at = item_at.child("additionalOperations").child(name);
                    add(items(), at, &text_line(name), operation);
                }
            }
        }
    }
    sites
}

/// Tells of requests that go the other way: an agent has nothing to call there.
fn tell_left_out(document: &Document, sites: &[Site<'_>], warnings: &mut Warnings) {
    let webhooks = Pointer::root().child("webhooks");
    let count = document.at(&webhooks).and_then(Value::as_object).map_or(0, Map::len);
    if count > 0 {
        warnings.add(
            &webhooks,
            format!("webhooks are requests of the API, not to it; {count} left out"),
        );
    }
    let tags = document.root.get("tags").and_then(Value::as_array);
    let mut kinds = tags.into_iter().flatten().enumerate();
    if let Some((index, _)) = kinds.find(|(_, tag)| tag.get("kind").is_some()) {
        warnings.add(
            &Pointer::root().child("tags").item(index).child("kind"),
            "the kinds of tags (3.2) are for people's pages: a tag of any kind selects operations, and \
             none is shown to agents",
        );
    }
    let with_callbacks = |site: &&Site<'_>| {
        let callbacks = site.operation.as_ref().ok().and_then(|one| one.get("callbacks"));
        callbacks.and_then(Value::as_object).is_some_and(|callbacks| !callbacks.is_empty())
    };
    if let Some(first) = sites.iter().find(with_callbacks) {
        let count = sites.iter().filter(with_callbacks).count();
        let reason = format!(
            "callbacks are requests of the API, not to it; those of {count} operations are left out"
        );
        warnings.add(&first.at.child("callbacks"), reason);
    }
}

/// A key for each operation, unique, and stable as long as the operation is: its id, or its
/// method and path.
fn keys(sites: &[Site<'_>], warnings: &mut Warnings) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut keys = Vec::with_capacity(sites.len());
    for site in sites {
        let endpoint = format!("{} {}", site.method, site.path);
        let id = site
            .operation
            .as_ref()
            .ok()
            .and_then(|operation| operation.get("operationId"))
            .and_then(scalar_text)
            .map(|id| text_line(id.trim()))
            .filter(|id| !id.is_empty());
        let mut key = id.clone().unwrap_or_else(|| endpoint.clone());
        if taken.contains(&key) {
            warnings.add(
                &site.at.child("operationId"),
                format!("`{key}` is the id of another operation; this one is `{endpoint}`"),
            );
            key.clone_from(&endpoint);
        }
        let mut n = 1;
        while !taken.insert(key.clone()) {
            n += 1;
            key = format!("{endpoint} #{n}");
        }
        keys.push(key);
    }
    keys
}

struct Reader<'d, 'o> {
    document: &'d Document,
    options: &'d ReadOptions<'o>,
    schemas: Schemas<'d>,
    xml: xml::Planner<'d>,
    warnings: Warnings,
    variables: Variables<'o>,
    query_credentials: Arc<[String]>,
    cookie_credentials: Arc<[String]>,
}

impl<'d> Reader<'d, '_> {
    fn operation(
        &mut self,
        site: &Site<'d>,
        key: String,
        endpoint: &Endpoint,
        targets: &Targets<'_>,
    ) -> Result<Operation, Fault> {
        let document = self.document;
        let operation = site.operation.clone()?;
        let at = &site.at;
        let method = Method::from_bytes(site.method.as_bytes())
            .map_err(|_| Fault::new(at, "expected an HTTP method (RFC 9110 §9.1)"))?;
        let template = PathTemplate::parse(&site.path)
            .map_err(|error| Fault::new(&site.path_at, error.to_string()))?;
        let own = std::iter::once((at, operation));
        let near = || own.clone().chain(site.items.iter().map(|(at, item)| (at, *item)));
        let far: Vec<_> = near().collect();
        let declared = parameters::gather(document, far.into_iter().rev())?;
        let (declared, request_body) = match document.flavour {
            Flavour::Swagger2 => {
                let (declared, body) = swagger2::parameters(document, operation, declared)?;
                (declared, body.map(|(at, body)| (at, Cow::Owned(body))))
            }
            _ => (declared, self.request_body(at, operation)?),
        };
        let body = match &request_body {
            Some((at, value)) => {
                let (schemas, xml) = (&mut self.schemas, &mut self.xml);
                Some(body::plan(document, schemas, xml, at, value, &mut self.warnings)?)
            }
            None => None,
        };
        let choices = body.as_ref().map_or(0, |body| body.plan.variants.len());
        let reserved: &[&str] = match choices {
            0 => &[],
            1 => &[BODY],
            _ => &[BODY, CONTENT_TYPE],
        };
        let variables = template.variables();
        let planned = Planner {
            document,
            schemas: &mut self.schemas,
            xml: &mut self.xml,
            warnings: &mut self.warnings,
            variables: &variables,
            reserved,
            path_at: &site.path_at,
        }
        .plan(&declared)?;
        let input = self.input(&planned, body.as_ref())?;
        let successes = responses::successes(
            document,
            (&mut self.schemas, &mut self.xml),
            targets,
            at,
            operation,
            &mut self.warnings,
        );
        let weight = successes.links.0.iter().map(|(_, plans)| links::weight(plans)).sum();
        self.schemas.charge(at, weight)?;
        let (effect, idempotent) = effect(&method);
        let binding = RestBinding {
            method,
            path: template,
            parameters: planned.into_iter().map(|planned| planned.parameter).collect(),
            body: body.map(|body| body.plan),
            accept: successes.accept,
            expected: successes.expected,
            links: successes.links,
            reserved_query: self.query_credentials.clone(),
            reserved_cookies: self.cookie_credentials.clone(),
            takes_paths: document.takes_paths,
        };
        let key = OperationKey::new(key).map_err(|error| Fault::new(at, error.to_string()))?;
        let description = near().find_map(|(_, level)| text_member(level, "description"));
        self.schemas.charge(at, 10 + description.as_ref().map_or(0, String::len) / 128)?;
        Ok(Operation {
            id: OperationId { api: self.options.api.clone(), key },
            endpoint: Some(endpoint.clone()),
            summary: text_member(operation, "summary").map(|text| text_line(&text)),
            description,
            tags: tags(document, operation),
            deprecated: is_true(operation, "deprecated"),
            effect,
            effect_source: EffectSource::Inferred,
            idempotent,
            input,
            output: successes.output,
            errors: responses::errors(document, at, operation),
            security: security::requirements(document, at, operation, &mut self.warnings),
            servers: servers::servers(document, near(), &mut self.variables, &mut self.warnings),
            twin_of: None,
            binding: Arc::new(binding),
        })
    }

    fn request_body(
        &mut self,
        at: &Pointer,
        operation: &'d Value,
    ) -> Result<Option<(Pointer, Cow<'d, Value>)>, Fault> {
        let Some(body) = operation.get("requestBody").filter(|body| !body.is_null()) else {
            return Ok(None);
        };
        let (at, body) = self.document.resolve(at.child("requestBody"), body)?;
        // An empty `content` is how some generators say that there is no body.
        if body.get("content").and_then(Value::as_object).is_some_and(Map::is_empty) {
            self.warnings.add(&at.child("content"), "the body has no media type; read as none");
            return Ok(None);
        }
        Ok(Some((at, Cow::Borrowed(body))))
    }

    /// The schema of all arguments.
    fn input(
        &mut self,
        planned: &[parameters::Planned],
        body: Option<&body::PlannedBody>,
    ) -> Result<Schema, Fault> {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for planned in planned {
            let parameter = &planned.parameter;
            properties.insert(parameter.argument.clone(), planned.property.clone());
            if parameter.required {
                required.push(Value::String(parameter.argument.clone()));
            }
        }
        if let Some(body) = body {
            properties.insert(BODY.to_owned(), body.property.clone());
            if body.plan.required {
                required.push(Value::String(BODY.to_owned()));
            }
            if let [first, _, ..] = body.plan.variants.as_slice() {
                let names: Vec<&str> =
                    body.plan.variants.iter().map(|variant| variant.name.as_str()).collect();
                properties.insert(
                    CONTENT_TYPE.to_owned(),
                    json!({
                        "type": "string",
                        "enum": names,
                        "default": first.name,
                        "description": "The media type in which the body is sent"
                    }),
                );
            }
        }
        if properties.is_empty() {
            return Ok(Schema::empty_object());
        }
        let lifted: Vec<&Lifted> = planned
            .iter()
            .flat_map(|planned| &planned.lifted)
            .chain(body.into_iter().flat_map(|body| &body.lifted))
            .collect();
        let definitions = self.schemas.definitions(lifted, Direction::Input, &mut self.warnings)?;
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            schema.insert("required".to_owned(), Value::Array(required));
        }
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
        Ok(Schema::with_definitions(schema, definitions))
    }
}

/// The operation's tags, and those that they stand under (3.2.0 §4.22: `parent`).
fn tags(document: &Document, operation: &Value) -> Vec<String> {
    const MOST: usize = 64;
    let own = operation.get("tags").and_then(Value::as_array);
    let mut tags: Vec<String> =
        own.into_iter().flatten().take(MOST).filter_map(scalar_text).collect();
    let described = document.root.get("tags").and_then(Value::as_array);
    let parent = |name: &str| {
        let is_it = |tag: &&Value| tag.get("name").is_some_and(|own| own == name);
        described?.iter().find(is_it)?.get("parent")?.as_str()
    };
    let mut next = 0;
    while let Some(tag) = tags.get(next).filter(|_| tags.len() < MOST) {
        if let Some(parent) = parent(tag).filter(|parent| tags.iter().all(|tag| tag != parent)) {
            tags.push(parent.to_owned());
        }
        next += 1;
    }
    tags.iter().map(|tag| text_line(tag)).collect()
}

/// What a method does, and whether twice is once (RFC 9110 §9.2; QUERY is safe by its definition).
fn effect(method: &Method) -> (Effect, bool) {
    match method.as_str() {
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "QUERY" => (Effect::Read, true),
        "PUT" => (Effect::Write, true),
        "DELETE" => (Effect::Destructive, true),
        _ => (Effect::Write, false),
    }
}

#[cfg(test)]
mod tests;
