//! A real browser without a window: Chromium, driven by `chromedriver` over `WebDriver` (<https://www.w3.org/TR/webdriver2/>).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{ChildStdout, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::sandbox::{Running, Sandbox};
use crate::support::strace::complain;

/// How long something on a page is waited for before a test fails.
const PATIENCE: Duration = Duration::from_mins(2);
/// The key under which `WebDriver` has the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one tab; both end with the value.
pub(crate) struct Browser {
    _driver: Running,
    /// Open as long as it may print.
    _out: BufReader<ChildStdout>,
    port: u16,
    session: String,
}

impl Browser {
    /// Starts one; `None` if it is not installed, which is printed.
    pub(crate) fn start(sandbox: &Sandbox) -> Option<Self> {
        let mut command = sandbox.command("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            complain("SKIPPED: `chromedriver` and `chromium` are not installed");
            return None;
        };
        let mut driver = Running(child);
        let mut out = BufReader::new(driver.0.stdout.take().expect("a pipe"));
        let port = out.by_ref().lines().map_while(Result::ok).find_map(|line| {
            line.split_once("successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("the port of chromedriver");
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
        }}});
        let began = call(port, "POST", "/session", &wanted);
        let session = began["sessionId"].as_str().unwrap_or_else(|| panic!("{began}")).to_owned();
        Some(Self { _driver: driver, _out: out, port, session })
    }

    /// Opens an address, and waits for the page.
    pub(crate) fn open(&self, url: &str) {
        self.call("POST", "/url", &json!({ "url": url }));
    }

    /// Makes the page this wide and high, in CSS pixels, with the scheme `light` or `dark`.
    pub(crate) fn emulate(&self, width: u32, height: u32, scheme: &str) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.call("POST", "/goog/cdp/execute", &body);
    }

    /// The value of a script: the body of a function.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.call("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The value that an asynchronous script passes to its last argument.
    pub(crate) fn run_async(&self, script: &str) -> Value {
        self.call("POST", "/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Waits until a condition of the page holds.
    pub(crate) fn wait_for(&self, condition: &str) {
        let began = Instant::now();
        while self.run(&format!("return Boolean({condition})")) != true {
            let page = "return location.href + '\\n' + document.body.innerText";
            assert!(began.elapsed() < PATIENCE, "never `{condition}`: {}", self.run(page));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Clicks the button or link that begins with these words, as with a mouse: it must be seen, and nothing may be over it.
    pub(crate) fn click_words(&self, words: &str) {
        let path =
            format!("//*[self::button or self::a][starts-with(normalize-space(), '{words}')]");
        let element = self.element("xpath", &path);
        self.call("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// The words that the first element shows.
    pub(crate) fn text(&self, selector: &str) -> String {
        let element = self.element("css selector", selector);
        let text = self.call("GET", &format!("/element/{element}/text"), &Value::Null);
        text.as_str().expect("a text").to_owned()
    }

    fn element(&self, using: &str, value: &str) -> String {
        let began = Instant::now();
        loop {
            let found = self.call("POST", "/element", &json!({ "using": using, "value": value }));
            if let Some(id) = found[ELEMENT].as_str() {
                return id.to_owned();
            }
            let page = "return location.href + '\\n' + document.body.innerText";
            assert!(began.elapsed() < PATIENCE, "no `{value}`: {found} {}", self.run(page));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        call(self.port, method, &format!("/session/{}{path}", self.session), body)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its session, and chromedriver with this value.
        call(self.port, "DELETE", &format!("/session/{}", self.session), &Value::Null);
    }
}

/// One command of `WebDriver`: its value, or its error.
fn call(port: u16, method: &str, path: &str, body: &Value) -> Value {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("chromedriver");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body.as_bytes()))
        .expect("sent");
    let mut answer = Vec::new();
    // chromedriver keeps the connection open, and announces the length.
    let mut piece = vec![0; 1 << 16];
    loop {
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.expect("a length") {
                let answer: Value = serde_json::from_str(body).expect("JSON");
                return answer["value"].clone();
            }
        }
        let n_bytes = stream.read(&mut piece).expect("read");
        assert!(n_bytes > 0, "chromedriver closed the connection: {text}");
        answer.extend_from_slice(&piece[..n_bytes]);
    }
}
