//! The pages: what waits, one held call, and the forms that decide on it.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Map, Value};

use super::login::{Form, Session, see, session, unavailable};
use super::{App, html};
use crate::gateway::{self, Approver, HoldRow, OperateError, Time};

/// How many held calls one page lists.
const MOST: usize = 200;

pub(super) async fn style() -> Response {
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"))];
    (kind, include_str!("style.css")).into_response()
}

pub(super) async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let session = match session(&app, &headers).await {
        Ok(session) => session,
        Err(response) => return response,
    };
    let rows = match gateway::held(app.gateway.store()).await {
        Ok(rows) => rows,
        Err(error) => return unavailable(&error.to_string()),
    };
    let mut body = bar(&session, "Held calls");
    if rows.is_empty() {
        body.push_str("<p>No call waits for approval.</p>");
    } else {
        body.push_str(
            "<table>\n<thead><tr><th>Call</th><th>Who</th><th>Tool</th><th>Request</th>\
             <th>Until</th></tr></thead>\n<tbody>\n",
        );
        for row in rows.iter().take(MOST) {
            let _ = writeln!(
                body,
                "<tr><td><a href=\"/approvals/{0}\">{0}</a></td><td>{1}</td><td>{2}</td>\
                 <td>{3}</td><td>{4}</td></tr>",
                html::text(&row.id),
                html::text(&row.identity),
                html::text(&row.tool),
                html::text(&row.target),
                html::text(&Time(row.expires).to_string()),
            );
        }
        body.push_str("</tbody></table>");
        if rows.len() > MOST {
            let _ = write!(body, "<p>And {} more.</p>", rows.len() - MOST);
        }
    }
    Html(html::page("Held calls", &body)).into_response()
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let session = match session(&app, &headers).await {
        Ok(session) => session,
        Err(response) => return response,
    };
    one(&app, &session, &id, StatusCode::OK, None).await
}

