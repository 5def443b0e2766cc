//! Files that agents name by a path: sent from one folder, recorded, and nothing else is.

use serde_json::{Value, json};
use tollbridge::gateway::{self, Secrets};
use tollbridge::store::{Durability, Store};

use super::support::{Bridge, Folder, Upstream, code, failure};

const DOCUMENT: &str = "openapi: 3.1.0\ninfo: {}\npaths:\n  \
    /form: {post: {operationId: form, requestBody: {required: true, content: {multipart/form-data: {schema: {type: object, properties: {\
    file: {type: string, format: binary}, more: {type: array, items: {type: string, format: binary}}, note: {type: string}}}}}}}}\n  \
    /bytes: {put: {operationId: bytes, requestBody: {required: true, content: {application/octet-stream: {}}}}}\n";

fn put(folder: &Folder, name: &str, text: &str) {
    std::fs::write(folder.file(name), text).unwrap();
}

/// A bridge whose agents may send what is in `uploads`, and more keys for its tools.
async fn bridge(upstream: &Upstream, keys: &str) -> Bridge {
    let folder = Folder::new();
    folder.write("api.yaml", DOCUMENT);
    std::fs::create_dir_all(folder.path().join("uploads/sub")).unwrap();
    put(&folder, "uploads/a.txt", "from a file");
    put(&folder, "uploads/sub/b.bin", "second");
    put(&folder, "uploads/large", &"x".repeat(200));
    folder.write("secret.txt", "never sent");
    let config = format!(
        "[audit]\ndurability = \"process\"\n[api.up]\nspec = \"api.yaml\"\nbase_url = \"{}\"\n\
         files = \"uploads\"\nmax_upload = \"100B\"\n\
         [[tool]]\napi = \"up\"\noperation = \"form\"\n{keys}\n[[tool]]\napi = \"up\"\noperation = \"bytes\"\n",
        upstream.url()
    );
    let path = folder.write("tools.toml", &config);
    let loaded = gateway::load(&path, Secrets::Resolve)
        .unwrap_or_else(|wrong| panic!("{}", wrong.render(tollbridge::config::Style::Plain)));
    let store = Store::open(&folder.store_url(), Durability::Process).await.unwrap();
    Bridge::of(folder, loaded.toolbox, store)
}

#[tokio::test]
async fn a_file_is_sent_by_its_path_and_recorded_by_name_size_and_digest() {
    let upstream = Upstream::willing().await;
    let bridge = bridge(&upstream, "").await;
    let arguments = json!({"body": {"file": {"path": "a.txt", "content_type": "text/x"},
        "more": [{"path": "sub/b.bin", "filename": "c"}, {"text": "t"}], "note": "n"}});
    let reply = bridge.call("form", &arguments.to_string()).await;
    assert_eq!(code(&reply), "succeeded", "{reply:?}");
    assert_eq!(
        upstream.seen()[0].body,
        "--tollbridge-00000000\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/x\r\n\r\nfrom a file\r\n\
         --tollbridge-00000000\r\nContent-Disposition: form-data; name=\"more\"; filename=\"c\"\r\nContent-Type: application/octet-stream\r\n\r\nsecond\r\n\
         --tollbridge-00000000\r\nContent-Disposition: form-data; name=\"more\"; filename=\"more\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nt\r\n\
         --tollbridge-00000000\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nn\r\n--tollbridge-00000000--\r\n"
    );
    let record = bridge.record(&reply).await;
    let read = record.events.iter().find(|event| event.body["kind"] == "files_read").unwrap();
    let files: Vec<(&Value, &Value)> = read.body["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (&file["path"], &file["size"]))
        .collect();
    assert_eq!(files, [(&json!("a.txt"), &json!(11)), (&json!("sub/b.bin"), &json!(6))]);
    assert!(read.body["files"][0]["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(record.arguments, Some(arguments));

    bridge.call("bytes", r#"{"body": {"path": "a.txt"}}"#).await;
    assert_eq!(upstream.seen()[1].body, "from a file");
}

#[tokio::test]
async fn nothing_outside_of_the_folder_is_sent() {
    let upstream = Upstream::willing().await;
    let bridge = bridge(&upstream, "").await;
    let folder = bridge.folder.path();
    let outside = folder.join("secret.txt");
    #[cfg(unix)]
    {
        let uploads = folder.join("uploads");
        std::os::unix::fs::symlink(&outside, uploads.join("link")).unwrap();
        std::os::unix::fs::symlink(folder, uploads.join("way")).unwrap();
        std::os::unix::fs::symlink("../secret.txt", uploads.join("up")).unwrap();
    }
    let absolute = outside.display().to_string();
    for path in [
        "../secret.txt",
        "sub/../../secret.txt",
        "sub/../a.txt",
        "./a.txt",
        "..\\secret.txt",
        &absolute,
        "link",
        "way/secret.txt",
        "up",
        "sub",
        "large",
        "nothing",
        "a.txt/",
        "a.txt\0",
    ] {
        for (tool, arguments, place) in [
            ("form", json!({"body": {"file": {"path": path}}}), "/body/file/path"),
            ("bytes", json!({"body": {"path": path}}), "/body/path"),
        ] {
            let reply = bridge.call(tool, &arguments.to_string()).await;
            assert_eq!(code(&reply), "invalid_arguments", "{path}");
            let violation = &failure(&reply).violations[0];
            assert_eq!(violation.pointer, place, "{path}");
            assert!(!violation.expected.contains(&absolute), "{}", violation.expected);
        }
    }
    // Two that are too large only together.
    let both = json!({"body": {"more": vec![json!({"path": "a.txt"}); 10]}});
    assert_eq!(code(&bridge.call("form", &both.to_string()).await), "invalid_arguments");
    for arguments in [
        json!({"body": {"file": {"path": "a.txt", "data": "aGk="}}}),
        json!({"body": {"file": {"path": "a.txt", "size": 1, "digest": "x"}}}),
    ] {
        assert_eq!(code(&bridge.call("form", &arguments.to_string()).await), "invalid_arguments");
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn an_approval_is_one_of_what_the_file_held() {
    let upstream = Upstream::willing().await;
    let bridge = bridge(&upstream, "hold = true").await;
    let arguments = json!({"body": {"file": {"path": "a.txt"}}}).to_string();
    let held = bridge.call("form", &arguments).await;
    let hold = failure(&held).hold.clone().unwrap();
    bridge.approve(&hold.id).await;
    put(&bridge.folder, "uploads/a.txt", "something else");
    let reply = bridge.call("form", &arguments).await;
    assert_eq!(code(&reply), "held");
    assert_ne!(failure(&reply).hold.clone().unwrap().id, hold.id);
    put(&bridge.folder, "uploads/a.txt", "from a file");
    assert_eq!(code(&bridge.call("form", &arguments).await), "succeeded");
    assert_eq!(upstream.count(), 1);
}
