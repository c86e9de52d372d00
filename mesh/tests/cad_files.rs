//! Files in the variants that CAD programs and slicers write.

use mesh::solids::{Solid, archive, cube, model_3mf, model_part, package_3mf, sphere};
use mesh::{Format, Language, Limits, Measures, MeshError, measure};

/// Limits for models of any size.
const ANY_SIZE: Limits = Limits {
    max_triangles: 5_000_000,
    max_vertices: 5_000_000,
    max_unpacked_bytes: 512 << 20,
    smallest_mm: 0.0,
    largest_mm: f64::INFINITY,
};

fn measured(format: Format, bytes: &[u8]) -> Measures {
    measure(format, bytes, &ANY_SIZE).expect("a closed model")
}

fn error(format: Format, bytes: &[u8]) -> MeshError {
    measure(format, bytes, &ANY_SIZE).expect_err("not a closed model")
}

#[track_caller]
fn assert_volume(format: Format, bytes: &[u8], volume: f64) {
    let measures = measured(format, bytes);
    assert!((measures.volume_mm3 - volume).abs() <= 1e-9 * volume, "{measures:?} instead of {volume} mm³");
}

#[track_caller]
fn assert_surface(format: Format, bytes: &[u8], surface: f64) {
    let measures = measured(format, bytes);
    assert!((measures.surface_mm2 - surface).abs() <= 1e-9 * surface, "{measures:?} instead of {surface} mm²");
}

// --- STL ---

#[test]
fn a_binary_stl_that_begins_with_solid_is_binary() {
    let mut bytes = cube(10.0).to_binary_stl();
    bytes[..80].fill(b' ');
    bytes[..19].copy_from_slice(b"solid ring\nfacet no");
    assert_volume(Format::Stl, &bytes, 1000.0);
    assert!(mesh::sniff(Format::Stl, &bytes[..200], Some(bytes.len() as u64)));
}

#[test]
fn bytes_after_the_last_triangle_of_a_binary_stl_are_ignored() {
    let mut bytes = cube(10.0).to_binary_stl();
    bytes.extend(b"\0\0made by a program that pads");
    assert_volume(Format::Stl, &bytes, 1000.0);
    bytes[..6].copy_from_slice(b"solid ");
    assert_volume(Format::Stl, &bytes, 1000.0);
}

#[test]
fn an_ascii_stl_with_windows_line_ends_is_read() {
    let text = String::from_utf8(cube(10.0).to_ascii_stl()).expect("text").replace('\n', "\r\n");
    assert_volume(Format::Stl, text.as_bytes(), 1000.0);
    assert_volume(Format::Stl, text.replace("\r\n", "\r").as_bytes(), 1000.0);
}

#[test]
fn an_ascii_stl_in_upper_case_with_bom_tabs_and_any_number_format_is_read() {
    let text = String::from_utf8(cube(10.0).to_ascii_stl()).expect("text");
    let text = text.replace(" 1e1", " +10.000").replace(" 0e0", " -.0E+00").replace("  ", "\t").to_uppercase();
    assert!(text.contains("+10.000") && text.contains("-.0E+00"));
    assert_volume(Format::Stl, format!("\u{feff}\r\n {text}").as_bytes(), 1000.0);
}

#[test]
fn several_solids_in_one_ascii_stl_are_added() {
    let near = cube(10.0).to_ascii_stl();
    let far = cube(5.0).map(|[x, y, z]| [x + 100.0, y, z]).to_ascii_stl();
    assert_volume(Format::Stl, &[near, far].concat(), 1125.0);
}

#[test]
fn an_ascii_solid_may_have_any_name_and_normals_that_are_not_numbers() {
    let text = String::from_utf8(cube(10.0).to_ascii_stl()).expect("text");
    let text =
        text.replace("solid model", "solid facet normal vertex").replace("normal 0 0 0", "normal nan -nan(ind) inf");
    assert_volume(Format::Stl, text.as_bytes(), 1000.0);
}

// --- OBJ ---

/// A cube of quads, with texture coordinates, normals, relative indices, and all elements that are ignored.
const QUADS: &str = "# a cube\nmtllib materials.mtl\no cube\ng faces all\ns off\nusemtl gold\n\
    v 0 0 0 1.0\nv 10 0 0\nv 10 10 0 0.1 0.2 0.3\nv 0 10 0\nv 0 0 10\nv 10 0 10\nv 10 10 10\nv 0 10 10\n\
    vt 0 0\nvn 0 0 1\nvp 0\n\
    f 1/1/1 4/1/1 3/1/1 2/1/1\nf -4//1 -3//1 -2//1 -1//1\nf 1/1 2/1 6/1 5/1\nf 2 3 7 6 # side\n\
    f 3 4 \\\n 8 7\nf -8 -4 \\\r\n\t -1 \\\n -5\nl 1 2 3\np 1\n";

