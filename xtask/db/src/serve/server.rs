//! The listener: loopback only, with limits on connections, headers and times.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::host::project::Project;
use crate::host::session::Clock;
use crate::schedule::home::Home;
use crate::serve::about::About;
use crate::serve::child::Program;
use crate::serve::differences::Differences;
use crate::serve::downloads::Downloads;
use crate::serve::facts::{Fact, Watched};
use crate::serve::jobs::Jobs;
use crate::serve::keys::Keys;
use crate::serve::parsed::Parsed;
use crate::serve::receipts::Receipts;
use crate::serve::recent::Recent;
use crate::serve::refused::Refused;
use crate::serve::rendered::Rendered;
use crate::serve::router;
use crate::serve::site::Site;
use crate::serve::uploads::Uploads;

/// How many connections are open at once; further ones are closed.
const MAX_CONNECTIONS: usize = 512;
/// How long a client may take for the head of a request, and between two.
const HEAD_PATIENCE: Duration = Duration::from_secs(15);
/// How much of a head is read.
const MAX_HEAD_BYTES: usize = 32 << 10;
/// How many lines a head may have.
const MAX_HEADERS: usize = 64;
/// How long a job may take to end after it was asked to.
const END_PATIENCE: Duration = Duration::from_mins(1);
/// How often the terminal's interrupt is looked at.
const PAUSE: Duration = Duration::from_millis(100);
/// The folder of the jobs.
const JOBS: &str = "jobs";
/// The folder of the uploads.
const UPLOADS: &str = "uploads";
/// The folder in which stored backups are put together.
const DOWNLOADS: &str = "downloads";
/// The file with the token for scripts.
const TOKEN: &str = "token";

/// What a server needs of the outside.
pub(crate) struct Start<'a> {
    /// The project whose page it is.
    pub(crate) project: &'a Project,
    /// Its folder in the state folder.
    pub(crate) home: &'a Home,
    /// The clock.
    pub(crate) clock: Clock,
    /// The port; 0 for any free one.
    pub(crate) port: u16,
}

/// A server that runs.
pub(crate) struct Server {
    site: Arc<Site>,
    lines: Receiver<String>,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Listens, and answers from now on.
    ///
    /// # Errors
    ///
    /// A refusal if the port is taken; a failure if the state folder cannot be written.
    pub(crate) fn start(start: Start<'_>) -> Result<Self> {
        let program =
            Program::of(start.project).context("could not find this program's own file")?;
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_io().enable_time().build()?;
        let listeners = runtime.block_on(listen(start.port))?;
        let port = listeners[0].local_addr()?.port();
        let (terminal, lines) = mpsc::channel();
        let keys = Keys::random()?;
        start.home.write(TOKEN, format!("{}\n", keys.bearer().digits()).as_bytes())?;
        let refused = Refused::new(start.home.clone(), Arc::clone(&start.clock), terminal.clone());
        let folder = start.home.file(JOBS);
        let clock = Arc::clone(&start.clock);
        let jobs = Jobs::open(program.clone(), folder, start.clock, runtime.handle())?;
        let site = Arc::new(Site {
            program,
            port,
            keys,
            refused,
            jobs,
            watched: Watched::of(start.project),
            parsed: Parsed::default(),
            recent: Recent::default(),
            receipts: Receipts::default(),
            uploads: Uploads::open(start.home.file(UPLOADS))?,
            downloads: Downloads::open_scratch(
                start.project.backups.clone(),
                start.home.file(DOWNLOADS),
            )?,
            clock,
            about: About::of(start.project),
            differences: Differences::none(),
            list: Fact::of(&["db-list"]),
            status: Fact::of(&["db-status"]),
            status_answer: Rendered::default(),
            terminal,
        });
        // The first page should not have to wait.
        let warm = Arc::clone(&site);
        runtime.spawn(async move {
            let _ = (warm.status().await, warm.list().await);
        });
        let router = router::routes(Arc::clone(&site));
        let n_free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        for listener in listeners {
            let door = Door {
                router: router.clone(),
                site: Arc::clone(&site),
                n_free: Arc::clone(&n_free),
            };
            runtime.spawn(accept(listener, door));
        }
        Ok(Self { site, lines, runtime })
    }

    /// The address that lets one browser in.
    #[must_use]
    pub(crate) fn invitation(&self) -> String {
        self.site.invitation()
    }

    /// The port.
    #[must_use]
    pub(crate) fn port(&self) -> u16 {
        self.site.port
    }

    /// Passes lines for the terminal on until the user interrupts; then ends in good order.
    pub(crate) fn run(self, interrupt: &Interrupt, mut print: impl FnMut(&str)) {
        while interrupt.check().is_ok() {
            match self.lines.recv_timeout(PAUSE) {
                Ok(line) => print(&line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.site.jobs.close();
        let asked = Instant::now();
        if !self.site.jobs.is_idle() {
            print("Waiting for the running job to end");
        }
        while !self.site.jobs.is_idle() && asked.elapsed() < END_PATIENCE {
            std::thread::sleep(PAUSE);
        }
        self.runtime.shutdown_timeout(PAUSE);
    }
}

/// The file with the token for scripts.
#[must_use]
pub(crate) fn token_file(home: &Home) -> PathBuf {
    home.file(TOKEN)
}

/// Listens on both loopback addresses: `localhost` may lead to either. The second one is left out where it is not there.
async fn listen(port: u16) -> Result<Vec<TcpListener>> {
    let first = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await;
    let first = first.map_err(|error| {
        Refusal::could_not(
            format!("port {port} cannot be used: {error}"),
            "choose another one with `--port`, or any free one with `--port 0`",
        )
    })?;
    let port = first.local_addr()?.port();
    let second = TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await;
    Ok(std::iter::once(first).chain(second).collect())
}

/// What a connection needs.
#[derive(Clone)]
struct Door {
    router: Router,
    site: Arc<Site>,
    n_free: Arc<Semaphore>,
}

async fn accept(listener: TcpListener, door: Door) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptor is free: others are closed in a moment.
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&door.n_free).try_acquire_owned() else {
            door.site.refused.note_connection("too many are open");
            continue;
        };
        let door = door.clone();
        tokio::spawn(async move {
            answer(stream, door).await;
            drop(place);
        });
    }
}

async fn answer(stream: TcpStream, door: Door) {
    let _ = stream.set_nodelay(true);
    let mut connection = http1::Builder::new();
    connection
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    let service = TowerToHyperService::new(door.router);
    let ended = connection.serve_connection(TokioIo::new(stream), service).await;
    // A client that goes away, or is silent, ends its connection.
    if ended.is_err_and(|error| error.is_parse()) {
        door.site.refused.note_connection("what came was not HTTP/1.1, or too long");
    }
}
