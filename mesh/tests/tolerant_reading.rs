//! Files that break the letter of their format in ways that many programs share.

use mesh::solids::{archive, cube, model_part};
use mesh::{Format, Inspection, Limits, Measures, Mended, MeshError, Unit, inspect};

fn inspected(format: Format, bytes: &[u8]) -> Result<Inspection, MeshError> {
    inspect(format, Unit::Millimetre, bytes, &Limits::default())
}

#[track_caller]
fn assert_is_the_cube(format: Format, bytes: &[u8]) {
    let Measures { triangles, volume_mm3, .. } = inspected(format, bytes).expect("a cube").measures;
    assert_eq!((triangles, volume_mm3), (12, 1000.0));
}

fn ascii_stl() -> String {
    String::from_utf8(cube(10.0).to_ascii_stl()).expect("text")
}

fn obj() -> String {
    String::from_utf8(cube(10.0).to_obj()).expect("text")
}

/// The text with each kind of line end.
fn line_ends(text: &str) -> [String; 3] {
    ["\n", "\r\n", "\r"].map(|end| text.replace('\n', end))
}

#[test]
fn words_after_the_end_of_a_loop_or_facet_are_ignored() {
    let text = ascii_stl().replace("endloop", "endloop of facet 7").replace("endfacet", "endfacet 7, red");
    for text in line_ends(&text) {
        assert_is_the_cube(Format::Stl, text.as_bytes());
    }
}

#[test]
fn a_file_without_line_ends_inside_its_solid_is_read() {
    let text = ascii_stl().replacen('\n', "\u{1}", 1).replace('\n', " ").replace('\u{1}', "\n");
    assert_is_the_cube(Format::Stl, text.as_bytes());
}

#[test]
fn lines_of_colours_are_ignored_anywhere() {
    let coloured = |keyword: &str| ascii_stl().replace(keyword, &format!("color 0.1 0.2 0.3\n{keyword}"));
    for keyword in ["  facet", "outer", "vertex", "endloop", "  endfacet", "endsolid"] {
        for text in line_ends(&coloured(keyword)) {
            assert_is_the_cube(Format::Stl, text.as_bytes());
        }
    }
}

#[test]
fn a_byte_order_mark_is_ignored_with_every_line_end() {
    for (format, text) in [(Format::Stl, ascii_stl()), (Format::Obj, obj())] {
        for text in line_ends(&text) {
            assert_is_the_cube(format, format!("\u{feff}{text}").as_bytes());
        }
    }
}

#[test]
fn an_error_names_the_line_with_every_line_end() {
    for text in line_ends("solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 zero\n") {
        let error = inspected(Format::Stl, text.as_bytes()).expect_err("no number");
        assert!(error.to_string().contains("line 4"), "{error}");
    }
}

#[test]
fn a_facet_that_lacks_its_end_is_still_an_error() {
    for keyword in ["endloop", "endfacet", "vertex"] {
        let text = ascii_stl().replacen(keyword, "", 1);
        let error = inspected(Format::Stl, text.as_bytes()).expect_err("an incomplete facet");
        assert_eq!(error.code(), "unreadable", "{keyword}");
    }
}

#[test]
fn an_obj_in_upper_case_is_read() {
    for text in line_ends(&obj().to_uppercase()) {
        assert_is_the_cube(Format::Obj, text.as_bytes());
    }
}

#[test]
fn a_backslash_continues_every_line_of_an_obj_but_comments() {
    let text = obj().replace("v 0 10 0\n", "v 0\\\n10 \\\n 0\\\n\n").replace("f 1 3 4\n", "f 1\\\n3 \\\n 4 \\\n\n");
    let text = format!("# a comment\\\n{text}g one \\\nf 1 2 3\nvn 0 0 \\\nv 1");
    for text in line_ends(&text) {
        assert_is_the_cube(Format::Obj, text.as_bytes());
    }
}

#[test]
fn faces_with_fewer_than_three_corners_are_left_out_and_counted() {
    let text = format!("{}f 1 2\nf 3/1/1\nf\nf 1 2 # 3\n", obj());
    assert_is_the_cube(Format::Obj, text.as_bytes());
    let mended = inspected(Format::Obj, text.as_bytes()).expect("a cube").mended;
    assert_eq!(mended, Mended { degenerate_faces: 4, ..Mended::default() });
    assert_eq!(inspected(Format::Obj, b"v 0 0 0\nv 1 0 0\nf 1 2\n"), Err(MeshError::Empty));
}

/// A package of the cube, with its parts encoded by `encode`.
fn encoded(encode: impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let object = format!("<object id=\"1\">{}</object>", cube(10.0).to_3mf_mesh());
    let model = model_part("millimeter", &object, "<item objectid=\"1\"/>").replace("UTF-8", "UTF-16");
    let relationships = "<Relationships><Relationship Target=\"/3D/Кольцо.model\" \
         Type=\"http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel\"/></Relationships>";
    archive(&[("_rels/.rels", &encode(relationships)), ("3D/Кольцо.model", &encode(&model))])
}

#[test]
fn parts_of_a_3mf_in_utf_16_are_read() {
    let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    assert_is_the_cube(Format::ThreeMf, &encoded(little));
    assert_is_the_cube(Format::ThreeMf, &encoded(big));
    assert_is_the_cube(Format::ThreeMf, &encoded(|text| little(&format!("\u{feff}{text}"))));
    assert_is_the_cube(Format::ThreeMf, &encoded(|text| big(&format!("\u{feff}{text}"))));
    assert_is_the_cube(Format::ThreeMf, &encoded(|text| format!("\u{feff}{text}").into_bytes()));
}

#[test]
fn a_part_that_ends_within_a_character_of_utf_16_is_unreadable() {
    let cut = |text: &str| {
        let mut bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes.push(b' ');
        bytes
    };
    assert_eq!(inspected(Format::ThreeMf, &encoded(cut)).map_err(|error| error.code()), Err("unreadable"));
}
