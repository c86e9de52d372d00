//! Malicious and broken files. None may cause a panic, an endless loop, or memory out of proportion to its size.

use mesh::solids::{Solid, archive, cube, model_3mf, package_3mf, sphere};
use mesh::{Format, Language, Limits, MeshError, measure};

/// Limits for models of any size.
const ANY_SIZE: Limits = Limits {
    max_triangles: 5_000_000,
    max_vertices: 5_000_000,
    max_unpacked_bytes: 512 << 20,
    smallest_mm: 0.0,
    largest_mm: f64::INFINITY,
};

fn error(format: Format, bytes: &[u8]) -> MeshError {
    error_within(format, bytes, &ANY_SIZE)
}

fn error_within(format: Format, bytes: &[u8], limits: &Limits) -> MeshError {
    measure(format, bytes, limits).expect_err("a hostile file")
}

#[track_caller]
fn assert_unreadable(format: Format, bytes: &[u8]) {
    let error = error(format, bytes);
    assert!(matches!(error, MeshError::Unreadable { .. }), "{error:?}");
    assert_eq!(error.kind(), "model_unreadable");
}

fn item_3mf(resources: &str) -> Vec<u8> {
    model_3mf("millimeter", resources, "<item objectid=\"1\"/>")
}

#[test]
fn a_file_without_triangles_is_reported_as_empty_in_every_format() {
    for format in Format::ALL {
        assert_eq!(error(format, b""), MeshError::Empty);
    }
    assert_eq!(error(Format::Stl, b" \r\n"), MeshError::Empty);
    assert_eq!(error(Format::Stl, &[0; 84]), MeshError::Empty);
    assert_eq!(error(Format::Stl, b"solid nothing\nendsolid nothing\n"), MeshError::Empty);
    assert_eq!(error(Format::Obj, b"# nothing\n"), MeshError::Empty);
    assert_eq!(error(Format::ThreeMf, &item_3mf("<object id=\"1\"/>")), MeshError::Empty);
}

#[test]
fn a_file_that_is_truncated_anywhere_is_rejected() {
    let solid = sphere(5.0, 8);
    for (format, bytes) in Format::ALL
        .map(|format| (format, solid.to_file(format)))
        .into_iter()
        .chain([(Format::Stl, solid.to_ascii_stl())])
    {
        // The last bytes of a text may be white space or the last line's name.
        for length in 0..bytes.len() - 24 {
            assert!(measure(format, &bytes[..length], &ANY_SIZE).is_err(), "{format:?} of {length} bytes");
        }
    }
}

#[test]
fn too_many_triangles_are_rejected_in_every_format() {
    let limits = Limits { max_triangles: 11, ..ANY_SIZE };
    let solid = cube(1.0);
    for bytes in [solid.to_binary_stl(), solid.to_ascii_stl()] {
        assert_eq!(error_within(Format::Stl, &bytes, &limits), MeshError::TooManyTriangles { limit: 11 });
    }
    for format in [Format::Obj, Format::ThreeMf] {
        let error = error_within(format, &solid.to_file(format), &limits);
        assert_eq!(error, MeshError::TooManyTriangles { limit: 11 });
        assert_eq!(error.kind(), "model_too_large");
    }
    assert!(measure(Format::Obj, &solid.to_obj(), &Limits { max_triangles: 12, ..limits }).is_ok());
}

