//! Compresses a dump into its stage, and hashes what is written.

use std::io::{self, Write};

use anyhow::Result;
use zstd::stream::write::Encoder;

use crate::console::threads::Step;
use crate::files::stage::Stage;
use crate::postgres::dump::proving::Shared;

/// As fast as level 1, which is as fast as `pg_dump` prints, and up to a sixth smaller.
const LEVEL: i32 = 2;

/// The file that was written.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) size_bytes: u64,
    pub(super) blake3: String,
}

/// A frame of zstd with a checksum, on the way into a stage.
pub(super) struct Compressing<'a>(Encoder<'static, Hashed<'a>>);

impl<'a> Compressing<'a> {
    pub(super) fn begin(stage: &'a Stage) -> Result<Self> {
        let hashed = Hashed { stage, hasher: blake3::Hasher::new(), n_bytes: 0 };
        let mut encoder = Encoder::new(hashed, LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(Self(encoder))
    }
}

impl Step<Shared> for Compressing<'_> {
    type Done = Packed;

    fn take(&mut self, bytes: Shared) -> Result<()> {
        Ok(self.0.write_all(&bytes)?)
    }

    fn finish(self) -> Result<Packed> {
        let hashed = self.0.finish()?;
        let blake3 = hashed.hasher.finalize().to_hex().to_string();
        Ok(Packed { size_bytes: hashed.n_bytes, blake3 })
    }
}

struct Hashed<'a> {
    stage: &'a Stage,
    hasher: blake3::Hasher,
    n_bytes: u64,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self.stage.file();
        let n = file.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.n_bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
