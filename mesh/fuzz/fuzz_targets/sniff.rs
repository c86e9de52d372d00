//! First bytes: a file that can be measured is not rejected by `sniff`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mesh_fuzz::check_sniff(bytes));