#[test]
fn the_error_for_ten_million_triangles_tells_the_customer_what_to_do() {
    let text = [b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2".as_slice(), &b" 3".repeat(10_000_000)].concat();
    let error = error(Format::Obj, &text);
    assert_eq!(error, MeshError::TooManyTriangles { limit: 5_000_000 });
    let text = error.for_customer(Language::English);
    assert!(text.contains("more than 5000000 triangles") && text.contains("coarser resolution"), "{text}");
}

#[test]
fn too_many_vertices_are_rejected() {
    let limits = Limits { max_vertices: 7, ..ANY_SIZE };
    for format in [Format::Obj, Format::ThreeMf] {
        let error = error_within(format, &cube(1.0).to_file(format), &limits);
        assert_eq!(error, MeshError::TooManyVertices { limit: 7 });
    }
}

#[test]
fn more_bodies_than_their_limit_are_rejected_even_beside_each_other() {
    let tetrahedra = |count: u32| {
        let mut all = Solid { vertices: Vec::new(), triangles: Vec::new() };
        for index in 0..count {
            let (first, x) = (all.vertices.len() as u32, f64::from(2 * index));
            all.vertices.extend([[x, 0.0, 0.0], [x + 1.0, 0.0, 0.0], [x, 1.0, 0.0], [x, 0.0, 1.0]]);
            all.triangles.extend([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]].map(|of| of.map(|at| first + at)));
        }
        all.to_binary_stl()
    };
    assert_eq!(measure(Format::Stl, &tetrahedra(1 << 16), &ANY_SIZE).map(|measures| measures.triangles), Ok(4 << 16));
    assert_eq!(error(Format::Stl, &tetrahedra((1 << 16) + 1)), MeshError::TooComplex);
}

#[test]
fn a_surface_whose_volume_is_only_rounding_encloses_no_volume() {
    let solid = Solid {
        vertices: vec![
            [0.0, 2.93981207427632e-38, 1.1210387714598537e-43],
            [0.0, 2.938735877055719e-39, 0.0],
            [3314304.0, 3314322.5, 3314322.5],
            [3314322.5, 3314322.5, 3314322.5],
        ],
        triangles: vec![[2, 2, 2], [0, 3, 1], [3, 0, 1]],
    };
    for (format, bytes) in [(Format::Stl, solid.to_binary_stl()), (Format::Stl, solid.to_ascii_stl())] {
        assert_eq!(error(format, &bytes), MeshError::NoVolume);
    }
}

// --- STL ---

#[test]
fn an_stl_that_declares_four_billion_triangles_is_rejected() {
    let mut bytes = cube(10.0).to_binary_stl();
    bytes[80..84].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_unreadable(Format::Stl, &bytes);
    assert_unreadable(Format::Stl, &bytes[..84]);
}

#[test]
fn coordinates_that_are_not_finite_are_rejected() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for coordinate in 0..9 {
            let mut bytes = cube(10.0).to_binary_stl();
            let start = 84 + 50 * 3 + 12 + 4 * coordinate;
            bytes[start..start + 4].copy_from_slice(&value.to_le_bytes());
            assert_eq!(error(Format::Stl, &bytes), MeshError::NotFinite);
        }
    }
    for value in ["nan", "inf", "-Infinity", "1e39", "1e999999999"] {
        let obj = String::from_utf8(cube(10.0).to_obj()).expect("text").replacen("10", value, 1);
        assert_eq!(error(Format::Obj, obj.as_bytes()), MeshError::NotFinite, "{value}");
        let stl = String::from_utf8(cube(10.0).to_ascii_stl()).expect("text").replacen("1e1", value, 1);
        assert_eq!(error(Format::Stl, stl.as_bytes()), MeshError::NotFinite, "{value}");
        let mesh = cube(10.0).to_3mf_mesh().replacen("10", value, 1);
        let bytes = item_3mf(&format!("<object id=\"1\">{mesh}</object>"));
        assert_eq!(error(Format::ThreeMf, &bytes), MeshError::NotFinite, "{value}");
    }
}

#[test]
fn a_coordinate_that_is_not_finite_in_a_flat_triangle_is_rejected() {
    let mut bytes = vec![0; 84 + 50];
    bytes[80] = 1;
    bytes[84 + 12..84 + 16].copy_from_slice(&f32::INFINITY.to_le_bytes());
    assert_eq!(error(Format::Stl, &bytes), MeshError::NotFinite);
}

#[test]
fn the_error_for_a_malformed_number_names_its_line() {
    let stl = b"solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 zero\n";
    assert!(error(Format::Stl, stl).to_string().contains("line 4"));
    assert!(error(Format::Obj, b"v 0 0 0\r\nv 0,5 0 0\r\n").to_string().contains("line 2"));
    assert_unreadable(Format::Obj, b"v 0 0\nv 1 1 1\n");
    assert_unreadable(Format::Stl, b"solid of text that goes on as prose\nOnce upon a time");
}