#[test]
fn an_obj_with_quads_relative_indices_and_continued_lines_is_read() {
    assert_volume(Format::Obj, QUADS.as_bytes(), 1000.0);
    assert_surface(Format::Obj, QUADS.as_bytes(), 600.0);
    assert_eq!(measured(Format::Obj, QUADS.as_bytes()).triangles, 12);
    assert_volume(Format::Obj, QUADS.replace("\r\n", "\n").replace('\n', "\r\n").as_bytes(), 1000.0);
}

#[test]
fn a_concave_polygon_has_its_own_area_not_that_of_its_triangles() {
    // A prism of height 2 over an L of area 3. The fan of triangles from the first corner crosses the reflex corner.
    let outline = [(0, 2), (0, 0), (2, 0), (2, 1), (1, 1), (1, 2)];
    let mut text = String::new();
    for z in [0, 2] {
        for (x, y) in outline {
            text += &format!("v {x} {y} {z}\n");
        }
    }
    text += "f 6 5 4 3 2 1\nf 7 8 9 10 11 12\n";
    for i in 0..6 {
        let j = (i + 1) % 6;
        text += &format!("f {} {} {} {}\n", i + 1, j + 1, j + 7, i + 7);
    }
    for start in 0..6 {
        let rotated: Vec<_> = (0..6).map(|i| (7 + (start + i) % 6).to_string()).collect();
        let text = text.replace("f 7 8 9 10 11 12", &format!("f {}", rotated.join(" ")));
        assert_volume(Format::Obj, text.as_bytes(), 6.0);
        assert_surface(Format::Obj, text.as_bytes(), 2.0 * 3.0 + 8.0 * 2.0);
    }
}

#[test]
fn a_polygon_that_is_not_flat_has_the_area_of_its_triangles() {
    // The three upper sides of a pyramid as one face, with the outline of its bottom.
    let corners = "v 0 0 0\nv 10 0 0\nv 0 10 0\nv 0 0 10\nf 1 3 2\n";
    let separate = format!("{corners}f 4 1 2\nf 4 2 3\nf 4 3 1\n");
    let bent = format!("{corners}f 4 1 2 3 1\n");
    let expected = measured(Format::Obj, separate.as_bytes());
    assert_volume(Format::Obj, bent.as_bytes(), expected.volume_mm3);
    assert_surface(Format::Obj, bent.as_bytes(), expected.surface_mm2);
}

#[test]
fn faces_may_come_before_their_vertices() {
    let (faces, vertices): (Vec<_>, Vec<_>) = std::str::from_utf8(&cube(10.0).to_obj())
        .expect("text")
        .lines()
        .map(str::to_owned)
        .partition(|line| line.starts_with('f'));
    assert_volume(Format::Obj, [faces, vertices].concat().join("\n").as_bytes(), 1000.0);
}

// --- 3MF ---

fn object(id: u32, solid: &Solid) -> String {
    format!("<object id=\"{id}\">{}</object>", solid.to_3mf_mesh())
}

#[test]
fn a_3mf_in_inches_with_a_component_transform_is_in_millimetres() {
    // A cube of one inch, doubled along x and turned by a quarter around z.
    let resources = object(1, &cube(1.0))
        + "<object id=\"2\"><components><component objectid=\"1\" transform=\"0 2 0 -1 0 0 0 0 1 5 5 5\"/></components></object>";
    let bytes = model_3mf("inch", &resources, "<item objectid=\"2\" transform=\"1 0 0 0 1 0 0 0 1 100 0 0\"/>");
    assert_volume(Format::ThreeMf, &bytes, 2.0 * 25.4_f64.powi(3));
    assert_surface(Format::ThreeMf, &bytes, 10.0 * 25.4_f64.powi(2));
}

#[test]
fn every_unit_of_3mf_is_supported() {
    for (unit, millimetres) in [
        ("micron", 0.001),
        ("millimeter", 1.0),
        ("centimeter", 10.0),
        ("inch", 25.4),
        ("foot", 304.8),
        ("meter", 1000.0),
    ] {
        let bytes = model_3mf(unit, &object(1, &cube(2.0)), "<item objectid=\"1\"/>");
        assert_volume(Format::ThreeMf, &bytes, 8.0 * f64::powi(millimetres, 3));
    }
    let bytes = model_3mf("furlong", &object(1, &cube(2.0)), "<item objectid=\"1\"/>");
    assert_eq!(error(Format::ThreeMf, &bytes).kind(), "model_unreadable");
}

