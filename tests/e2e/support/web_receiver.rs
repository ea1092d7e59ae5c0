//! A receiver of web calls on loopback: it keeps what was sent, and answers as it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

/// What was sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The method and the path, e.g. `POST /ping/start`.
    pub(crate) line: String,
    /// The body.
    pub(crate) body: String,
}

/// A receiver; it ends with its value.
pub(crate) struct WebReceiver {
    port: u16,
    status: Arc<AtomicU16>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl WebReceiver {
    /// Starts one that answers 200.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (status, sent) = (Arc::new(AtomicU16::new(200)), Arc::default());
        let of_thread = (Arc::clone(&status), Arc::clone(&sent));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if of_thread.0.load(Ordering::SeqCst) == 0 {
                    return;
                }
                receive(&stream, of_thread.0.load(Ordering::SeqCst), &of_thread.1);
            }
        });
        Self { port, status, sent }
    }

    /// An address of it.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// From now on, answers so.
    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// What was sent since the last question.
    pub(crate) fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut self.sent.lock().expect("a lock"))
    }

    /// The lines of it.
    pub(crate) fn take_lines(&self) -> Vec<String> {
        self.take().into_iter().map(|sent| sent.line).collect()
    }
}

impl Drop for WebReceiver {
    fn drop(&mut self) {
        self.answer(0);
        // It wakes up to see that it is to end.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn receive(mut stream: &TcpStream, status: u16, sent: &Mutex<Vec<Sent>>) {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first).is_err() {
        return;
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let line = first.trim().trim_end_matches(" HTTP/1.1").to_owned();
    let body = String::from_utf8_lossy(&body).into_owned();
    sent.lock().expect("a lock").push(Sent { line, body });
    let _ = write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}
