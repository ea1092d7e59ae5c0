//! Reads a dump back from its file or from the store, and proves it again.

use std::fmt::Debug;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};

use anyhow::{Context, Result};
use zstd::stream::read::Decoder;

use crate::console::interrupt::Interrupt;
use crate::console::threads;
use crate::postgres::dump::pieces::{Piece, Pieces};
use crate::postgres::dump::proof::DumpProof;
use crate::postgres::dump::proving::{N_WAITING, Proving};
use crate::sqlite::examination::finding::Damage;

/// How much is unpacked at once.
const PART_BYTES: usize = 256 << 10;

/// A dump, however it is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dump<'a> {
    /// A file, compressed by zstd.
    File(&'a Path),
    /// In a store that gives back its SQL.
    Stored(&'a dyn StoredSql),
}

/// The SQL of a dump in a store, which can be read as often as it is needed.
pub(crate) trait StoredSql: Debug + Sync {
    /// What reads it from its beginning.
    ///
    /// # Errors
    ///
    /// If there is no memory.
    fn begin(&self) -> Result<Part<'_>>;

    /// The hash of the whole dump, to which what was read to the end is compared by then.
    fn blake3(&self) -> String;
}

/// Replaces the content of a buffer with the next part; with nothing at the end.
pub(crate) type Part<'a> = Box<dyn FnMut(&mut Vec<u8>) -> Result<()> + 'a>;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadBack {
    /// BLAKE3 of the file; of a stored dump, its hash there.
    pub blake3: String,
    /// Size of the file; of a stored dump, of its SQL.
    pub size_bytes: u64,
    /// What its content proves.
    pub proof: DumpProof,
}

/// Reads a dump to the end.
///
/// # Errors
///
/// [`Damage`] if it is damaged; if it cannot be read; or at the user's interrupt.
pub(crate) fn read(dump: Dump<'_>, interrupt: &Interrupt) -> Result<ReadBack> {
    std::thread::scope(|scope| {
        let mut proving = Proving::begin(scope);
        let read = each_piece(dump, interrupt, &mut |piece| proving.take(&piece).map(drop))?;
        Ok(ReadBack { blake3: read.blake3, size_bytes: read.size_bytes, proof: proving.finish()? })
    })
}

/// What was read to the end.
#[derive(Debug)]
pub(crate) struct Whole {
    /// As in [`ReadBack`].
    pub(crate) blake3: String,
    /// As in [`ReadBack`].
    pub(crate) size_bytes: u64,
}

/// Hands on the pieces of a dump, one by one.
///
/// # Errors
///
/// As [`read`], or what the receiver fails with. Damage may be found after pieces were handed on.
pub(crate) fn each_piece(
    dump: Dump<'_>,
    interrupt: &Interrupt,
    receive: &mut dyn FnMut(Piece<'_>) -> Result<()>,
) -> Result<Whole> {
    match dump {
        Dump::File(path) => each_of_file(path, interrupt, receive),
        Dump::Stored(stored) => each_of_stored(stored, interrupt, receive),
    }
}

fn each_of_stored(
    stored: &dyn StoredSql,
    interrupt: &Interrupt,
    receive: &mut dyn FnMut(Piece<'_>) -> Result<()>,
) -> Result<Whole> {
    std::thread::scope(|scope| {
        let (send, ready) = mpsc::sync_channel(N_WAITING);
        let unpacking = threads::beside(scope, move || unpack(stored, &send)).ok();
        let mut here = if unpacking.is_none() { Some(stored.begin()?) } else { None };
        let mut size_bytes = 0;
        let mut pieces = Pieces::of(|buffer: &mut Vec<u8>| {
            interrupt.check()?;
            match &mut here {
                Some(next) => next(buffer)?,
                None => *buffer = ready.recv().context("an unpacking thread ended early")??,
            }
            size_bytes += buffer.len() as u64;
            Ok(())
        });
        while let Some(piece) = pieces.next()? {
            receive(piece)?;
        }
        if !pieces.is_complete() {
            return Err(damage("its last line is missing"));
        }
        drop(pieces);
        Ok(Whole { blake3: stored.blake3(), size_bytes })
    })
}

/// Sends the parts of a stored dump, the last of which is empty, until one fails or nobody wants more.
fn unpack(stored: &dyn StoredSql, send: &SyncSender<Result<Vec<u8>>>) {
    let mut next = match stored.begin() {
        Ok(next) => next,
        Err(error) => return drop(send.send(Err(error))),
    };
    loop {
        let mut part = Vec::new();
        let read = next(&mut part).map(|()| part);
        let is_last = read.as_ref().map_or(true, Vec::is_empty);
        if send.send(read).is_err() || is_last {
            return;
        }
    }
}

fn each_of_file(
    path: &Path,
    interrupt: &Interrupt,
    receive: &mut dyn FnMut(Piece<'_>) -> Result<()>,
) -> Result<Whole> {
    let hashed = Hashed::open(path)?;
    let decoder = Decoder::with_buffer(hashed).context("could not begin to unpack")?;
    let mut decoder = decoder.single_frame();
    let mut room = vec![0; PART_BYTES];
    let mut pieces = Pieces::of(|buffer: &mut Vec<u8>| {
        interrupt.check()?;
        let n =
            decoder.read(&mut room).map_err(|error| judged(error, decoder.get_ref().get_ref()))?;
        buffer.clear();
        buffer.extend_from_slice(&room[..n]);
        Ok(())
    });
    while let Some(piece) = pieces.next()? {
        receive(piece)?;
    }
    if !pieces.is_complete() {
        return Err(damage("its last line is missing"));
    }
    drop(pieces);
    let mut rest = decoder.finish();
    let mut more = [0; 1];
    if rest.read(&mut more)? > 0 {
        return Err(damage("something follows its end"));
    }
    let hashed = rest.into_inner();
    let blake3 = hashed.hasher.finalize().to_hex().to_string();
    Ok(Whole { blake3, size_bytes: hashed.n_bytes })
}

/// An error is the disk's if the disk returned one, and damage otherwise.
fn judged(error: io::Error, hashed: &Hashed) -> anyhow::Error {
    if hashed.has_failed {
        return error.into();
    }
    damage(&error.to_string())
}

fn damage(what: &str) -> anyhow::Error {
    Damage::new(format!("the dump is damaged: {what}")).into()
}

/// A file that is hashed while it is read.
struct Hashed {
    file: fs_err::File,
    hasher: blake3::Hasher,
    n_bytes: u64,
    has_failed: bool,
}

impl Hashed {
    fn open(path: &Path) -> Result<BufReader<Self>> {
        let file = fs_err::File::open(path)?;
        let hashed = Self { file, hasher: blake3::Hasher::new(), n_bytes: 0, has_failed: false };
        Ok(BufReader::with_capacity(PART_BYTES, hashed))
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer).inspect_err(|error| {
            self.has_failed = error.kind() != io::ErrorKind::Interrupted;
        })?;
        self.hasher.update(&buffer[..n]);
        self.n_bytes += n as u64;
        Ok(n)
    }
}