#[test]
fn nested_components_are_measured_once_per_placement() {
    let pair = |id: u32, of: u32, transform: &str| {
        format!(
            "<object id=\"{id}\"><components><component objectid=\"{of}\"/>\
             <component objectid=\"{of}\" transform=\"{transform}\"/></components></object>"
        )
    };
    let resources =
        object(1, &cube(1.0)) + &pair(2, 1, "2 0 0 0 2 0 0 0 2 9 0 0") + &pair(3, 2, "1 0 0 0 1 0 0 0 3 0 9 0");
    let bytes = model_3mf("millimeter", &resources, "<item objectid=\"3\"/><item objectid=\"1\"/>");
    assert_eq!(measured(Format::ThreeMf, &bytes).triangles, 5 * 12);
    assert_volume(Format::ThreeMf, &bytes, (1.0 + 8.0) * (1.0 + 3.0) + 1.0);
    assert_surface(Format::ThreeMf, &bytes, 6.0 + 24.0 + (2.0 + 12.0) + (8.0 + 4.0 * 12.0) + 6.0);
}

#[test]
fn a_mirrored_component_adds_to_the_volume() {
    let resources = object(1, &cube(10.0))
        + "<object id=\"2\"><components><component objectid=\"1\"/>\
           <component objectid=\"1\" transform=\"-1 0 0 0 1 0 0 0 1 -5 0 0\"/></components></object>";
    let bytes = model_3mf("millimeter", &resources, "<item objectid=\"2\"/>");
    assert_volume(Format::ThreeMf, &bytes, 2000.0);
}

#[test]
fn a_non_uniform_scale_changes_the_surface_like_that_of_the_triangles() {
    let ball = sphere(3.0, 24);
    let stretched = ball.clone().map(|[x, y, z]| [2.0 * x + 0.5 * y, y, 0.25 * z]);
    let bytes =
        model_3mf("millimeter", &object(1, &ball), "<item objectid=\"1\" transform=\"2 0 0 0.5 1 0 0 0 0.25 1 2 3\"/>");
    let expected = measured(Format::Obj, &stretched.to_obj());
    assert_volume(Format::ThreeMf, &bytes, expected.volume_mm3);
    assert_surface(Format::ThreeMf, &bytes, expected.surface_mm2);
}

#[test]
fn objects_in_other_parts_of_the_package_are_measured() {
    let root = model_part(
        "millimeter",
        "<object id=\"8\"><components><component p:path=\"/3D/Objects/Tom &amp; Ann_1.model\" objectid=\"1\" \
         transform=\"2 0 0 0 1 0 0 0 1 0 0 0\"/></components></object>",
        "<item objectid=\"8\"/><item p:path=\"/3d/objects/SECOND.model\" objectid=\"1\"/>",
    );
    let first = model_part("millimeter", &object(1, &cube(2.0)), "");
    let second = model_part("millimeter", &object(1, &cube(3.0)), "");
    let bytes = package_3mf(&[
        ("3D/3dmodel.model", &root),
        ("3D/Objects/Tom & Ann_1.model", &first),
        ("3D/Objects/second.model", &second),
    ]);
    assert_volume(Format::ThreeMf, &bytes, 16.0 + 27.0);
}

#[test]
fn the_model_is_the_part_that_the_package_names_or_else_the_conventional_one() {
    let small = model_part("millimeter", &object(1, &cube(1.0)), "<item objectid=\"1\"/>");
    let large = model_part("millimeter", &object(1, &cube(2.0)), "<item objectid=\"1\"/>");
    let named = package_3mf(&[("Model/main.model", &large), ("3D/3dmodel.model", &small)]);
    assert_volume(Format::ThreeMf, &named, 8.0);
    assert_volume(Format::ThreeMf, &archive(&[("3D/3dmodel.model", small.as_bytes())]), 1.0);
}

#[test]
fn a_3mf_with_a_namespace_prefix_and_extensions_is_read() {
    let mesh = cube(2.0).to_3mf_mesh().replace("</", "\u{1}").replace('<', "<m:").replace('\u{1}', "</m:");
    let root = format!(
        "<m:model unit='millimeter' xmlns:m='http://schemas.microsoft.com/3dmanufacturing/core/2015/02' xmlns:s='slices'>\
         <!-- <m:item objectid='9'/> --><m:metadata name='Title'>a &lt; b</m:metadata><m:resources>\
         <s:slicestack id='1'><m:object id='1'/><s:vertices><s:vertex x='1' y='1'/></s:vertices></s:slicestack>\
         <m:object id='1'>{mesh}</m:object></m:resources><m:build><m:item objectid='1'></m:item></m:build></m:model>"
    );
    assert_volume(Format::ThreeMf, &package_3mf(&[("3D/3dmodel.model", &root)]), 8.0);
}

