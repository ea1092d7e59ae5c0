//! Writes a bundle in one pass: tar, compressed, encrypted, hashed.

use std::io::{self, Read, Write};

use anyhow::{Context, Result};
use tar::{Builder, EntryType, Header};
use zstd::stream::write::Encoder;

use crate::bundle::gather::Gathered;
use crate::bundle::hashed::Hashed;
use crate::bundle::manifest::{Content, Entry, FILE, Manifest};
use crate::bundle::seal::{Closing, Seal};
use crate::bundle::trailer::Summed;
use crate::console::progress::Progress;

/// zstd's usual level: dumps and backups are what a bundle mostly is.
const LEVEL: i32 = 3;

/// A file is not what it was when it was hashed.
#[derive(Debug)]
pub(crate) struct Changed(pub(crate) String);

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` changed while it was read", self.0)
    }
}

impl std::error::Error for Changed {}

type Archive<W> = Builder<Encoder<'static, Summed<Closing<W>>>>;

/// What a bundle is written from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// What it contains.
    pub(crate) manifest: &'a Manifest,
    /// Where the bytes of its items are, in the order of the manifest.
    pub(crate) gathered: &'a [Gathered],
    /// How it is encrypted.
    pub(crate) seal: &'a Seal,
}

/// Writes a bundle.
///
/// # Errors
///
/// [`Changed`]; if something cannot be read or written; or at the user's interrupt.
pub(crate) fn write<W: Write>(source: Source<'_>, to: W, progress: &mut Progress) -> Result<W> {
    let Source { manifest, gathered, seal } = source;
    let bytes = manifest.to_bytes()?;
    let summed = Summed::new(seal.close(to)?);
    let mut encoder = Encoder::new(summed, LEVEL).context("could not begin to compress")?;
    // For those who extract it with `zstd -d`.
    encoder.include_checksum(true).context("could not begin to compress")?;
    let mut archive = Builder::new(encoder);
    let mut header = header(EntryType::Regular, 0o600, 0);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, FILE, &bytes[..])?;
    let mut n_bytes = 0;
    for one in gathered {
        for entry in &one.item.entries {
            append(&mut archive, one, entry, progress)?;
            n_bytes += entry.size_bytes();
            progress.reach(n_bytes);
        }
    }
    let encoder = archive.into_inner().context("could not end the archive")?;
    let (mut closing, trailer) = encoder.finish().context("could not end the compression")?.end();
    closing.write_all(&trailer)?;
    closing.finish().context("could not end the encryption")
}

fn header(kind: EntryType, mode: u32, modified: i64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(u64::try_from(modified).unwrap_or(0));
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header
}

fn append<W: Write>(
    archive: &mut Archive<W>,
    from: &Gathered,
    entry: &Entry,
    progress: &Progress,
) -> Result<()> {
    let member = from.item.member(entry);
    match &entry.content {
        Content::Folder => {
            let mut header = header(EntryType::Directory, entry.mode, entry.modified);
            archive.append_data(&mut header, format!("{member}/"), io::empty())?;
        }
        Content::Link { target } => {
            let mut header = header(EntryType::Symlink, entry.mode, entry.modified);
            // Byte for byte: `append_link` would write `a//b` as `a/b`.
            if header.set_link_name_literal(target).is_err() {
                append_long_target(archive, target)?;
            }
            archive.append_data(&mut header, member, io::empty())?;
        }
        Content::File { size_bytes, blake3 } => {
            let path = from.path(entry);
            let mut header = header(EntryType::Regular, entry.mode, entry.modified);
            header.set_size(*size_bytes);
            let file = fs_err::File::open(&path)?;
            let mut hashed = Hashed::new(file.take(*size_bytes), progress.interrupt());
            archive.append_data(&mut header, member, &mut hashed)?;
            if hashed.end() != (*size_bytes, blake3.clone()) {
                return Err(Changed(path.display().to_string()).into());
            }
        }
    }
    Ok(())
}

/// GNU's extension for the target of a link that does not fit into a header.
fn append_long_target<W: Write>(archive: &mut Archive<W>, target: &str) -> Result<()> {
    let mut header = header(EntryType::GNULongLink, 0o644, 0);
    header.set_path("././@LongLink")?;
    header.set_size(target.len() as u64 + 1);
    header.set_cksum();
    archive.append(&header, target.as_bytes().chain(&[0][..]))?;
    Ok(())
}