#[test]
fn a_line_of_megabytes_is_read_or_rejected() {
    let digits = "1".repeat(8 << 20);
    assert_eq!(error(Format::Obj, format!("v {digits}").as_bytes()), MeshError::NotFinite);
    assert_unreadable(Format::Obj, format!("v 0.{digits} 0").as_bytes());
    assert_unreadable(Format::Obj, format!("f {digits} 1 1").as_bytes());
    assert_eq!(error(Format::Obj, format!("# {digits}").as_bytes()), MeshError::Empty);
    assert_eq!(error(Format::Stl, format!("solid {digits}").as_bytes()), MeshError::Empty);
    assert_unreadable(Format::Stl, format!("solid\nfacet normal {digits}").as_bytes());
    assert_unreadable(Format::ThreeMf, &item_3mf(&format!("<object id=\"1\" name=\"{digits}\"/>")));
    assert_unreadable(Format::ThreeMf, &item_3mf(&format!("<!-- {digits} -->")));
}

// --- OBJ ---

#[test]
fn an_obj_does_not_open_the_files_that_it_names() {
    let text = [b"mtllib /etc/passwd\nmtllib ../../secret\nusemtl root\n".as_slice(), &cube(10.0).to_obj()].concat();
    let measures = measure(Format::Obj, &text, &ANY_SIZE).expect("a cube");
    assert_eq!(measures.triangles, 12);
}

#[test]
fn an_obj_with_invalid_indices_is_rejected() {
    for face in [
        "f 0 1 2",
        "f 1 2 4",
        "f -1 -2 -4",
        "f -0 1 2",
        "f 1 2 4294967296",
        "f 1 2 18446744073709551617",
        "f 1 2 x",
        "f 1 2 3.5",
        "f / / /",
        "f 1 2 -",
        "f 1 2 --3",
        "f +1 2 3",
    ] {
        assert_unreadable(Format::Obj, format!("v 0 0 0\nv 1 0 0\nv 0 1 0\n{face}\n").as_bytes());
    }
}

// --- 3MF ---

#[test]
fn a_zip_bomb_is_rejected_at_the_limit() {
    let mut bomb = String::from("<model><resources/><build/></model>");
    bomb.extend(std::iter::repeat_n("\n<!-- -->", 8 << 20));
    let bytes = package_3mf(&[("3D/3dmodel.model", &bomb)]);
    assert!(bomb.len() > 64 << 20 && bytes.len() < 1 << 20);
    let limits = Limits { max_unpacked_bytes: 10 << 20, ..ANY_SIZE };
    let error = error_within(Format::ThreeMf, &bytes, &limits);
    assert_eq!(error, MeshError::TooLarge { limit: 10 << 20 });
    assert_eq!(error.kind(), "model_too_large");
}

#[test]
fn the_unpacked_size_of_all_parts_is_limited_together() {
    let mesh = sphere(1.0, 40).to_3mf_mesh();
    let part = format!("<model><resources><object id=\"1\">{mesh}</object></resources></model>");
    let paths: Vec<String> = (0..8).map(|index| format!("3D/{index}.model")).collect();
    let items: String = paths.iter().map(|path| format!("<item objectid=\"1\" p:path=\"/{path}\"/>")).collect();
    let root = format!("<model><build>{items}</build></model>");
    let mut parts = vec![("3D/3dmodel.model", root.as_str())];
    parts.extend(paths.iter().map(|path| (path.as_str(), part.as_str())));
    let bytes = package_3mf(&parts);
    assert!(measure(Format::ThreeMf, &bytes, &ANY_SIZE).is_ok());
    let limits = Limits { max_unpacked_bytes: 4 * part.len() as u64, ..ANY_SIZE };
    assert!(matches!(error_within(Format::ThreeMf, &bytes, &limits), MeshError::TooLarge { .. }));
}

#[test]
fn a_declared_size_is_ignored() {
    // The size in the central directory is one byte below the limit; the checksum is correct.
    let model = "<model><resources/><build/></model>".to_owned() + &" ".repeat(1 << 20);
    let mut bytes = archive(&[("3D/3dmodel.model", model.as_bytes())]);
    let record = find(&bytes, b"PK\x01\x02");
    bytes[record + 24..record + 28].copy_from_slice(&1000_u32.to_le_bytes());
    let limits = Limits { max_unpacked_bytes: 1001, ..ANY_SIZE };
    assert_eq!(error_within(Format::ThreeMf, &bytes, &limits), MeshError::TooLarge { limit: 1001 });
}

