//! A running `db-serve` and a client that sends whatever bytes it is given: every byte of a hostile request counts.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::sandbox::{Running, Said, Sandbox};

/// How long an answer or an end is waited for before a test fails.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server that ends with its value.
pub(crate) struct PageServer {
    running: Running,
    /// The first line of its stdout: the address that lets one browser in.
    pub(crate) url: String,
    /// Its port.
    pub(crate) port: u16,
    /// The token for scripts.
    pub(crate) token: String,
    /// Its folder in the state folder.
    pub(crate) folder: PathBuf,
    printed: Arc<Mutex<String>>,
}

/// An answer, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Its status; 0 if the connection was closed without one.
    pub(crate) status: u16,
    /// Its status line and headers.
    pub(crate) head: String,
    /// Its body, in chunks if it was sent in chunks.
    pub(crate) body: String,
}

impl Answer {
    fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Its body, which is JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// The folder of the only page in a sandbox.
fn state_folder(sandbox: &Sandbox) -> PathBuf {
    let pages = sandbox.path("../home/.local/state/xtask-db/serve");
    let mut folders = fs_err::read_dir(pages).expect("a folder of pages");
    folders.next().expect("a page").expect("an entry").path()
}

impl PageServer {
    /// Starts one on any free port.
    pub(crate) fn start(sandbox: &Sandbox) -> Self {
        let mut command = sandbox.xtask(&["db-serve", "--port", "0"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut running = Running(child.expect("the binary runs"));
        let mut url = String::new();
        let stdout = running.0.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut url).expect("read");
        let printed = Arc::new(Mutex::new(String::new()));
        let (mut stderr, kept) = (running.0.stderr.take().expect("a pipe"), Arc::clone(&printed));
        // It is read all the time: a full pipe would stop the server.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n_bytes @ 1..) = stderr.read(&mut buffer) {
                kept.lock().expect("a lock").push_str(&String::from_utf8_lossy(&buffer[..n_bytes]));
            }
        });
        let url = url.trim_end().to_owned();
        let port = url.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.split_once('/'));
        let port = port.unwrap_or_else(|| panic!("no address: {url:?} {printed:?}")).0;
        let folder = state_folder(sandbox);
        let token = fs_err::read_to_string(folder.join("token")).expect("a token");
        Self {
            running,
            port: port.parse().expect("a port"),
            url,
            token: token.trim_end().to_owned(),
            folder,
            printed,
        }
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream
    }

    /// Sends bytes over a connection of their own, and reads until the server closes it.
    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut stream = self.connect();
        // A server that refuses early does not read the rest.
        let _ = stream.write_all(bytes.as_ref());
        rest_of(&mut stream)
    }

    /// A request with its first line up to the version, its headers but `Host`, and its body.
    pub(crate) fn ask(&self, line: &str, headers: &[&str], body: &str) -> Answer {
        self.send(self.request(line, headers, body))
    }

    /// The bytes of such a request.
    pub(crate) fn request(&self, line: &str, headers: &[&str], body: &str) -> String {
        let host = format!("Host: 127.0.0.1:{}", self.port);
        let mut lines = vec![format!("{line} HTTP/1.1"), host, "Connection: close".to_owned()];
        lines.extend(headers.iter().map(ToString::to_string));
        if !body.is_empty() {
            lines.push(format!("Content-Length: {}", body.len()));
        }
        format!("{}\r\n\r\n{body}", lines.join("\r\n"))
    }

    /// The header that lets a script in.
    pub(crate) fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }

    /// What a script gets.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[&self.bearer()], "")
    }

    /// What a script posts.
    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        let headers = [&*self.bearer(), "Content-Type: application/json"];
        self.ask(&format!("POST {path}"), &headers, body)
    }

    /// Lets a browser in: its `Cookie` header.
    pub(crate) fn browser(&self) -> String {
        let path = self.url.split_once("/open").expect("an address").1;
        let answer = self.ask(&format!("GET /open{path}"), &[], "");
        let cookie = answer.header("set-cookie").unwrap_or_else(|| panic!("{answer:#?}"));
        format!("Cookie: {}", cookie.split(';').next().expect("a cookie"))
    }

    /// Its log of what was refused.
    pub(crate) fn log(&self) -> String {
        fs_err::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Waits until so many lines are in its log: what was not even a request is written down after its answer.
    pub(crate) fn wait_for_log(&self, n_lines: usize) {
        let began = Instant::now();
        while self.log().lines().count() < n_lines {
            assert!(began.elapsed() < PATIENCE, "not {n_lines} lines: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// What it printed on stderr so far.
    pub(crate) fn printed(&self) -> String {
        self.printed.lock().expect("a lock").clone()
    }

    /// The most memory that it had so far, without the program's own file; `None` if the system does not show it.
    pub(crate) fn peak_bytes(&self) -> Option<u64> {
        let text = fs_err::read_to_string(format!("/proc/{}/status", self.running.0.id())).ok()?;
        let kilobytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        };
        // The file is mapped: its pages are shared, and a test build is four times as large as another.
        Some(kilobytes("VmHWM:")?.saturating_sub(kilobytes("RssFile:")?) << 10)
    }

    /// The processes that it started and that still run.
    pub(crate) fn children(&self) -> Vec<Pid> {
        let tasks = format!("/proc/{}/task", self.running.0.id());
        let tasks = fs_err::read_dir(tasks).into_iter().flatten().flatten();
        let texts =
            tasks.filter_map(|task| fs_err::read_to_string(task.path().join("children")).ok());
        let all: String = texts.collect();
        all.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.running.0), signal).expect("sent");
    }

    /// Ends it as Ctrl-C does: its exit code, and what it printed on stderr.
    pub(crate) fn stop(self) -> Said {
        self.signal(Signal::INT);
        self.end()
    }

    /// Waits until it has ended.
    pub(crate) fn end(mut self) -> Said {
        let code = self.running.0.wait().expect("it ends").code();
        Said { code, out: self.url.clone(), err: self.printed() }
    }

    /// Adds a job by a script: its address.
    pub(crate) fn job(&self, path: &str, body: &str) -> String {
        let answer = self.post(path, body);
        assert_eq!(answer.status, 202, "{answer:#?}");
        answer.header("location").expect("an address").to_owned()
    }

    /// Waits until a job is in a state.
    pub(crate) fn wait_for(&self, job: &str, state: &str) -> Value {
        let began = Instant::now();
        loop {
            let now = self.get(job).json();
            if now["state"] == state {
                return now;
            }
            assert!(began.elapsed() < PATIENCE, "not {state}: {now:#}");
            assert!(now["ended_at"].is_null(), "it is over: {now:#}");
            std::thread::yield_now();
        }
    }
}

impl Drop for PageServer {
    fn drop(&mut self) {
        // If it has ended, there is nothing to end.
        if self.running.0.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = kill_process(Pid::from_child(&self.running.0), Signal::INT);
            let _ = self.running.0.wait();
        }
    }
}

/// Reads until the server closes the connection.
pub(crate) fn rest_of(stream: &mut TcpStream) -> Answer {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n_bytes) => bytes.extend_from_slice(&buffer[..n_bytes]),
            // It did not read all that was sent.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&bytes)),
        }
    }
    Answer::of(&bytes)
}

/// Reads until a text has come, and no further.
pub(crate) fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(text.as_bytes()) {
        let n_bytes = stream.read(&mut byte).expect("read");
        assert!(n_bytes == 1, "{text} did not come: {}", String::from_utf8_lossy(&read));
        read.push(byte[0]);
    }
    String::from_utf8(read).expect("text")
}

/// The lock of the backups folder, held by another process in the eyes of the commands.
pub(crate) fn hold_backups(sandbox: &Sandbox) -> std::fs::File {
    let path: &Path = &sandbox.path("backups/.lock");
    let mut options = fs_err::OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(path);
    let (file, _) = file.expect("a lock").into_parts();
    file.lock().expect("locked");
    file
}
