//! The messages between a command and its supervisor, over one socket that is the supervisor's
//! stdin. Nothing of them is in an argument that others could read.
//!
//! The end of the socket means that the other side is gone: both ends are closed on `exec`, so no
//! other process holds one.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result};

/// Larger than any message: arguments and variables together are bounded by the system.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// The command to run. All paths and values are bytes, because they need not be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    /// Program and arguments.
    pub(super) words: Vec<OsString>,
    /// Where.
    pub(super) folder: OsString,
    /// Variables of the environment to set, or to remove.
    pub(super) variables: Vec<(OsString, Option<OsString>)>,
}

/// The order of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// End everything: ask first, kill after a while.
    End,
    /// Kill everything.
    Kill,
    /// Leave the processes that the host's command left running.
    Leave,
}

/// A report of the supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Report {
    /// It waits for an order.
    Ready,
    /// The program runs.
    Started,
    /// There is no such program, as the system says it.
    Missing(String),
    /// The program cannot be started, and why.
    Failed(String),
    /// The program has ended; what it started may still run.
    Ended,
    /// Somebody interrupted the supervisor.
    Interrupted,
    /// It is over: the program's wait status, and how many processes could not be ended.
    Over {
        /// Status in the form of `wait`.
        status: i32,
        /// How many still run.
        left: usize,
    },
}

/// A message that was received over the socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came<T> {
    /// A message.
    Message(T),
    /// Nothing yet.
    Nothing,
    /// The other side is gone.
    End,
}

/// A message that is one line of fields.
pub(super) trait Message: Sized {
    /// Its fields.
    fn fields(&self) -> Vec<OsString>;
    /// The message with these fields; `None` if they do not make one.
    fn of(fields: &[OsString]) -> Option<Self>;
}

/// One end of the socket.
#[derive(Debug)]
pub(super) struct Wire {
    socket: UnixStream,
    received: Vec<u8>,
}

impl Wire {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self { socket, received: Vec::new() }
    }

    /// The descriptor that can be read once something came.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether something came that was not taken yet.
    pub(super) fn has_more(&self) -> bool {
        !self.received.is_empty()
    }

    /// Sends a message: each field ends with a NUL, the message with another one after an SOH.
    ///
    /// # Errors
    ///
    /// If the other side is gone.
    pub(super) fn send(&mut self, message: &impl Message) -> io::Result<()> {
        let mut bytes = Vec::new();
        for field in message.fields() {
            bytes.push(b'+');
            bytes.extend_from_slice(field.as_bytes());
            bytes.push(0);
        }
        bytes.push(0);
        self.socket.write_all(&bytes)
    }

    /// Waits so long for a message.
    ///
    /// # Errors
    ///
    /// If the socket fails, or what came is not a message.
    pub(super) fn receive<T: Message>(&mut self, within: Duration) -> Result<Came<T>> {
        if let Some(message) = self.taken()? {
            return Ok(Came::Message(message));
        }
        self.socket.set_read_timeout(Some(within))?;
        let mut piece = [0; 4096];
        match self.socket.read(&mut piece) {
            Ok(0) => return Ok(Came::End),
            Ok(n_bytes) => self.received.extend_from_slice(&piece[..n_bytes]),
            Err(error) if is_nothing(&error) => return Ok(Came::Nothing),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(Came::End),
            Err(error) => return Err(error.into()),
        }
        anyhow::ensure!(self.received.len() <= MAX_MESSAGE_BYTES, "a message is incomplete");
        Ok(self.taken()?.map_or(Came::Nothing, Came::Message))
    }

    /// The first complete message that was received; its fields begin with `+`, so an empty one is
    /// not a message.
    fn taken<T: Message>(&mut self) -> Result<Option<T>> {
        let mut fields = Vec::new();
        let mut at = 0;
        loop {
            let Some(length) = self.received[at..].iter().position(|byte| *byte == 0) else {
                return Ok(None);
            };
            let field = &self.received[at..at + length];
            at += length + 1;
            match field.split_first() {
                None => break,
                Some((_, field)) => fields.push(OsStr::from_bytes(field).to_owned()),
            }
        }
        self.received.drain(..at);
        Ok(Some(T::of(&fields).context("what came is not a message")?))
    }
}

