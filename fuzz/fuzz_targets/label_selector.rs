#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| generators::fuzz::label_selector(data));
