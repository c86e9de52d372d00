//! The model of a 3MF file in UTF-16: the input's first byte chooses the order of the bytes and the byte order mark, the
//! rest is text, or else the part as it is.

#![no_main]

use mesh::solids::archive;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, rest)) = bytes.split_first() else { return };
    let part = match std::str::from_utf8(rest) {
        Ok(text) => {
            let mark = if choice & 1 == 1 { "\u{feff}" } else { "" };
            let units = mark.encode_utf16().chain(text.encode_utf16());
            units.flat_map(|unit| if choice & 2 == 2 { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
        }
        Err(_) => rest.to_vec(),
    };
    let _ = mesh_fuzz::check(mesh::Format::ThreeMf, &archive(&[("3D/3dmodel.model", &part)]));
});
