//! An answer whose body is written while it is sent: the sender waits for the reader, so memory does not grow.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::Frame;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// How many pieces may wait for the reader.
const MAX_PIECES: usize = 4;

/// The pieces of a body as they come.
struct Pieces(Receiver<io::Result<Bytes>>);

/// A body, and where its pieces are put in. An error cuts the connection, so that nobody takes the body for whole.
pub(crate) fn channel() -> (Sender<io::Result<Bytes>>, Body) {
    let (sender, receiver) = mpsc::channel(MAX_PIECES);
    (sender, Body::new(Pieces(receiver)))
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
