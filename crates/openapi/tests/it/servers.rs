//! Values that the caller gives to the variables of servers.

use std::collections::BTreeMap;

use serde_json::json;
use tollbridge_openapi::{ReadOptions, Surroundings, read_within};
use tollbridge_operation::{ApiName, Description};

fn with(variables: &[(&str, &str)]) -> Description {
    let document = json!({"openapi": "3.1.0", "servers": [
        {"url": "https://{region}.example.com/{version}", "variables": {
            "region": {"default": "eu", "enum": ["eu", "us"]},
            "version": {"default": "v1"}}},
        {"url": "https://{tenant}.example.com"},
    ], "paths": {"/": {"get": {}}}});
    let api = ApiName::new("api").unwrap();
    let options = ReadOptions { api: &api, source: None };
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let surroundings = Surroundings { variables: &variables, ..Surroundings::default() };
    read_within(document.to_string().as_bytes(), &options, &surroundings).unwrap()
}

#[test]
fn a_given_value_stands_instead_of_the_default() {
    for (given, servers) in [
        (&[][..], &["https://eu.example.com/v1"][..]),
        (&[("region", "us")], &["https://us.example.com/v1"]),
        (&[("version", "v2/beta")], &["https://eu.example.com/v2/beta"]),
        (&[("tenant", "acme")], &["https://eu.example.com/v1", "https://acme.example.com"]),
    ] {
        assert_eq!(with(given).operations[0].servers, servers, "{given:?}");
    }
}

#[test]
fn a_value_that_the_description_does_not_know_is_told() {
    let description = with(&[("region", "mars"), ("regoin", "us"), ("tenant", "acme")]);
    let told: Vec<&str> = description.warnings.iter().map(|w| w.message.as_str()).collect();
    assert_eq!(
        told,
        [
            "`mars` is none of the values of the variable; used all the same",
            "no server has the variable `regoin` for which a value is given",
        ]
    );
    assert_eq!(description.warnings[0].pointer, "/servers/0/variables/region");
}
