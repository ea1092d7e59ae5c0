//! Reads a bundle, and trusts nothing in it: each member must be the one that the manifest announces next.
//!
//! The archive is walked header by header. Extensions of tar that we do not write (PAX, sparse files, hard links, devices)
//! are refused, whatever they say. How much may be unpacked is bounded by the manifest.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use tar::{Archive, Entries, EntryType};
use zstd::stream::read::Decoder;

use crate::bundle::hashed::Hashed;
use crate::bundle::manifest::{Content, Entry, FILE, Item, MAX_BYTES, Manifest};
use crate::bundle::seal::Keys;
use crate::bundle::trailer::Summed;
use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::sqlite::examination::finding::Damage;

/// The largest window that is accepted, as a power of two: 16 MiB.
const MAX_WINDOW_LOG: u32 = 24;
/// What headers, names and padding may take beside the files, for each entry.
const MAX_BESIDE_BYTES: u64 = 16 << 10;
/// How much is read at once.
const PART_BYTES: usize = 256 << 10;

/// What gets the entries of a bundle.
pub(crate) trait Receive {
    /// Gets the manifest, before anything else.
    ///
    /// # Errors
    ///
    /// If it is not wanted.
    fn begin(&mut self, manifest: &Manifest) -> Result<()>;

    /// Gets an entry; what it leaves of the bytes is read all the same. They are proved only when this has returned.
    ///
    /// # Errors
    ///
    /// If it cannot be taken.
    fn take(&mut self, item: &Item, entry: &Entry, bytes: &mut dyn Read) -> Result<()>;
}

/// Reads and proves a whole bundle.
///
/// # Errors
///
/// [`Damage`] if anything is not as the manifest has it; a refusal if the keys do not open it; what the receiver fails with;
/// or at the user's interrupt.
pub(crate) fn read(
    path: &Path,
    keys: &Keys,
    interrupt: &Interrupt,
    receiver: &mut dyn Receive,
) -> Result<Manifest> {
    read_to(path, keys, interrupt, Some(receiver)).map_err(|error| judged(error, interrupt))
}

/// Reads the manifest alone.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn manifest(path: &Path, keys: &Keys, interrupt: &Interrupt) -> Result<Manifest> {
    read_to(path, keys, interrupt, None).map_err(|error| judged(error, interrupt))
}

/// What is neither a refusal nor the receiver's is damage, unless the user asked to stop.
fn judged(error: anyhow::Error, interrupt: &Interrupt) -> anyhow::Error {
    if let Err(interrupted) = interrupt.check() {
        return interrupted;
    }
    if error.is::<Refusal>() || error.is::<Damage>() || error.is::<Received>() {
        return error;
    }
    Damage::new(format!("the bundle is damaged: {error:#}")).into()
}

/// Marks an error of the receiver.
#[derive(Debug)]
pub(crate) struct Received;

impl std::fmt::Display for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("could not take what the bundle contains")
    }
}

impl std::error::Error for Received {}

fn read_to(
    path: &Path,
    keys: &Keys,
    interrupt: &Interrupt,
    receiver: Option<&mut dyn Receive>,
) -> Result<Manifest> {
    let file = fs_err::File::open(path).context(Received)?;
    let opened = keys.open(Box::new(BufReader::with_capacity(PART_BYTES, file)))?;
    let buffered = Summed::new(BufReader::with_capacity(PART_BYTES, opened));
    let mut decoder = Decoder::with_buffer(buffered).context(Received)?.single_frame();
    decoder.window_log_max(MAX_WINDOW_LOG).context(Received)?;
    let n_left = Rc::new(Cell::new(MAX_BYTES + MAX_BESIDE_BYTES));
    let limited = Limited { from: &mut decoder, n_left: Rc::clone(&n_left), interrupt };
    let mut archive = Archive::new(limited);
    let mut members = Members { entries: archive.entries()?.raw(true), interrupt };
    let manifest = members.manifest()?;
    let Some(receiver) = receiver else { return Ok(manifest) };
    let n_entries = manifest.items.iter().map(|item| item.entries.len() as u64).sum::<u64>();
    n_left.set(manifest.size_bytes().saturating_add((n_entries + 1) * MAX_BESIDE_BYTES));
    receiver.begin(&manifest).context(Received)?;
    for item in &manifest.items {
        for entry in &item.entries {
            members.take(item, entry, receiver)?;
        }
    }
    ensure!(members.entries.next().is_none(), "it has a member that its manifest does not name");
    let mut rest = Vec::new();
    archive.into_inner().take(PART_BYTES as u64).read_to_end(&mut rest)?;
    let is_padding = rest.len() < PART_BYTES && rest.iter().all(|byte| *byte == 0);
    ensure!(is_padding, "something follows the archive");
    let (mut opened, expected) = decoder.finish().end();
    let mut trailer = Vec::new();
    // One byte more than that would be too many. An encrypted bundle is known to be whole only at its end.
    opened.by_ref().take(expected.len() as u64 + 1).read_to_end(&mut trailer)?;
    ensure!(trailer.len() <= expected.len(), "something follows its end");
    ensure!(trailer == expected, "its hash is not that of its bytes");
    Ok(manifest)
}