fn is_nothing(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

impl Message for Order {
    fn fields(&self) -> Vec<OsString> {
        let mut fields = vec!["order".into(), self.folder.clone()];
        fields.push(self.words.len().to_string().into());
        fields.extend(self.words.iter().cloned());
        for (name, value) in &self.variables {
            fields.push(name.clone());
            let is_set = if value.is_some() { "set" } else { "remove" };
            fields.push(is_set.into());
            fields.push(value.clone().unwrap_or_default());
        }
        fields
    }

    fn of(fields: &[OsString]) -> Option<Self> {
        let [kind, folder, n_words, rest @ ..] = fields else { return None };
        let n_words = n_words.to_str()?.parse().ok()?;
        let (words, variables) = rest.split_at_checked(n_words)?;
        let variables = variables.chunks(3).map(|chunk| {
            let [name, is_set, value] = chunk else { return None };
            Some((name.clone(), (is_set == "set").then(|| value.clone())))
        });
        Some(Self {
            words: words.to_vec(),
            folder: folder.clone(),
            variables: variables.collect::<Option<_>>()?,
        })
        .filter(|_| kind == "order")
    }
}

impl Message for Wish {
    fn fields(&self) -> Vec<OsString> {
        let word = match self {
            Self::End => "end",
            Self::Kill => "kill",
            Self::Leave => "leave",
        };
        vec![word.into()]
    }

    fn of(fields: &[OsString]) -> Option<Self> {
        match fields.first()?.to_str()? {
            "end" => Some(Self::End),
            "kill" => Some(Self::Kill),
            "leave" => Some(Self::Leave),
            _ => None,
        }
    }
}

impl Message for Report {
    fn fields(&self) -> Vec<OsString> {
        match self {
            Self::Ready => vec!["ready".into()],
            Self::Started => vec!["started".into()],
            Self::Missing(why) => vec!["missing".into(), why.into()],
            Self::Failed(why) => vec!["failed".into(), why.into()],
            Self::Ended => vec!["ended".into()],
            Self::Interrupted => vec!["interrupted".into()],
            Self::Over { status, left } => {
                vec!["over".into(), status.to_string().into(), left.to_string().into()]
            }
        }
    }

    fn of(fields: &[OsString]) -> Option<Self> {
        let text = |at: usize| fields.get(at)?.to_str();
        let why = || Some(fields.get(1)?.to_string_lossy().into_owned());
        match text(0)? {
            "ready" => Some(Self::Ready),
            "started" => Some(Self::Started),
            "missing" => Some(Self::Missing(why()?)),
            "failed" => Some(Self::Failed(why()?)),
            "ended" => Some(Self::Ended),
            "interrupted" => Some(Self::Interrupted),
            "over" => {
                let (status, left) = (text(1)?.parse().ok()?, text(2)?.parse().ok()?);
                Some(Self::Over { status, left })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    fn came<T: Message>(wire: &mut Wire) -> T {
        loop {
            match wire.receive(SOON).expect("a message") {
                Came::Message(message) => return message,
                Came::Nothing => {}
                Came::End => panic!("the other side is gone"),
            }
        }
    }

    #[test]
    fn an_order_arrives_as_it_was_given_whatever_its_bytes() {
        let (one, other) = UnixStream::pair().expect("a pair");
        let (mut one, mut other) = (Wire::new(one), Wire::new(other));
        let odd = OsString::from_vec(b"a\xff b\n".to_vec());
        let order = Order {
            words: vec!["sh".into(), "".into(), odd.clone()],
            folder: odd.clone(),
            variables: vec![
                ("A".into(), Some(odd)),
                ("B".into(), Some("".into())),
                ("C".into(), None),
            ],
        };
        one.send(&order).expect("sent");
        one.send(&Wish::Kill).expect("sent");
        assert_eq!(came::<Order>(&mut other), order);
        assert_eq!(came::<Wish>(&mut other), Wish::Kill);
        other.send(&Report::Failed("no such file".to_owned())).expect("sent");
        other.send(&Report::Missing("no program".to_owned())).expect("sent");
        other.send(&Report::Over { status: 256, left: 0 }).expect("sent");
        assert_eq!(came::<Report>(&mut one), Report::Failed("no such file".to_owned()));
        assert_eq!(came::<Report>(&mut one), Report::Missing("no program".to_owned()));
        assert_eq!(came::<Report>(&mut one), Report::Over { status: 256, left: 0 });
        drop(other);
        assert_eq!(one.receive::<Report>(SOON).expect("an end"), Came::End);
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let (one, other) = UnixStream::pair().expect("a pair");
        let (mut one, mut other) = (Wire::new(one), Wire::new(other));
        one.send(&Report::Ready).expect("sent");
        assert!(other.receive::<Wish>(SOON).is_err());
    }
}