#[test]
fn a_part_name_with_dots_does_not_leave_the_archive() {
    let mut bytes = archive(&[
        ("xx/xx/xx/etc/passwd", b"evil"),
        ("3D/3dmodel.model", b"<model><build><item objectid=\"1\" p:path=\"/../../../etc/passwd\"/></build></model>"),
    ]);
    assert_unreadable(Format::ThreeMf, &bytes);
    // An entry of exactly this name is a part of the package, but not a model.
    while let Some(position) = bytes.windows(3).position(|window| window == b"xx/") {
        bytes[position..position + 3].copy_from_slice(b"../");
    }
    assert_unreadable(Format::ThreeMf, &bytes);
}

#[test]
fn unused_entries_with_dots_in_their_names_are_ignored() {
    let part = format!(
        "<model><resources><object id=\"1\">{}</object></resources><build><item objectid=\"1\"/></build></model>",
        cube(2.0).to_3mf_mesh()
    );
    let mut bytes = archive(&[("xx/xx/evil", b"evil"), ("3D/3dmodel.model", part.as_bytes())]);
    while let Some(position) = bytes.windows(3).position(|window| window == b"xx/") {
        bytes[position..position + 3].copy_from_slice(b"../");
    }
    assert!(measure(Format::ThreeMf, &bytes, &ANY_SIZE).is_ok());
}

#[test]
fn a_model_with_a_wrong_checksum_is_rejected() {
    let mut bytes = archive(&[("3D/3dmodel.model", b"<model><resources/><build/></model>")]);
    let record = find(&bytes, b"PK\x01\x02");
    bytes[record + 16] ^= 1;
    assert_unreadable(Format::ThreeMf, &bytes);
}

