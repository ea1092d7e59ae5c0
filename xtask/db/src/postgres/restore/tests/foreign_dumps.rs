//! Dumps that were written to harm the machine on which they are restored.

use super::*;
use crate::postgres::dump::read_back::{self, Dump};
use crate::postgres::restore::in_place::restore;
use crate::postgres::scratch::Scratch;

/// What a hostile dump tries in each place.
fn attacks(witness: &str) -> Vec<String> {
    let run = format!("\\! touch {witness}");
    vec![
        format!("{run}\n"),
        format!("SELECT 1; \n{run}\n"),
        format!("SELECT 1 {run}\n;\n"),
        format!("COMMENT ON SCHEMA public IS 'a\n{run}\n';\n"),
        format!("COMMENT ON SCHEMA public IS E'a\\'\n{run}\n';\n"),
        format!("DO $$BEGIN\n{run}\nEND$$;\n"),
        format!("CREATE TABLE t (a text);\nCOPY public.t (a) FROM stdin;\n\\.\r\n{run}\n\\.\n"),
        format!("CREATE TABLE t (a text);\nCOPY public.t (a) FROM stdin;\nx\0\n\\.\n{run}\n\\.\n"),
        format!("CREATE TABLE t (a text);\nCOPY public.t (a) FROM stdin;\n\\. \n{run}\n\\.\n"),
        format!("CREATE TABLE t (a text);\nCOPY public.t (a) FROM stdin;\n{run}\n\\.\n"),
        format!("COPY public.\"t\n{run}\n\" (a) FROM stdin;\nx\n\\.\n"),
        format!("COPY public.t (a) FROM PROGRAM 'touch {witness}' \n FROM stdin;\n"),
        format!("SELECT 1 \\gexec\nSELECT 'x' \\g |touch {witness}\n;\n"),
        format!("SELECT $x$\n$x$ || $y${run}\n$y$;\n"),
        format!("\\restrict x\n\\unrestrict x\n{run}\n"),
        format!("SELECT 'a'\n\\;\n{run}\n;\n"),
        format!(":a\n{run}\n"),
        format!("COPY t FROM stdin;\n\\.\n{run}\n"),
    ]
}

#[test]
fn no_dump_runs_a_program_here() {
    let Some(world) = World::create("attacked", "CREATE TABLE old AS SELECT 1 AS a;") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let witness = folder.path().join("witness");
    let path = folder.path().join("hostile.dump");
    for attack in attacks(witness.to_str().expect("UTF-8")) {
        let text = format!(
            "--\n-- PostgreSQL database dump\n--\n\nSET standard_conforming_strings = on;\n\n{attack}\n\
             --\n-- PostgreSQL database dump complete\n--\n\n"
        );
        fs_err::write(&path, zstd::encode_all(text.as_bytes(), 1).expect("packed"))
            .expect("written");
        // If it can be read, its own proof is recorded, so that only the restore itself can fail.
        let read = read_back::read(Dump::File(&path), &world.interrupt);
        let (blake3, proof) = read.map_or_else(
            |_| (String::new(), world.dumped.proof.clone()),
            |read| (read.blake3, read.proof),
        );
        let dump = Dump::File(&path);
        let source = Source { dump, blake3: &blake3, proof: &proof, ..world.source() };
        let _ = Scratch::from_backup(world.place(), &source).map(drop);
        let _ = restore(world.place(), &source, &mut || Ok(()));
        assert!(!witness.exists(), "{attack}");
    }
    restore(world.place(), &world.source(), &mut || Ok(())).expect("restored");
    world.check_restored();
}
