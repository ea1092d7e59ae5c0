//! `backend serve`: answers HTTP until it is told to stop.
//!
//! It binds the loopback interface only. On SIGTERM or SIGINT it takes no more
//! requests, finishes those it has, closes its connections and ends with 0.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use clap::ValueEnum;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time;

use crate::connections::Connections;
use crate::location::Location;
use crate::{api, say};

/// How long a stopping server waits for the requests that it has.
const GRACE: Duration = Duration::from_secs(10);

/// Answer the JSON API on the loopback interface
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Listen on this port; 0 takes any free one
    #[arg(long, default_value_t = 3001)]
    port: u16,

    /// Put the database into this journal mode
    #[arg(long, value_enum, default_value_t = JournalMode::Wal)]
    journal_mode: JournalMode,
}

/// How a transaction is kept undoable.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum JournalMode {
    /// A write-ahead log
    Wal,
    /// A rollback journal, deleted after each transaction
    Delete,
}

/// Serves until a signal comes.
pub(crate) fn run(args: &Args, location: &Location) -> Result<()> {
    let journal_mode = match args.journal_mode {
        JournalMode::Wal => "wal",
        JournalMode::Delete => "delete",
    };
    let connections = Connections::open(location, journal_mode)?;
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("could not start the runtime")?;
    runtime.block_on(serve(args.port, api::router(connections.clone())))?;
    // Waits for a statement that is still running, and lets go of its connection.
    drop(runtime);
    connections.close(location)
}

/// Listens, says so, and answers until a signal comes and all is answered.
async fn serve(port: u16, router: Router) -> Result<()> {
    // Before the line is printed, so that who has read it can stop the server.
    let stop = stop_signal().context("could not wait for signals")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .with_context(|| format!("could not listen on `127.0.0.1:{port}`"))?;
    let address = listener.local_addr().context("could not read the address listened on")?;
    say::line(&format!("listening on http://{address}"))?;

    let (stopping, stopped) = oneshot::channel();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        stop.await;
        // The receiver is gone only when the server is too.
        let _ = stopping.send(());
    });
    let overdue = async move {
        let _ = stopped.await;
        time::sleep(GRACE).await;
    };
    tokio::select! {
        result = server.into_future() => result.context("could not continue serving"),
        () = overdue => Ok(()),
    }
}

/// Completes on SIGTERM or SIGINT, from now on.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Completes on Ctrl-C, from now on.
#[cfg(windows)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        let _ = interrupt.recv().await;
    })
}
