//! `tollbridge login` with the binary: a person consents in a browser or on another device, and
//! the bridge calls for them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use super::support::{Answer, Authority, Draft, Folder, Manners, Upstream};

struct House {
    folder: Folder,
}

struct Ran {
    code: i32,
    text: String,
}

impl House {
    /// A folder whose API is called for a person who logs in at that server.
    fn new(server: &Authority, api: &Upstream, members: &str) -> Self {
        let scheme = r#"{ "type": "oauth2", "flows": { "clientCredentials": { "tokenUrl": "/token", "scopes": {} } } }"#;
        let overlay = format!(
            r#"[{{ "op": "add", "path": "/components", "value": {{ "securitySchemes": {{ "login": {scheme} }} }} }},
            {{ "op": "add", "path": "/paths/~1items/get/security", "value": [{{ "login": ["read"] }}] }}]"#
        );
        let auth = format!(
            "overlays = [\"overlay.json\"]\nauth = {{ kind = \"oauth2\", issuer = \"{}\", \
             client_id = \"bridge\", client_secret = \"file:client\", {members} }}",
            server.issuer()
        );
        let draft = Draft::to(&api.url()).api(&auth).tool("listItems", "");
        let folder = Folder::with_shop(&draft.text());
        folder.write("overlay.json", &overlay);
        folder.write("client", "cl13nt-s3cr3t");
        Self { folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollbridge"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("USER", "tester")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        let ran = tokio::task::spawn_blocking(move || command.output());
        let output = ran.await.unwrap().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(!text.contains("t0ken") && !text.contains("r3fresh"), "{text}");
        Ran { code: output.status.code().unwrap_or(-1), text }
    }

    /// Logs in as a person with a browser would, who is sent wherever `travel` goes.
    async fn log_in(&self, arguments: &[&str], travel: impl FnOnce(&str) + Send + 'static) -> Ran {
        let mut child = self.command(arguments).spawn().unwrap();
        let ran = tokio::task::spawn_blocking(move || {
            let mut lines = BufReader::new(child.stderr.take().unwrap());
            let mut text = String::new();
            while !text.lines().last().unwrap_or_default().starts_with("  http") {
                assert!(lines.read_line(&mut text).unwrap() > 0, "{text}");
            }
            travel(text.lines().last().unwrap_or_default().trim());
            lines.read_to_string(&mut text).unwrap();
            child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
            (child.wait().unwrap().code().unwrap_or(-1), text)
        });
        let (code, text) = ran.await.unwrap();
        assert!(!text.contains("t0ken") && !text.contains("r3fresh") && !text.contains("c0de-"));
        Ran { code, text }
    }
}

/// The status of a GET, and where it leads.
fn get(url: &str) -> (u16, Option<String>) {
    let url = url::Url::parse(url).unwrap();
    let port = url.port().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    write!(stream, "GET {target} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
    (answer[9..12].parse().unwrap(), location.map(str::to_owned))
}

/// Consents, and goes where the server sends a browser.
fn consent(url: &str) {
    let back = get(url).1.unwrap();
    // Anyone on this machine may ask the listener: that ends no login.
    let stranger = back.split('?').next().unwrap().to_owned() + "?code=x&state=y";
    assert_eq!(get(&stranger).0, 400);
    assert_eq!(get(&back).0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_with_a_browser_and_out_again() {
    let server = Authority::new(Manners::default()).await;
    let api = Upstream::new([Answer::json(200, "{\"items\":[]}")]).await;
    let house = House::new(&server, &api, "grant = \"authorization_code\"");
    let missing = "nobody has logged in at `shop`: run `tollbridge login shop`";
    assert!(house.run(&["check"]).await.text.contains(missing));
    let refused = house.run(&["call", "list_items"]).await;
    assert_eq!(refused.code, 4, "{}", refused.text);
    assert!(refused.text.contains("must run `tollbridge login shop`"), "{}", refused.text);

    let done = house.log_in(&["login", "shop", "--json"], consent).await;
    assert_eq!(done.code, 0, "{}", done.text);
    assert!(done.text.contains("\"offline_access\""), "{}", done.text);
    let called = house.run(&["call", "list_items"]).await;
    assert_eq!(called.code, 0, "{}", called.text);
    let carried = api.seen()[0].header("authorization").unwrap().to_owned();
    assert_eq!((carried.as_str(), api.count()), ("Bearer t0ken-login-1", 1));
    let checked = house.run(&["check"]).await;
    assert!(!checked.text.contains("TB0325"), "{}", checked.text);

    assert_eq!(server.renewable(), 1);
    let forgotten = house.run(&["login", "shop", "--forget"]).await;
    assert_eq!((forgotten.code, server.renewable()), (0, 0), "{}", forgotten.text);
    assert!(forgotten.text.contains("is forgotten, and ended there"), "{}", forgotten.text);
    assert_eq!(house.run(&["call", "list_items"]).await.code, 4);
    assert_eq!(server.grants(), ["authorization_code"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_identity_logs_in_for_itself_with_a_code_on_another_device() {
    let server = Authority::new(Manners { pending: 2, ..Manners::default() }).await;
    let api = Upstream::new([Answer::json(200, "{\"items\":[]}")]).await;
    let house = House::new(&server, &api, "grant = \"device_code\", by = \"identity\"");
    assert_eq!(house.run(&["login", "shop"]).await.code, 2);
    let done = house.run(&["login", "shop", "--as", "ann"]).await;
    assert_eq!(done.code, 0, "{}", done.text);
    assert!(done.text.contains("WDJB-MJHT"), "{}", done.text);
    assert_eq!(server.asked().len(), 3);
    assert_eq!(house.run(&["call", "list_items", "--as", "ann"]).await.code, 0);
    let other = house.run(&["call", "list_items", "--as", "bob"]).await;
    assert!(other.text.contains("`tollbridge login shop --as bob`"), "{}", other.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_server_sends_is_no_login() {
    let manners = Manners { iss: Some("https://evil.example.com"), ..Manners::default() };
    let server = Authority::new(manners).await;
    let api = Upstream::willing().await;
    let house = House::new(&server, &api, "grant = \"authorization_code\"");
    let done = house.log_in(&["login", "shop"], consent).await;
    assert_eq!(done.code, 1);
    assert!(done.text.contains("another server sends it"), "{}", done.text);
    assert!(server.asked().is_empty());
    let done = house.run(&["login", "shop", "--timeout", "100ms"]).await;
    assert!(done.code == 1 && done.text.contains("nobody consented in time"), "{}", done.text);
}