/// The members of the archive, in order.
struct Members<'a, R: Read> {
    entries: Entries<'a, R>,
    interrupt: &'a Interrupt,
}

/// A member, with the name and the target that extensions gave it.
struct Member<'a, R: Read> {
    entry: tar::Entry<'a, R>,
    name: Vec<u8>,
    target: Option<Vec<u8>>,
}

impl<'a, R: Read> Members<'a, R> {
    /// The next member. Of the extensions, only GNU's long names are known.
    fn next(&mut self) -> Result<Member<'a, R>> {
        let (mut name, mut target) = (None, None);
        loop {
            let mut entry = self.entries.next().context("it ends too early")??;
            let kind = entry.header().entry_type();
            let slot = match kind {
                EntryType::GNULongName => &mut name,
                EntryType::GNULongLink => &mut target,
                _ => {
                    let name = name.unwrap_or_else(|| entry.header().path_bytes().into_owned());
                    let of_header = || entry.header().link_name_bytes().map(Cow::into_owned);
                    let target = target.or_else(of_header);
                    return Ok(Member { entry, name, target });
                }
            };
            ensure!(slot.is_none() && entry.size() <= MAX_BESIDE_BYTES / 2, "a name is too long");
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            if bytes.last() == Some(&0) {
                bytes.pop();
            }
            *slot = Some(bytes);
        }
    }

    fn manifest(&mut self) -> Result<Manifest> {
        let Member { entry, name, .. } = self.next()?;
        let is_it = name == FILE.as_bytes() && entry.header().entry_type() == EntryType::Regular;
        ensure!(is_it, "its first member is not the manifest");
        ensure!(entry.size() <= MAX_BYTES, "its manifest is too large");
        let size = entry.size();
        let mut bytes = Vec::with_capacity(usize::try_from(size)?);
        entry.take(size).read_to_end(&mut bytes)?;
        Manifest::parse(&bytes)
    }

    fn take(&mut self, item: &Item, entry: &Entry, receiver: &mut dyn Receive) -> Result<()> {
        let wanted = item.member(entry);
        let Member { entry: mut member, name, target } = self.next()?;
        let header = member.header();
        let (kind, is_folder) = (header.entry_type(), entry.content == Content::Folder);
        let name = if is_folder { name.strip_suffix(b"/").unwrap_or(&name) } else { &name[..] };
        ensure!(
            name == wanted.as_bytes(),
            "`{wanted}` is missing: `{}` is in its place",
            String::from_utf8_lossy(name).escape_debug()
        );
        ensure!(header.mode()? == entry.mode, "`{wanted}` has other permissions than announced");
        ensure!(member.size() == entry.size_bytes(), "`{wanted}` has another size than announced");
        let expected = match &entry.content {
            Content::File { .. } => EntryType::Regular,
            Content::Folder => EntryType::Directory,
            Content::Link { .. } => EntryType::Symlink,
        };
        ensure!(kind == expected, "`{wanted}` is not what the manifest announces");
        if let Content::Link { target: announced } = &entry.content {
            ensure!(
                target.as_deref() == Some(announced.as_bytes()),
                "`{wanted}` points elsewhere than announced"
            );
        }
        let mut reading = Hashed::new(&mut member, self.interrupt);
        let taken = receiver.take(item, entry, &mut reading);
        if let Some(failure) = reading.failure() {
            bail!("`{wanted}` cannot be read: {failure}");
        }
        taken.context(Received)?;
        io::copy(&mut reading, &mut io::sink())?;
        if let Content::File { size_bytes, blake3 } = &entry.content
            && reading.end() != (*size_bytes, blake3.clone())
        {
            bail!("`{wanted}` has other bytes than announced");
        }
        Ok(())
    }
}

/// Reads no more than may come.
struct Limited<'i, R> {
    from: R,
    n_left: Rc<Cell<u64>>,
    interrupt: &'i Interrupt,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.interrupt.check().is_err() {
            return Err(io::Error::other("interrupted"));
        }
        let n = self.from.read(room)?;
        let left = self.n_left.get().checked_sub(n as u64);
        let left = left.ok_or_else(|| io::Error::other("it unpacks to more than it announces"))?;
        self.n_left.set(left);
        Ok(n)
    }
}

#[cfg(test)]
mod tests;