#[test]
fn supports_and_objects_that_are_not_built_are_not_measured() {
    let mut open = cube(5.0);
    open.triangles.pop();
    let resources = object(1, &cube(2.0))
        + &object(2, &open)
        + &object(3, &open).replace("<object ", "<object type=\"support\" ")
        + "<object id=\"4\" type=\"model\"><components><component objectid=\"1\"/><component objectid=\"3\"/></components></object>";
    let bytes = model_3mf("millimeter", &resources, "<item objectid=\"4\"/>");
    assert_volume(Format::ThreeMf, &bytes, 8.0);
    let bytes = model_3mf("millimeter", &resources, "<item objectid=\"4\"/><item objectid=\"2\"/>");
    assert!(matches!(error(Format::ThreeMf, &bytes), MeshError::NotClosed { open_edges: 3, .. }));
    assert_eq!(error(Format::ThreeMf, &model_3mf("millimeter", &resources, "")), MeshError::Empty);
}

// --- Surfaces that are not solids ---

#[test]
fn a_hole_is_reported_with_its_edges_and_place_in_every_format() {
    let mut open = cube(10.0);
    open.triangles.remove(4);
    let files = Format::ALL.map(|format| (format, open.to_file(format)));
    for (format, bytes) in files.into_iter().chain([(Format::Stl, open.to_ascii_stl())]) {
        let error = error(format, &bytes);
        let MeshError::NotClosed { open_edges: 3, holes: 1, largest_at: [x, y, z] } = error else {
            panic!("{error:?}");
        };
        assert!(y == 0.0 && (0.0..=10.0).contains(&x) && (0.0..=10.0).contains(&z), "{error:?}");
        assert_eq!((error.code(), error.kind()), ("not_closed", "model_not_closed"));
        assert!(error.for_customer(Language::English).contains("3 edges"), "{}", error.for_customer(Language::English));
    }
}

#[test]
fn of_several_holes_the_largest_is_named() {
    let mut open = join(cube(1.0), cube(10.0).map(|[x, y, z]| [x + 20.0, y, z]));
    // A triangle of the bottom of the small cube, both of the top of the large one.
    open.triangles.remove(0);
    open.triangles.drain(13..15);
    let error = error(Format::Stl, &open.to_binary_stl());
    assert_eq!(error, MeshError::NotClosed { open_edges: 7, holes: 2, largest_at: [25.0, 5.0, 10.0] });
    assert!(error.to_string().contains("2 holes, the largest at (25, 5, 10)"), "{error}");
}

#[test]
fn an_edge_of_three_triangles_is_not_called_a_hole() {
    let error = error(Format::Stl, include_bytes!("models/3DSMaxExport.STL"));
    assert!(matches!(error, MeshError::NonManifold { edges: 16, .. }), "{error:?}");
    assert_eq!(error.code(), "non_manifold");
    assert!(error.to_string().contains("16 edges have three or more triangles, the first at ("), "{error}");
}

#[test]
fn two_cells_with_a_single_wall_between_them_are_told_with_its_place() {
    let mut cells = join(cube(10.0), cube(10.0).map(|[x, y, z]| [x + 10.0, y, z]));
    let far = |solid: &Solid, index: usize| {
        solid.triangles[index].iter().all(|&corner| solid.vertices[corner as usize][0] == 10.0)
    };
    let wall: Vec<usize> = (12..24).filter(|&index| far(&cells, index)).collect();
    cells.triangles.drain(wall[0]..=wall[1]);
    let error = error(Format::Obj, &cells.to_obj());
    let MeshError::NonManifold { edges: 4, first_at: [x, ..] } = error else { panic!("{error:?}") };
    assert_eq!(x, 10.0);
}

fn join(mut first: Solid, second: Solid) -> Solid {
    let offset = first.vertices.len() as u32;
    first.vertices.extend(second.vertices);
    first.triangles.extend(second.triangles.iter().map(|triangle| triangle.map(|index| index + offset)));
    first
}

#[test]
fn a_doubled_sheet_encloses_no_volume() {
    // Tilted, so that coordinates and sums are rounded.
    let sheet = Solid {
        vertices: vec![[0.1, 0.2, 0.3], [10.1, 1.2, 3.3], [11.1, 12.2, 6.7], [1.1, 11.2, 3.7]],
        triangles: vec![[0, 1, 2], [0, 2, 3], [0, 2, 1], [0, 3, 2]],
    };
    for format in Format::ALL {
        assert_eq!(error(format, &sheet.to_file(format)), MeshError::NoVolume);
    }
}
