//! 3MF files that require extensions, or are encrypted.

use mesh::solids::{archive, cube, package_3mf};
use mesh::{Format, Limits, MeshError, measure};

fn measured(bytes: &[u8]) -> Result<f64, MeshError> {
    measure(Format::ThreeMf, bytes, &Limits::default()).map(|measures| measures.volume_mm3)
}

/// A 3MF file of a cube whose root element has these attributes.
fn cube_with(attributes: &str, object_attributes: &str) -> Vec<u8> {
    let mesh = cube(2.0).to_3mf_mesh();
    let model = format!(
        "<model {attributes}><resources><object id=\"1\" {object_attributes}>{mesh}</object></resources>\
         <build><item objectid=\"1\"/></build></model>"
    );
    package_3mf(&[("3D/3dmodel.model", &model)])
}

fn unsupported(extension: &str) -> Result<f64, MeshError> {
    Err(MeshError::UnsupportedExtension { extension: extension.to_owned() })
}

#[test]
fn a_file_that_requires_a_beam_lattice_is_refused_by_its_name() {
    for file in [&include_bytes!("models/spinal-implant.3mf")[..], include_bytes!("models/Unsupported.3mf")] {
        assert_eq!(measured(file), unsupported("beam lattice"));
    }
}

#[test]
fn required_extensions_that_change_no_volume_are_accepted() {
    let file = cube_with(
        "requiredextensions=' m  p s t ' xmlns:m='http://schemas.microsoft.com/3dmanufacturing/material/2015/02' \
         xmlns:p='http://schemas.microsoft.com/3dmanufacturing/production/2015/06' \
         xmlns:s='http://schemas.microsoft.com/3dmanufacturing/slice/2015/07' \
         xmlns:t='http://schemas.microsoft.com/3dmanufacturing/trianglesets/2021/07'",
        "s:meshresolution='fullres'",
    );
    assert_eq!(measured(&file), Ok(8.0));
}

#[test]
fn an_extension_that_is_only_declared_is_ignored() {
    let file = cube_with("xmlns:b='http://schemas.microsoft.com/3dmanufacturing/beamlattice/2017/02'", "");
    assert_eq!(measured(&file), Ok(8.0));
}

#[test]
fn an_unknown_required_extension_is_named_by_its_namespace_without_special_characters() {
    let file = cube_with("requiredextensions='x' xmlns:x='http://example.org/a&lt;b&gt;'", "");
    assert_eq!(measured(&file), unsupported("http://example.org/a?b?"));
    assert_eq!(measured(&cube_with("requiredextensions='x'", "")), unsupported("x"));
    let long = format!("requiredextensions='x' xmlns:x='{}'", "y".repeat(10_000));
    assert_eq!(measured(&cube_with(&long, "")), unsupported(&"y".repeat(100)));
}

#[test]
fn of_several_extensions_that_are_not_supported_the_first_in_the_list_is_named() {
    let declared = "xmlns:a='http://example.org/a' xmlns:z='http://example.org/z' xmlns:z='http://example.org/again'";
    let file = cube_with(&format!("requiredextensions='z a z' {declared}"), "");
    assert_eq!(measured(&file), unsupported("http://example.org/z"));
}

#[test]
fn an_object_whose_mesh_is_only_a_sketch_of_its_slices_is_refused() {
    assert_eq!(measured(&cube_with("", "s:meshresolution='lowres'")), unsupported("slice"));
}

#[test]
fn an_extension_that_another_part_requires_is_checked_too() {
    let root = "<model><build><item objectid='1' p:path='/3D/1.model'/></build></model>";
    let other = format!(
        "<model requiredextensions='b' xmlns:b='http://schemas.3mf.io/3dmanufacturing/booleanoperations/2023/07'>\
         <resources><object id='1'>{}</object></resources></model>",
        cube(2.0).to_3mf_mesh()
    );
    let file = package_3mf(&[("3D/3dmodel.model", root), ("3D/1.model", &other)]);
    assert_eq!(measured(&file), unsupported("boolean operations"));
}

#[test]
fn a_file_whose_parts_are_encrypted_is_said_to_be_encrypted() {
    assert_eq!(measured(include_bytes!("models/keystore_encrypted.3mf")), Err(MeshError::Encrypted));
    // The part itself, where the root element doesn't require the extension.
    assert_eq!(measured(&archive(&[("3D/3dmodel.model", b"%3McF\0\0\0\x0c\0")])), Err(MeshError::Encrypted));
}

#[test]
fn an_archive_with_a_password_is_said_to_be_encrypted() {
    let mut bytes = cube(1.0).to_3mf();
    // The lowest bit of the flags, in every record of the central directory.
    for position in 0..bytes.len() - 10 {
        if &bytes[position..position + 4] == b"PK\x01\x02" {
            bytes[position + 8] |= 1;
        }
    }
    assert_eq!(measured(&bytes), Err(MeshError::Encrypted));
    assert!(MeshError::Encrypted.for_customer(mesh::Language::English).contains("password"));
}

#[test]
fn an_encrypted_package_in_a_compound_file_is_said_to_be_encrypted() {
    let bytes = [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".as_slice(), &[0; 504]].concat();
    assert_eq!(measured(&bytes), Err(MeshError::Encrypted));
}
