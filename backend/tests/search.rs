//! `GET /memory/search`: words find entries.

use serde_json::json;

use crate::sandbox::Sandbox;
use crate::server::Server;

#[test]
fn a_seeded_memory_entry_is_found_by_its_topic() {
    let sandbox = Sandbox::seeded(100);
    let id: i64 = sandbox
        .connect()
        .query_row("SELECT id FROM memory_entries WHERE topic = 'green tea'", [], |row| row.get(0))
        .unwrap();
    let server = Server::start(&sandbox, &[]);
    let answer = server.get("/memory/search?q=Green%20TEA&limit=1000");
    assert_eq!(answer.status, 200);
    let found = answer.json.as_array().unwrap();
    assert!(found.iter().any(|entry| entry["id"] == id), "{answer:?}");
}

#[test]
fn a_new_memory_entry_is_found_at_once() {
    let sandbox = Sandbox::migrated();
    let server = Server::start(&sandbox, &[]);
    let body = json!({ "topic": "pets", "content": "The cat is called Ångström." });
    let created = server.post("/memory", &body);
    assert_eq!(created.status, 201, "{created:?}");
    let found = server.get("/memory/search?q=angstrom");
    assert_eq!(found.json[0]["id"], created.json["id"]);
    assert_eq!(found.json[0]["importance"], 3);
    assert_eq!(server.get("/memory").json, found.json);
}

#[test]
fn no_query_is_taken_for_syntax() {
    let sandbox = Sandbox::seeded(10);
    let server = Server::start(&sandbox, &[]);
    for query in ["a%22b", "NEAR(", "topic:x", "%00a", "a*", "-a", "a%20AND", "(%22%22%20x", "🍵a"]
    {
        let answer = server.get(&format!("/memory/search?q={query}"));
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
    }
    for query in ["?q=", "?q=%22%20-", "", "?q=a&limit=-1", "?q=%FF%FE%22"] {
        let answer = server.get(&format!("/memory/search{query}"));
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(answer.json["error"].is_string());
    }
}