pub(super) async fn decide(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path((id, act)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let session = match session(&app, &headers).await {
        Ok(session) => session,
        Err(response) => return response,
    };
    let form = Form::read(&body);
    if !session.made(&form) {
        return stale();
    }
    let store = app.gateway.store();
    let name = operator(&session.who.name);
    let toolbox = app.gateway.toolbox();
    let by = Approver::from(&name).under(&toolbox);
    let reason = form.written("reason");
    let done = match act.as_str() {
        "yes" => gateway::approve(store, &id, by, reason).await,
        "no" => gateway::reject(store, &id, by, reason).await,
        "edit" => match edited(&app, &id, &form).await {
            Ok(edits) => gateway::edit(store, &toolbox, &id, &edits, by, reason).await,
            Err(error) => Err(error),
        },
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match done {
        Ok(_) => see("/approvals"),
        Err(OperateError::Store(error)) => unavailable(&error.to_string()),
        Err(error) => {
            let (status, told) = (status_of(&error), error.to_string());
            one(&app, &session, &id, status, Some(&told)).await
        }
    }
}

/// What a person changed in the text of the arguments.
async fn edited(app: &App, id: &str, form: &Form) -> Result<Vec<gateway::Edit>, OperateError> {
    let wrong = |why: String| OperateError::Edit { id: id.to_owned(), why };
    let row = app.gateway.store().hold(id).await?;
    let row = row.ok_or_else(|| OperateError::NoSuchHold(id.to_owned()))?;
    let text = form.get("arguments").unwrap_or_default();
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(wanted) => Ok(gateway::edits_between(&gateway::given(&row), &wanted)),
        Err(error) => Err(wrong(format!("the arguments are no JSON object: {error}"))),
    }
}

/// The name under which a key's holder is on record.
pub(super) fn operator(name: &str) -> String {
    format!("operator:{name}")
}

/// The status for what came to nothing (RFC 9110 §15.5).
pub(super) fn status_of(error: &OperateError) -> StatusCode {
    match error {
        OperateError::NoSuchHold(_) => StatusCode::NOT_FOUND,
        OperateError::Decided { .. } => StatusCode::CONFLICT,
        OperateError::OwnCall { .. } | OperateError::AtTheClient(_) | OperateError::AsClient(_) => {
            StatusCode::FORBIDDEN
        }
        OperateError::Edit { .. } | OperateError::EditDenied { .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The answer to a form of another session's page.
pub(super) fn stale() -> Response {
    let body = "<h1>Not taken</h1><p>This form is of an older session. \
                <a href=\"/approvals\">Go back</a> and decide again.</p>";
    (StatusCode::FORBIDDEN, Html(html::page("Not taken", body))).into_response()
}

fn bar(session: &Session, title: &str) -> String {
    format!(
        "<nav><h1>{}</h1><form method=\"post\" action=\"/approvals/logout\">{}{} \
         <button>Log out</button></form></nav>\n",
        html::text(title),
        token(session),
        html::text(&session.who.name),
    )
}

fn token(session: &Session) -> String {
    format!("<input type=\"hidden\" name=\"token\" value=\"{}\">", html::text(&session.token))
}

async fn one(
    app: &App,
    session: &Session,
    id: &str,
    status: StatusCode,
    told: Option<&str>,
) -> Response {
    let row = match app.gateway.store().hold(id).await {
        Ok(Some(row)) => row,
        Ok(None) => {
            let body = format!("{}<p>There is no such held call.</p>", bar(session, "Held calls"));
            let page = html::page("Held calls", &body);
            return (StatusCode::NOT_FOUND, Html(page)).into_response();
        }
        Err(error) => return unavailable(&error.to_string()),
    };
    let open = row.state.as_str() == "pending" && row.expires > app.gateway.store().now();
    let mut body = bar(session, "Held call");
    body.push_str("<p><a href=\"/approvals\">All held calls</a></p>\n");
    if let Some(told) = told {
        let _ = writeln!(body, "<p class=\"told\">{}</p>", html::text(told));
    }
    body.push_str(&story(&row, open));
    if open {
        body.push_str(&forms(session, &row));
    }
    (status, Html(html::page("Held call", &body))).into_response()
}

fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// All that is decided on, whole: a person must not approve what they could not see.
fn story(row: &HoldRow, open: bool) -> String {
    let mut story = String::from("<dl>\n");
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(story, "<dt>{name}</dt><dd>{}</dd>", html::text(value));
    };
    line("Held as", &row.id);
    line("Who", &row.identity);
    line("Tool", &row.tool);
    line("Request", &row.target);
    if let Some(stated) = &row.stated {
        line("Why, says the agent", stated);
    }
    line("Rule", &row.rule);
    if let Some(price) = &row.price {
        line("Price", price);
    }
    line("Placed", &Time(row.placed).to_string());
    line("Expires", &Time(row.expires).to_string());
    if row.barred.is_some() {
        line("Four eyes", "another person than the caller must approve");
    }
    line("State", if open || row.decided.is_some() { row.state.as_str() } else { "expired" });
    if let Some(by) = &row.decided_by {
        line("Decided by", by);
        if let Some(user) = &row.decided_user {
            line("Run by", user);
        }
        line("Reason", row.reason.as_deref().unwrap_or("none given"));
    }
    story.push_str("</dl>\n");
    let mut block = |title: &str, value: &Value| {
        let shown = html::json(value);
        let _ = write!(story, "<h2>{title}</h2>\n<pre>{shown}</pre>\n");
    };
    block("Arguments as they would be sent", &value_of(&row.arguments));
    if row.given != row.arguments {
        block("Arguments as the agent gave them", &value_of(&row.given));
    }
    if let Some(edits) = gateway::edits_shown(row) {
        block("Changes", &edits);
    }
    story
}

fn forms(session: &Session, row: &HoldRow) -> String {
    let (token, id) = (token(session), html::text(&row.id));
    format!(
        "<form method=\"post\" action=\"/approvals/{id}/yes\">{token}\n\
         <label>Reason <input name=\"reason\" maxlength=\"1000\"></label>\n\
         <button>Approve</button>\n\
         <button formaction=\"/approvals/{id}/no\">Reject</button></form>\n\
         <h2>Approve with other arguments</h2>\n\
         <form method=\"post\" action=\"/approvals/{id}/edit\">{token}\n\
         <label>Arguments <textarea name=\"arguments\" spellcheck=\"false\">{arguments}</textarea>\
         </label>\n<label>Reason <input name=\"reason\" maxlength=\"1000\"></label>\n\
         <button>Approve so</button></form>\n",
        arguments = html::editable(&value_of(&row.given)),
    )
}
