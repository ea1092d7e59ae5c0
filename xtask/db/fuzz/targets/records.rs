//! Bytes for `reading::records`.
#![no_main]

#[allow(dead_code)]
mod reading;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reading::records(bytes));
