//! Bundles: one archive of a whole installation, and the way back from it.
//!
//! A bundle is a tar archive, compressed by zstd and, if it has secrets, encrypted by `age`: without this program,
//! `age -d FILE | zstd -d | tar x` extracts it. Its first member is the manifest, which names every other one with its
//! size and hash. Nothing is read from an archive that the manifest does not announce.

pub(crate) mod chain;
pub(crate) mod gather;
pub(crate) mod hashed;
pub(crate) mod inspect;
pub(crate) mod journal;
pub(crate) mod manifest;
pub(crate) mod name;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod seal;
pub(crate) mod snapshots;
pub(crate) mod staging;
pub(crate) mod switch;
pub(crate) mod trailer;
pub(crate) mod write;
