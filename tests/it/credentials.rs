//! What `check` says of credentials that a description asks for and the configuration lacks.

use tollbridge::config::Style;
use tollbridge::gateway::{self, Secrets};

use crate::stage::{Folder, tool};

/// The stage's `auth` is an API key in the header `X-Key`.
fn warned(security: &str, other: &str) -> String {
    let folder = Folder::new("http://127.0.0.1:1", "", &tool("getItem", "name = \"get\""));
    folder.write(
        "shop.yaml",
        &format!(
            "openapi: 3.1.0
info: {{ title: t, version: '1' }}
components:
  securitySchemes:
    Key: {{ type: apiKey, in: header, name: x-key }}
    Query: {{ type: apiKey, in: query, name: key }}
    Token: {{ type: http, scheme: bearer }}
paths:
  /items:
    get: {{ operationId: getItem, security: {security}, responses: {{}} }}
    put: {{ operationId: other, security: {other}, responses: {{}} }}
"
        ),
    );
    let loaded = gateway::load(&folder.path("tools.toml"), Secrets::Verify)
        .unwrap_or_else(|wrong| panic!("{}", wrong.render(Style::Plain)));
    loaded.warnings.render(Style::Plain)
}

#[test]
fn a_scheme_that_auth_does_not_stand_for_is_missed() {
    for (security, other, missing) in [
        ("[{ Key: [] }]", "[]", None),
        ("[{ Key: [], Query: [] }]", "[]", Some("not given: Query")),
        ("[{ Query: [], Token: [] }, { Key: [], Query: [] }]", "[]", Some("not given: Query")),
        ("[{ Query: [] }, { Key: [] }]", "[]", None),
        ("[{ Token: [] }]", "[{ Key: [] }]", Some("not given: Token")),
        // No operation has such a scheme: it was added.
        ("[{ Token: [] }]", "[{ Query: [] }]", None),
    ] {
        let warned = warned(security, other);
        assert_eq!(warned.contains("TB0313"), missing.is_some(), "{security}: {warned}");
        assert!(warned.contains(missing.unwrap_or_default()), "{security}: {warned}");
        let mend = "instead of it, set one for each scheme in [api.shop.credentials]";
        assert_eq!(warned.contains(mend), missing.is_some(), "{security}: {warned}");
    }
}
