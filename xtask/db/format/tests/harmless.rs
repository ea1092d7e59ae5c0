//! No bytes do any harm: the fuzz targets' seeds, whole, cut short and changed at random, in the
//! ordinary tests too. `.ci/fuzz` searches longer, with a fuzzer.

#[path = "../../fuzz/targets/reading.rs"]
mod reading;

const CHANGES_PER_SEED: usize = 500;

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        usize::try_from(self.0 >> 33).unwrap_or_default() % end.max(1)
    }
}

fn seeds(folder: &str) -> Vec<Vec<u8>> {
    let path = format!("{}/../fuzz/corpus/{folder}", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(&path).expect("a corpus");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{path} is empty");
    paths.iter().map(|path| std::fs::read(path).expect("a seed")).collect()
}

/// Changes a few bytes: replaced, taken away, doubled, or put in from a list of those that matter.
fn change(bytes: &mut Vec<u8>, random: &mut Random) {
    const MATTER: &[u8] = b"'\"`[]{}();,:-/*\\\n\r\0\xff\xf0u0e9.";
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let other = random.below(bytes.len() + 1);
        let (from, to) = (at.min(other), at.max(other).min(at.min(other) + 50));
        let byte = MATTER[random.below(MATTER.len())];
        match random.below(5) {
            0 if at < bytes.len() => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 => drop(bytes.drain(from..to)),
            3 => {
                let piece = bytes[from..to].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => bytes.truncate(at),
        }
    }
}

fn check(folder: &str, read: fn(&[u8])) {
    let mut random = Random(7);
    for seed in seeds(folder) {
        read(&seed);
        for _ in 0..CHANGES_PER_SEED {
            let mut bytes = seed.clone();
            change(&mut bytes, &mut random);
            read(&bytes);
        }
    }
}

#[test]
fn no_jsonl_does_any_harm() {
    check("jsonl", reading::jsonl);
}

#[test]
fn no_json_does_any_harm() {
    check("json", reading::json);
}

#[test]
fn no_csv_does_any_harm() {
    check("csv", reading::csv);
}

#[test]
fn no_records_do_any_harm() {
    check("records", reading::records);
}

#[test]
fn no_statements_do_any_harm() {
    check("sql", reading::statements);
}
