//! A serving program that cannot outlive its test.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::http::{self, Answer};
use crate::sandbox::Sandbox;

/// A child that is killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    /// Starts the program on a free port and waits until it listens.
    pub(crate) fn start(sandbox: &Sandbox, options: &[&str]) -> Self {
        let mut child = sandbox
            .command(&["serve", "--port", "0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, stdout, address: String::new() };
        let mut line = String::new();
        server.stdout.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://");
        address
            .unwrap_or_else(|| panic!("not listening: {line:?}"))
            .clone_into(&mut server.address);
        server
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        http::ask(&self.address, "GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        http::ask(&self.address, "POST", path, &body.to_string())
    }

    /// Starts a session and returns its id.
    pub(crate) fn session(&self, title: &str) -> i64 {
        let answer = self.post("/sessions", &serde_json::json!({ "title": title }));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json["id"].as_i64().unwrap()
    }

    /// Sends the signal without waiting for the end.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end: the exit code and what was printed after the first line.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }

    /// Stops it in good order.
    pub(crate) fn stop(self) {
        self.signal(Signal::TERM);
        assert_eq!(self.wait(), (Some(0), String::new()));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if the child has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
