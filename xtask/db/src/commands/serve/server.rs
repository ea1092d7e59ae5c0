//! `db-serve` in a program that was built with the page.

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::Args;
use crate::console::refusal::{Answer, Refusal};
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::optional_feature::{self, SERVE};
use crate::schedule::home::Home;
use crate::schedule::program;
use crate::serve::server::{self, Server, Start};

/// The folder of all pages in the user's state folder.
const PAGES: &str = "serve";
/// The program that opens an address in the user's browser.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Output of `--json`.
#[derive(Serialize)]
struct Document {
    version: u32,
    /// The address that lets one browser in.
    url: String,
    port: u16,
    /// The file with the token for scripts.
    token_file: String,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        optional_feature::note(session, &SERVE);
        let project = self.common.project(session)?;
        let state = session.state_folder().context("`HOME` is not set")?;
        let home = Home::among(&project, &state.join(PAGES));
        home.create()?;
        let _lock = home.lock(&format!("process {}", std::process::id()))?.map_err(|holder| {
            Refusal::could_not(
                format!("the page of this project is served already, by {holder}"),
                "open the address that it printed, or end it with Ctrl-C in its terminal",
            )
        })?;
        let server = Server::start(Start {
            project: &project,
            home: &home,
            clock: session.clock(),
            port: self.port,
        })?;
        let url = server.invitation();
        let token_file = server::token_file(&home).display().to_string();
        session.say(&url);
        session.document(&Document {
            version: VERSION,
            url: url.clone(),
            port: server.port(),
            token_file: token_file.clone(),
        });
        session.note("The address lets one browser in. Ctrl-C ends the page.");
        session.note(format!(
            "Scripts send `Authorization: Bearer TOKEN`, with the token in {token_file}"
        ));
        if self.open {
            open(session, &url);
        }
        let interrupt = std::sync::Arc::clone(session.interrupt());
        server.run(&interrupt, |line| session.note(line));
        interrupt.acknowledge();
        Ok(Answer::Yes)
    }
}

/// Opens the browser; if that fails, the address is printed all the same.
fn open(session: &mut Session, url: &str) {
    let opener =
        session.text_variable("BROWSER").map_or(OPENER.to_owned(), std::borrow::Cow::into_owned);
    let outcome = program::command(&[opener.as_str(), url]).and_then(|mut command| {
        let quiet = std::process::Stdio::null;
        Ok(command.stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn()?)
    });
    if let Err(error) = outcome {
        session.warn(format!(
            "`{opener}` could not be started ({error:#}): open the address yourself"
        ));
    }
}
