//! What is found for what, and what can never be.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use tollbridge_operation::{ApiName, Operation};

use super::{Corpus, Found, Index};
use crate::testing::{described, operation, with_input};

fn shop() -> Vec<Arc<Operation>> {
    vec![
        described("shop/listOrders", "GET", "/orders", "List all orders", ""),
        described("shop/createOrder", "POST", "/orders", "Place an order", ""),
        described("shop/getOrder", "GET", "/orders/{order_id}", "One order", ""),
        described("shop/cancelOrder", "DELETE", "/orders/{order_id}", "Cancel an order", ""),
        described(
            "shop/listRefunds",
            "GET",
            "/orders/{order_id}/refunds",
            "Refunds of an order",
            "",
        ),
        described("shop/createRefund", "POST", "/orders/{order_id}/refunds", "Refund an order", ""),
        described("shop/searchCustomers", "GET", "/customers/search", "Search customers", ""),
        described("shop/getCustomer", "GET", "/customers/{customer_id}", "One customer", ""),
        described("shop/updateUserName", "PUT", "/customers/{customer_id}/user_name", "Rename", ""),
        described("mail/sendMessage", "POST", "/messages", "Send a message", "By e-mail."),
        described("mail/listMessages", "GET", "/messages", "List messages", ""),
    ]
}

fn index(operations: &[Arc<Operation>]) -> Index {
    corpus(operations).index(|_| true)
}

fn corpus(operations: &[Arc<Operation>]) -> Corpus {
    let names: BTreeSet<&ApiName> = operations.iter().map(|one| &one.id.api).collect();
    Corpus::new(names.into_iter().map(|name| {
        (name, "An API", operations.iter().filter(|one| one.id.api == *name).collect::<Vec<_>>())
    }))
}

fn keys(found: &Found) -> Vec<&str> {
    found.hits.iter().map(|hit| hit.operation.id.key.as_str()).collect()
}

fn first(query: &str) -> String {
    let found = index(&shop()).search(query, 3);
    keys(&found).first().copied().unwrap_or_default().to_owned()
}

#[test]
fn what_one_wants_is_found_in_other_words_forms_and_spellings() {
    for (query, expected) in [
        ("list orders", "listOrders"),
        ("find all the orders", "listOrders"),
        ("add a new order", "createOrder"),
        ("remove an order", "cancelOrder"),
        ("I want to make a refund for this purchase", "createRefund"),
        ("which refunds does an order have", "listRefunds"),
        ("look up a client", "searchCustomers"),
        ("email somebody", "sendMessage"),
        ("cancle it", "cancelOrder"),
        ("search custmoers", "searchCustomers"),
        ("username", "updateUserName"),
        ("user name", "updateUserName"),
        ("createRefund", "createRefund"),
        ("create_refund", "createRefund"),
        ("DELETE /orders/{order_id}", "cancelOrder"),
    ] {
        assert_eq!(first(query), expected, "{query}");
    }
}

#[test]
fn filters_take_what_they_name_and_nothing_else() {
    let index = index(&shop());
    for (query, expected) in [
        ("order effect:read", vec!["listOrders", "getOrder", "listRefunds"]),
        ("effect:destructive", vec!["cancelOrder"]),
        ("api:mail", vec!["sendMessage", "listMessages"]),
        ("API:MAIL method:post", vec!["sendMessage"]),
        ("method:put,delete", vec!["cancelOrder", "updateUserName"]),
        ("api:nothing orders", vec![]),
    ] {
        let found = index.search(query, 20);
        let keys: BTreeSet<&str> = keys(&found).into_iter().collect();
        assert_eq!(keys, expected.into_iter().collect(), "{query}");
        assert_eq!(found.matched, found.hits.len(), "{query}");
    }
}

#[test]
fn what_is_no_filter_is_words() {
    let index = index(&shop());
    assert_eq!(keys(&index.search("effect:none order", 1)).len(), 1);
    assert_eq!(keys(&index.search("note: cancel order", 1)), ["cancelOrder"]);
}

#[test]
fn whoever_finds_what_a_result_asks_for_is_a_result_too() {
    let index = index(&shop());
    let found = index.search("rename", 5);
    assert_eq!(keys(&found)[..2], ["updateUserName", "searchCustomers"]);
}

#[test]
fn an_index_of_a_part_is_as_if_the_rest_were_not_there() {
    let all = shop();
    let is_visible = |one: &Operation| one.id.key.as_str().contains("Order");
    let part: Vec<Arc<Operation>> = all.iter().filter(|one| is_visible(one)).cloned().collect();
    let (seen, alone) = (corpus(&all).index(is_visible), index(&part));
    for query in
        ["list orders", "refund", "custmoers", "message", "cancel", "", "effect:read", "mail"]
    {
        let (seen, alone) = (seen.search(query, 20), alone.search(query, 20));
        assert_eq!(format!("{seen:?}"), format!("{alone:?}"), "{query}");
    }
    assert_eq!(seen.apis().map(|api| api.operations).collect::<Vec<_>>(), [4]);
    assert!(seen.operation("shop/createRefund").is_none());
    assert!(seen.operation("shop/getOrder").is_some());
}

