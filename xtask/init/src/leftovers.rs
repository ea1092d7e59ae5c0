//! What to remove by hand if there is no record: the lines that look like those of `init`.
//!
//! Nothing is removed here: without the record nobody knows who wrote a line.

use std::ops::Range;
use std::path::Path;

use anyhow::Result;

use crate::files;
use crate::host::{Host, Package};
use crate::ignored;
use crate::tasks;
use crate::toml_text;

const MANIFEST: &str = "Cargo.toml";
const CONFIG: &str = ".cargo/config.toml";

/// The lines, each as `file:line: text`; several as `file:first-last: text of the first`.
///
/// # Errors
///
/// If cargo cannot read the project, or a file is not text.
pub(crate) fn find(folder: &Path) -> Result<Vec<String>> {
    let host = Host::around(folder)?;
    let mut found = Found { root: &host.root, lines: Vec::new() };
    let is_alias = |line: &str| line.starts_with("xtask =") && line.contains("term.progress.when=");
    let is_flag = |line: &str| line.starts_with("LIBSQLITE3_FLAGS") && line.contains("_DBPAGE_");
    found.lines_of(CONFIG, |line| is_alias(line) || is_flag(line))?;
    for path in found.databases()? {
        let entries = ignored::lines(&path);
        found
            .lines_of(".gitignore", |line| entries.iter().any(|entry| entry.trim_end() == line))?;
    }
    found.tables(MANIFEST)?;
    let apart = host.root.join("xtask");
    let apart = Host::around(&apart).ok().filter(|own| own.root == apart);
    let packages: Vec<&Package> =
        host.packages.iter().chain(apart.iter().flat_map(|own| &own.packages)).collect();
    for package in &packages {
        found.package(&host, package)?;
    }
    Ok(found.lines)
}

struct Found<'a> {
    root: &'a Path,
    lines: Vec<String>,
}

impl Found<'_> {
    fn text(&self, path: &str) -> Result<String> {
        Ok(files::read(&self.root.join(path), path)?.unwrap_or_default())
    }

    fn lines_of(&mut self, path: &str, is_meant: impl Fn(&str) -> bool) -> Result<()> {
        let text = self.text(path)?;
        let meant = text.lines().enumerate().filter(|(_, line)| is_meant(line.trim()));
        self.lines.extend(meant.map(|(at, line)| format!("{path}:{}: {}", at + 1, line.trim())));
        Ok(())
    }

    /// The databases that the manifest names.
    fn databases(&self) -> Result<Vec<String>> {
        let document = toml_text::parse(MANIFEST, &self.text(MANIFEST)?)?;
        let databases = toml_text::item(&document, &["workspace", "metadata", "db", "databases"]);
        let databases = databases.and_then(|item| item.as_table_like());
        let path = |item: &toml_edit::Item| Some(item.get("path")?.as_str()?.to_owned());
        Ok(databases
            .into_iter()
            .flat_map(|table| table.iter())
            .filter_map(|(_, item)| path(item))
            .collect())
    }

    /// The tables of the manifest that only xtask-db reads, or that make it fast.
    fn tables(&mut self, path: &str) -> Result<()> {
        let text = self.text(path)?;
        let lines: Vec<&str> = text.lines().collect();
        let is_table = |at: &usize| {
            lines[*at].starts_with("[workspace.metadata.db") || tasks::is_profile(lines[*at])
        };
        for at in (0..lines.len()).filter(is_table) {
            let Range { start, end } = table(&lines, at);
            let place = match end - start {
                1 => format!("{}", start + 1),
                _ => format!("{}-{end}", start + 1),
            };
            self.lines.push(format!("{path}:{place}: {}", lines[at]));
        }
        Ok(())
    }

    /// The whole package if `init` wrote it, else its dependency and its call.
    fn package(&mut self, host: &Host, package: &Package) -> Result<()> {
        let folder = host.relative(package.folder());
        let at = |path: &str| {
            if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
        };
        if self.text(&at("src/main.rs"))? == tasks::MAIN {
            let is_member = |line: &str| line.trim_matches([' ', ',', '"']) == folder;
            let named = format!("\"{folder}\"");
            let is_list = |line: &str| {
                let is_list = line.starts_with("members") || line.starts_with("exclude");
                is_list && line.contains(&named)
            };
            self.lines_of(MANIFEST, |line| is_member(line) || is_list(line))?;
            self.lines.push(format!("{folder}/: the package `{}`", package.name));
            return Ok(());
        }
        self.lines_of(&at(MANIFEST), |line| line.starts_with("xtask-db ="))?;
        if !folder.is_empty() {
            self.tables(&at(MANIFEST))?;
        }
        for binary in package.binaries() {
            self.lines_of(&host.relative(binary), |line| line.contains("xtask_db::"))?;
        }
        Ok(())
    }
}

/// The lines of the table whose header is at a line, with the comment above it and without the empty
/// lines and the comment of the next one.
fn table(lines: &[&str], header: usize) -> Range<usize> {
    let is_comment = |line: &&str| line.starts_with('#');
    let n_above = lines[..header].iter().rev().take_while(|line| is_comment(line)).count();
    let body = &lines[header + 1..];
    let n_below = body.iter().position(|line| line.starts_with('[')).unwrap_or(body.len());
    let is_loose = |line: &&&str| line.trim().is_empty() || is_comment(line);
    let n_loose = body[..n_below].iter().rev().take_while(is_loose).count();
    header - n_above..header + 1 + n_below - n_loose
}
