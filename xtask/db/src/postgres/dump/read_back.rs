//! Reads a dump back from its file, and proves it again.

use std::io::{self, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result};
use zstd::stream::read::Decoder;

use crate::console::interrupt::Interrupt;
use crate::postgres::dump::pieces::{Piece, Pieces};
use crate::postgres::dump::proof::DumpProof;
use crate::postgres::dump::proving::Proving;
use crate::sqlite::examination::finding::Damage;

/// How much is unpacked at once.
const PART_BYTES: usize = 256 << 10;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadBack {
    /// BLAKE3 of the file.
    pub blake3: String,
    /// Size of the file.
    pub size_bytes: u64,
    /// What its content proves.
    pub proof: DumpProof,
}

/// Reads a dump to the end.
///
/// # Errors
///
/// [`Damage`] if it is damaged; if the file cannot be read; or at the user's interrupt.
pub(crate) fn read(path: &Path, interrupt: &Interrupt) -> Result<ReadBack> {
    std::thread::scope(|scope| {
        let mut proving = Proving::begin(scope);
        let read = each_piece(path, interrupt, &mut |piece| proving.take(&piece).map(drop))?;
        Ok(ReadBack { blake3: read.blake3, size_bytes: read.size_bytes, proof: proving.finish()? })
    })
}

/// The file behind the pieces that were read.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) blake3: String,
    pub(crate) size_bytes: u64,
}

/// Hands on the pieces of a dump, one by one.
///
/// # Errors
///
/// As [`read`], or what the receiver fails with. Damage may be found after pieces were handed on.
pub(crate) fn each_piece(
    path: &Path,
    interrupt: &Interrupt,
    receive: &mut dyn FnMut(Piece<'_>) -> Result<()>,
) -> Result<File> {
    let hashed = Hashed::open(path)?;
    let decoder = Decoder::with_buffer(hashed).context("could not begin to unpack")?;
    let mut decoder = decoder.single_frame();
    let mut pieces = Pieces::of(|buffer: &mut Vec<u8>| {
        interrupt.check()?;
        buffer.resize(PART_BYTES, 0);
        let n = decoder.read(buffer).map_err(|error| judged(error, decoder.get_ref().get_ref()))?;
        buffer.truncate(n);
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
    Ok(File { blake3, size_bytes: hashed.n_bytes })
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