#[test]
fn a_word_that_is_hidden_is_corrected_as_if_it_were_nowhere() {
    let corpus = corpus(&shop());
    let hidden = corpus.index(|one| one.id.api.as_str() == "shop");
    assert!(hidden.search("mesages", 5).corrected.is_empty());
    assert_eq!(corpus.index(|_| true).search("mesages", 5).corrected.len(), 1);
}

#[test]
fn the_same_operation_of_another_version_does_not_crowd_out_others() {
    let mut operations: Vec<_> = (1..6)
        .map(|n| {
            described(&format!("a/listPets{n}"), "GET", &format!("/v{n}/pets"), "List pets", "")
        })
        .collect();
    operations.push(described("a/petFood", "GET", "/pet-food", "What pets eat", ""));
    let found = index(&operations).search("list pets", 3);
    assert!(keys(&found).contains(&"petFood"), "{:?}", keys(&found));
}

#[test]
fn a_text_that_says_everything_many_times_does_not_outrank_what_is_meant() {
    let stuffed = "list create get delete update cancel refund order orders customer customers \
                   message messages search send user name "
        .repeat(10_000);
    assert!(stuffed.len() > 1_000_000);
    let mut operations = shop();
    operations.push(described("shop/evil", "GET", "/evil", &stuffed, &stuffed));
    let index = index(&operations);
    for (query, expected) in [
        ("list orders", "listOrders"),
        ("create a refund", "createRefund"),
        ("cancel order", "cancelOrder"),
        ("send message", "sendMessage"),
        ("search customers", "searchCustomers"),
    ] {
        assert_eq!(keys(&index.search(query, 1)), [expected], "{query}");
    }
}

#[test]
fn saying_a_word_more_often_lifts_no_further() {
    let score = |times: usize| {
        let said = "warehouse ".repeat(times);
        let mut operations = shop();
        operations.push(described("shop/one", "GET", "/one", "", &said));
        index(&operations).search("warehouse", 1).hits[0].score
    };
    assert!(score(10_000) <= score(2), "{} {}", score(10_000), score(2));
}

#[test]
fn names_and_texts_of_arguments_and_answers_are_read() {
    let input = json!({"type": "object", "properties": {
        "vat": {"type": "string", "description": "the taxpayer's number"},
        "kind": {"enum": ["quarterly", "yearly"]},
    }});
    let operations = [with_input("a/x", input), operation("a/y")];
    for query in ["vat", "taxpayer", "quarterly"] {
        assert_eq!(keys(&index(&operations).search(query, 3)), ["x"], "{query}");
    }
}

#[test]
fn another_language_or_nothing_at_all_degrades() {
    let index = index(&shop());
    for query in
        ["поиск заказов", "注文を検索", "🦀", "   ", "=", ":", "api:", "\u{0}\u{202e}", "a b c"]
    {
        let found = index.search(query, 5);
        assert!(found.hits.len() <= 5, "{query}");
    }
    assert!(keys(&index.search("zoek orders alstublieft", 1))[0].contains("Order"));
}

proptest! {
    // Each case builds its indexes.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_query_shows_or_counts_what_is_hidden(
        query in "(api:|effect:|method:|)[a-zA-Z_/{} =:]{0,24}( [a-z]{1,9}){0,4}",
        mask in any::<u16>(),
        limit in 0_usize..15,
    ) {
        let all = shop();
        let is_visible = |at: usize| mask >> at & 1 == 1;
        let visible: BTreeSet<&str> = all
            .iter()
            .enumerate()
            .filter(|(at, _)| is_visible(*at))
            .map(|(_, one)| one.id.key.as_str())
            .collect();
        let corpus = corpus(&all);
        let seen = corpus.index(|one| visible.contains(one.id.key.as_str()));
        let found = seen.search(&query, limit);
        prop_assert!(found.hits.len() <= limit);
        prop_assert!(found.matched <= visible.len());
        for hit in &found.hits {
            prop_assert!(visible.contains(hit.operation.id.key.as_str()));
        }
        // The same as where the hidden ones do not exist.
        let part: Vec<_> =
            all.iter().filter(|one| visible.contains(one.id.key.as_str())).cloned().collect();
        let alone = index(&part).search(&query, limit);
        prop_assert_eq!(format!("{found:?}"), format!("{alone:?}"));
    }

    #[test]
    fn no_query_fails(query in "\\PC{0,80}") {
        index(&shop()).search(&query, 10);
    }
}
