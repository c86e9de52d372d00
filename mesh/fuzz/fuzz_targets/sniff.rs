//! What decides the format: a file that can be measured is not refused at its first bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mesh_fuzz::check_sniff(bytes));