#[test]
fn an_archive_without_a_model_with_duplicate_names_or_too_many_entries_is_rejected() {
    assert_unreadable(Format::ThreeMf, &archive(&[("readme.txt", b"hello")]));
    assert_unreadable(
        Format::ThreeMf,
        &archive(&[("3D/3dmodel.model", b"<model/>"), ("3d/3DMODEL.model", b"<model/>")]),
    );
    assert_unreadable(Format::ThreeMf, b"PK\x03\x04 and nothing more");
    let names: Vec<String> = (0..10_001).map(|index| format!("{index}")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    assert_unreadable(Format::ThreeMf, &archive(&entries));
}

#[test]
fn an_archive_with_names_too_long_for_a_table_is_rejected() {
    let model = "<model><resources/><build/></model>".as_bytes();
    let named = |length: usize| archive(&[("3D/3dmodel.model", model), (&"n".repeat(length), b"")]);
    assert_eq!(error(Format::ThreeMf, &named(1024)), MeshError::Empty);
    assert_unreadable(Format::ThreeMf, &named(1025));
}

#[test]
fn components_that_contain_themselves_are_rejected() {
    let refers = |id: u32, to: u32| {
        format!("<object id=\"{id}\"><components><component objectid=\"{to}\"/></components></object>")
    };
    assert_unreadable(Format::ThreeMf, &item_3mf(&refers(1, 1)));
    assert_unreadable(Format::ThreeMf, &item_3mf(&(refers(1, 2) + &refers(2, 1))));
    let chain: String = (1..1000).map(|id| refers(id, id + 1)).collect();
    assert_unreadable(Format::ThreeMf, &item_3mf(&chain));
    assert_unreadable(Format::ThreeMf, &item_3mf(&refers(1, 7)));
}

#[test]
fn components_that_double_at_every_level_are_rejected() {
    let doubles = |leaf: &str| {
        let levels: String = (1..30)
            .map(|id| {
                let component = format!("<component objectid=\"{}\"/>", id + 1);
                format!("<object id=\"{id}\"><components>{component}{component}</components></object>")
            })
            .collect();
        item_3mf(&(levels + leaf))
    };
    let solid = format!("<object id=\"30\">{}</object>", cube(1.0).to_3mf_mesh());
    for leaf in [solid.as_str(), "<object id=\"30\"/>"] {
        assert_eq!(error(Format::ThreeMf, &doubles(leaf)), MeshError::TooManyTriangles { limit: 5_000_000 });
    }
}

#[test]
fn vertices_that_no_triangle_uses_count_wherever_their_mesh_is_placed() {
    let mut solid = cube(1.0);
    solid.vertices.resize(3_000, [0.0; 3]);
    let object = format!("<object id=\"1\">{}</object>", solid.to_3mf_mesh());
    let rotated = "<item objectid=\"1\" transform=\"0.6 0.8 0 -0.8 0.6 0 0 0 1 0 0 0\"/>";
    let limits = Limits { max_triangles: 1_500, ..ANY_SIZE };
    assert!(measure(Format::ThreeMf, &model_3mf("millimeter", &object, rotated), &limits).is_ok());
    let twice = model_3mf("millimeter", &object, &rotated.repeat(2));
    assert_eq!(error_within(Format::ThreeMf, &twice, &limits), MeshError::TooManyTriangles { limit: 1_500 });
}

#[test]
fn too_many_objects_or_items_are_rejected() {
    let objects: String = (1..=100_001).map(|id| format!("<object id=\"{id}\"/>")).collect();
    assert_unreadable(Format::ThreeMf, &item_3mf(&objects));
    let items = "<item objectid=\"1\"/>".repeat(100_001);
    assert_unreadable(Format::ThreeMf, &model_3mf("millimeter", "<object id=\"1\"/>", &items));
}

#[test]
fn broken_xml_is_rejected() {
    for model in [
        "",
        "text",
        "<model",
        "<model>",
        "<model><resources></model></resources>",
        "<other/>",
        "<model><resources><object/></resources></model>",
        "<model><resources><object id=\"1\"/><object id=\"1\"/></resources></model>",
        "<model><resources><object id=\"1\"><mesh><vertices><vertex x=\"1\" y=\"1\"/></vertices></mesh></object></resources></model>",
        "<model><resources><object id=\"1\"><mesh><triangles><triangle v1=\"1\" v2=\"-1\" v3=\"0\"/></triangles></mesh></object></resources></model>",
        "<model><build><item objectid=\"1\" transform=\"1 0 0\"/></build></model>",
        "<!DOCTYPE model [<!ENTITY a \"&a;&a;\">]><model><build><item objectid=\"&a;\"/></build></model>",
    ] {
        assert_unreadable(Format::ThreeMf, &package_3mf(&[("3D/3dmodel.model", model)]));
    }
    assert_unreadable(Format::ThreeMf, &package_3mf(&[("3D/3dmodel.model", &"<a>".repeat(1_000_000))]));
}

#[test]
fn a_3mf_with_an_invalid_index_is_rejected() {
    let mesh = cube(1.0).to_3mf_mesh().replacen("v3=\"3\"", "v3=\"8\"", 1);
    assert_unreadable(Format::ThreeMf, &item_3mf(&format!("<object id=\"1\">{mesh}</object>")));
}

#[test]
fn a_flattening_or_overflowing_transform_is_rejected() {
    let object = format!("<object id=\"1\">{}</object>", cube(1.0).to_3mf_mesh());
    let flat = model_3mf("millimeter", &object, "<item objectid=\"1\" transform=\"1 0 0 0 1 0 0 0 0 0 0 0\"/>");
    assert_eq!(error(Format::ThreeMf, &flat), MeshError::NoVolume);
    let chain: String = (2..20)
        .map(|id| {
            format!(
                "<object id=\"{id}\"><components><component objectid=\"{}\" \
                 transform=\"1e38 0 0 0 1e38 0 0 0 1e38 0 0 0\"/></components></object>",
                id - 1
            )
        })
        .collect();
    let huge = model_3mf("millimeter", &(object + &chain), "<item objectid=\"19\"/>");
    assert_eq!(error(Format::ThreeMf, &huge), MeshError::NotFinite);
}

fn find(bytes: &[u8], signature: &[u8]) -> usize {
    bytes.windows(signature.len()).position(|window| window == signature).expect("the signature")
}
