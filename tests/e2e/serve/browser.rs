//! The page in a real browser: what people do with it, by clicking; and that everybody can.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::page_server::PageServer;
use crate::support::sandbox::Sandbox;
use crate::support::strace::complain;

/// Where axe-core may be: in CI, `.ci/serve` installs it.
fn axe() -> Option<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let usual = root.join("target/ci-tools/node_modules/axe-core/axe.min.js");
    let path = std::env::var_os("XTASK_DB_AXE").map_or(usual, PathBuf::from);
    let found = fs_err::read_to_string(path).ok();
    if found.is_none() {
        complain("SKIPPED: axe-core is not installed: `bash .ci/serve` installs it");
    }
    found
}

/// Clicks through the job that was started, until it is done.
fn wait_until_done(browser: &Browser) {
    browser.wait_for("location.pathname.startsWith('/jobs/')");
    browser.wait_for("document.readyState === 'complete' && /done|failed|interrupted/i.test(document.querySelector('.st')?.innerText)");
    let state = browser.text(".st").to_lowercase();
    assert!(state.contains("done"), "{state}: {}", browser.text("main"));
}

#[test]
fn a_backup_is_made_compared_and_restored_by_clicking() {
    let sandbox = Sandbox::new();
    let Some(browser) = Browser::start(&sandbox) else { return };
    let before = sandbox.content();
    let server = PageServer::start(&sandbox);
    browser.emulate(1280, 800, "light");
    browser.open(&server.url);
    browser.wait_for("location.pathname === '/' && document.readyState === 'complete'");
    browser.click_words("Back up now");
    wait_until_done(&browser);
    assert_eq!(sandbox.backups().len(), 1);

    sandbox.sql("DELETE FROM messages");
    let origin = server.url.split_once("/open").expect("an address").0;
    browser.open(&format!("{origin}/"));
    browser.wait_for("!document.querySelector('[data-later]')");
    browser.click_words("See every change");
    browser.wait_for("location.pathname.endsWith('/diff') && document.readyState === 'complete'");
    assert!(browser.text("main").contains("messages"), "{}", browser.text("main"));

    browser.open(&format!("{origin}/"));
    browser.click_words("Restore this");
    browser.wait_for("location.pathname.startsWith('/receipts/')");
    browser.click_words("Restore now");
    wait_until_done(&browser);
    assert_eq!(sandbox.content(), before);
    let kinds: Vec<Value> = sandbox.records("safety");
    assert_eq!(kinds.len(), 1, "the state before is kept");
}

#[test]
fn a_plan_that_is_no_longer_true_is_shown_anew() {
    let sandbox = Sandbox::new();
    let Some(browser) = Browser::start(&sandbox) else { return };
    sandbox.backup();
    sandbox.sql("DELETE FROM messages");
    let server = PageServer::start(&sandbox);
    browser.open(&server.url);
    browser.wait_for("location.pathname === '/' && document.readyState === 'complete'");
    browser.click_words("Restore this");
    browser.wait_for("location.pathname.startsWith('/receipts/')");
    sandbox.sql("INSERT INTO messages (content) VALUES ('written while the plan was read')");
    let written = sandbox.content();
    browser.click_words("Restore now");
    browser.wait_for("document.querySelector('.warning')");
    assert_eq!(sandbox.content(), written, "nothing was restored");
    assert!(browser.text(".warning").contains("Something changed"), "{}", browser.text(".warning"));
}

#[test]
fn every_page_is_accessible_in_both_schemes_and_widths() {
    let sandbox = Sandbox::new();
    let (Some(axe), Some(browser)) = (axe(), Browser::start(&sandbox)) else { return };
    let name = sandbox.backup();
    sandbox.sql("DELETE FROM messages");
    let server = PageServer::start(&sandbox);
    browser.open(&server.url);
    browser.wait_for("location.pathname === '/' && document.readyState === 'complete'");
    let origin = server.url.split_once("/open").expect("an address").0;
    let pages = [
        "/".to_owned(),
        format!("/backups/{name}"),
        format!("/backups/{name}/diff?with=live"),
        "/jobs".to_owned(),
        "/import".to_owned(),
        "/nowhere".to_owned(),
    ];
    let mut found = Vec::new();
    for (width, height) in [(360, 800), (1600, 900)] {
        for scheme in ["light", "dark"] {
            browser.emulate(width, height, scheme);
            for page in &pages {
                browser.open(&format!("{origin}{page}"));
                browser.wait_for("!document.querySelector('[data-later]')");
                browser.run(&axe);
                let tags = "['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']";
                let violations = browser.run_async(&format!(
                    "const done = arguments[arguments.length - 1]; \
                     axe.run({{ runOnly: {tags} }}).then((found) => done(found.violations.map((one) => \
                     [one.id, one.nodes.map((node) => node.html)])), (error) => done(String(error)));"
                ));
                if violations != serde_json::json!([]) {
                    found.push(format!("{page} {width} {scheme}: {violations:#}"));
                }
                let overflow =
                    browser.run("return document.documentElement.scrollWidth - innerWidth");
                assert!(
                    overflow.as_i64().is_some_and(|n| n <= 0),
                    "{page} is wider than {width} px"
                );
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
