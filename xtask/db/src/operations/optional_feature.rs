//! The cargo features that only some commands need: a program without one builds itself once more with it, and runs the
//! command in that.

#[cfg(not(all(feature = "bundle", feature = "serve")))]
pub(crate) mod rebuild;

#[cfg(any(feature = "bundle", feature = "serve"))]
use crate::host::session::Session;

/// A feature, and what a user reads about it.
#[cfg_attr(
    all(feature = "bundle", feature = "serve"),
    expect(dead_code, reason = "a program with all features builds none")
)]
pub(crate) struct Feature {
    /// Its name in the manifest.
    pub(crate) name: &'static str,
    /// Set for the program that was built with the feature: if it has no such command either, it does not build again.
    pub(crate) mark: &'static str,
    /// Beside the program after it was built with the feature.
    pub(crate) built: &'static str,
    /// Printed before the first build.
    pub(crate) notice: &'static str,
    /// The thing that a program without it lacks.
    pub(crate) lacks: &'static str,
    /// The command that builds it.
    pub(crate) command: &'static str,
    /// Packages that a dev build must optimise for it.
    pub(crate) optimised: &'static [&'static str],
}

/// `db-bundle`.
pub(crate) const BUNDLE: Feature = Feature {
    name: "bundle",
    mark: "XTASK_DB_WITH_BUNDLE",
    built: ".xtask-db-bundle",
    notice: "Building what encrypts and archives bundles, once; this takes a minute or two",
    lacks: "bundles",
    command: "db-bundle",
    // They encrypt and decrypt: without optimisation, a dev build takes many times as long for it.
    optimised: &["age", "chacha20", "chacha20poly1305", "poly1305", "salsa20", "scrypt"],
};

/// `db-serve`.
pub(crate) const SERVE: Feature = Feature {
    name: "serve",
    mark: "XTASK_DB_WITH_SERVE",
    built: ".xtask-db-serve",
    notice: "Building the web page, once; this takes a minute or two",
    lacks: "the web page",
    command: "db-serve",
    optimised: &[],
};

/// Notes that this program was built with a feature by the one without it.
#[cfg(any(feature = "bundle", feature = "serve"))]
pub(crate) fn note(session: &Session, feature: &Feature) {
    if let (Some(_), Some(binary)) = (session.variable(feature.mark), session.binary()) {
        // Without it, the next call reports once more that it builds.
        let _ = fs_err::write(binary.with_file_name(feature.built), "");
    }
}
