//! Files whose surface is closed only after welding, turning triangles, or telling solids from cavities.

use mesh::solids::{Solid, cube, model_3mf, sphere, torus};
use mesh::{Format, Inspection, Limits, Mended, MeshError, Unit, inspect};

fn inspected(format: Format, bytes: &[u8]) -> Inspection {
    inspect(format, Unit::Millimetre, bytes, &Limits::default()).expect("a closed model")
}

#[track_caller]
fn assert_volume(inspection: &Inspection, volume: f64, tolerance: f64) {
    let actual = inspection.measures.volume_mm3;
    assert!((actual - volume).abs() <= tolerance * volume, "{inspection:?} instead of {volume} mm³");
}

/// The solids as one, in this order.
fn all(solids: impl IntoIterator<Item = Solid>) -> Solid {
    let join = |mut first: Solid, second: Solid| {
        let offset = first.vertices.len() as u32;
        first.vertices.extend(second.vertices);
        first.triangles.extend(second.triangles.iter().map(|triangle| triangle.map(|index| index + offset)));
        first
    };
    solids.into_iter().reduce(join).expect("solids")
}

fn at(solid: Solid, x: f64, y: f64, z: f64) -> Solid {
    solid.map(|[a, b, c]| [a + x, b + y, c + z])
}

/// The solid with its own vertices for each triangle, each moved a little.
fn noisy(solid: &Solid, noise: f64) -> Solid {
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        noise * ((state >> 40) as f64 / f64::from(1 << 23) - 1.0)
    };
    let vertices = solid.triangles.iter().flatten().map(|&corner| solid.vertices[corner as usize]);
    let vertices: Vec<_> = vertices.map(|vertex| vertex.map(|coordinate| coordinate + random())).collect();
    let triangles = (0..solid.triangles.len() as u32).map(|index| [3 * index, 3 * index + 1, 3 * index + 2]);
    Solid { triangles: triangles.collect(), vertices }
}

// --- Welding ---

#[test]
fn an_export_whose_corners_differ_by_rounding_is_welded() {
    let inspection = inspected(Format::Stl, include_bytes!("models/Potes.STL"));
    assert_volume(&inspection, 258_322.0, 2e-6);
    assert!(inspection.mended.welded);
    assert_eq!(inspection.mended.reoriented_triangles, 0);
}

#[test]
fn noise_in_the_last_place_is_welded_in_every_format() {
    let solid = torus(10.0, 1.0, 60);
    let expected = inspected(Format::Obj, &solid.to_obj());
    assert_eq!(expected.mended, Mended::default());
    let noisy = noisy(&solid, 2e-6);
    for format in Format::ALL {
        let inspection = inspected(format, &noisy.to_file(format));
        assert_volume(&inspection, expected.measures.volume_mm3, 1e-5);
        assert_eq!((inspection.bodies, inspection.mended.welded), (1, true));
    }
}

#[test]
fn a_gap_of_a_hundredth_of_a_millimetre_in_a_ring_is_refused() {
    let mut ring = torus(9.0, 1.0, 48);
    // A slit: the last row of quads ends short of the first one, whose vertices it no longer shares.
    let first: Vec<_> = ring.vertices[..48].iter().map(|&[x, y, z]| [x, y - 0.01, z]).collect();
    let moved = ring.vertices.len() as u32;
    ring.vertices.extend(first);
    for triangle in &mut ring.triangles[47 * 96..] {
        *triangle = triangle.map(|corner| if corner < 48 { corner + moved } else { corner });
    }
    for format in Format::ALL {
        let error = inspect(format, Unit::Millimetre, &ring.to_file(format), &Limits::default()).expect_err("a slit");
        assert!(matches!(error, MeshError::NotClosed { open_edges: 96, holes: 2, .. }), "{error:?}");
    }
}

// --- Orientation ---

#[test]
fn triangles_that_face_the_wrong_way_are_turned_and_counted() {
    let mut solid = sphere(5.0, 24);
    let expected = inspected(Format::Obj, &solid.to_obj());
    for index in [0, 7, 8, 100] {
        solid.triangles[index].reverse();
    }
    for format in Format::ALL {
        for (solid, turned_bodies) in [(solid.clone(), 0), (solid.clone().inside_out(), 1)] {
            let inspection = inspected(format, &solid.to_file(format));
            assert_volume(&inspection, expected.measures.volume_mm3, 1e-6);
            let mended = Mended { reoriented_triangles: 4, turned_bodies, ..Mended::default() };
            assert_eq!(inspection.mended, mended);
        }
    }
}

#[test]
fn a_surface_with_only_one_side_is_refused_as_such() {
    // A torus whose last row is joined to the first one mirrored: a Klein bottle.
    let (rows, columns) = (12_u32, 8_u32);
    let mut bottle = torus(10.0, 3.0, 12);
    bottle.triangles.clear();
    for row in 0..rows {
        for column in 0..columns {
            let next_column = (column + 1) % columns;
            let vertex = |row: u32, column: u32| {
                if row == rows { (columns - column) % columns } else { row * rows + column }
            };
            let [a, b] = [vertex(row, column), vertex(row + 1, column)];
            let [c, d] = [vertex(row + 1, next_column), vertex(row, next_column)];
            bottle.triangles.extend([[a, b, c], [a, c, d]]);
        }
    }
    let error = inspect(Format::Obj, Unit::Millimetre, &bottle.to_obj(), &Limits::default()).expect_err("one side");
    assert!(matches!(error, MeshError::NotOrientable { .. }), "{error:?}");
    assert_eq!((error.code(), error.kind()), ("not_orientable", "model_not_closed"));
}

// --- Nesting ---

#[test]
fn a_body_beside_others_counts_whichever_way_it_faces() {
    let solids = [sphere(2.0, 12), at(cube(3.0), 5.0, 0.0, 0.0), at(torus(4.0, 1.0, 12), 0.0, 20.0, 0.0)];
    let expected = inspected(Format::Stl, &all(solids.clone()).to_binary_stl());
    assert_eq!((expected.bodies, expected.mended.turned_bodies), (3, 0));
    for subset in 1..8_u32 {
        let turned = solids
            .iter()
            .cloned()
            .enumerate()
            .map(|(index, solid)| if subset >> index & 1 == 1 { solid.inside_out() } else { solid });
        let turned = all(turned);
        for format in Format::ALL {
            let inspection = inspected(format, &turned.to_file(format));
            assert_volume(&inspection, expected.measures.volume_mm3, 1e-6);
            assert_eq!(inspection.mended.turned_bodies, u64::from(subset.count_ones()));
        }
    }
}

#[test]
fn cavities_are_subtracted_and_bodies_in_cavities_added_also_if_all_face_inwards() {
    let hollow = all([
        cube(20.0),
        at(cube(10.0), 5.0, 5.0, 5.0).inside_out(),
        at(cube(4.0), 8.0, 8.0, 8.0),
        at(sphere(1.0, 8), 2.0, 2.0, 2.0).inside_out(),
    ]);
    let bubble = inspected(Format::Obj, &sphere(1.0, 8).to_obj()).measures.volume_mm3;
    for (solid, turned_bodies) in [(hollow.clone(), 0), (hollow.inside_out(), 4)] {
        let inspection = inspected(Format::Obj, &solid.to_obj());
        assert_volume(&inspection, 8000.0 - 1000.0 + 64.0 - bubble, 1e-9);
        assert_eq!((inspection.bodies, inspection.mended.turned_bodies), (4, turned_bodies));
    }
}

#[test]
fn a_body_in_the_hole_of_a_ring_is_no_cavity() {
    let inspection = inspected(Format::Stl, &all([torus(10.0, 2.0, 24), cube(3.0).inside_out()]).to_binary_stl());
    let ring = inspected(Format::Stl, &torus(10.0, 2.0, 24).to_binary_stl());
    assert_volume(&inspection, ring.measures.volume_mm3 + 27.0, 1e-6);
}

#[test]
fn bodies_that_touch_along_an_edge_are_two_whichever_way_they_face() {
    let touching = |second: Solid| all([cube(10.0), at(second, 10.0, 10.0, 0.0)]);
    for second in [cube(10.0), cube(10.0).inside_out()] {
        let inspection = inspected(Format::Stl, &touching(second).to_binary_stl());
        assert_volume(&inspection, 2000.0, 1e-12);
        assert_eq!(inspection.bodies, 2);
    }
}

#[test]
fn cells_with_a_common_doubled_wall_are_measured_as_written() {
    let cells = all([cube(10.0), at(cube(10.0), 10.0, 0.0, 0.0)]);
    assert_volume(&inspected(Format::Stl, &cells.to_binary_stl()), 2000.0, 1e-12);
}

#[test]
fn the_bodies_of_all_placed_objects_are_counted_and_each_mended_mesh_once() {
    let two = all([cube(1.0), at(cube(1.0), 3.0, 0.0, 0.0).inside_out()]);
    let resources = format!("<object id=\"1\">{}</object>", two.to_3mf_mesh());
    let bytes = model_3mf("millimeter", &resources, "<item objectid=\"1\"/><item objectid=\"1\"/>");
    let inspection = inspected(Format::ThreeMf, &bytes);
    assert_volume(&inspection, 4.0, 1e-12);
    assert_eq!((inspection.bodies, inspection.mended.turned_bodies), (4, 1));
}

// --- Overlaps ---

fn overlapping(solids: impl IntoIterator<Item = Solid>) -> u64 {
    inspected(Format::Stl, &all(solids).to_binary_stl()).overlapping_bodies
}

#[test]
fn bodies_that_overlap_count_twice_and_are_reported() {
    let solids = [cube(10.0), at(cube(10.0), 5.0, 5.0, 5.0), at(cube(3.0), 40.0, 0.0, 0.0)];
    let inspection = inspected(Format::Stl, &all(solids).to_binary_stl());
    assert_volume(&inspection, 2027.0, 1e-9);
    assert_eq!(inspection.overlapping_bodies, 2);
    // A prong in a ring, and a solid that faces like the one around it.
    assert_eq!(overlapping([torus(10.0, 2.0, 60), at(sphere(1.5, 20), 12.0, 0.0, 0.0)]), 2);
    assert_eq!(overlapping([cube(10.0), at(cube(2.0), 4.0, 4.0, 4.0)]), 2);
}

#[test]
fn placed_objects_that_overlap_are_reported_and_those_beside_each_other_are_not() {
    let ring = torus(10.0, 2.0, 48);
    let resources = format!(
        "<object id=\"1\">{}</object><object id=\"2\">{}</object><object id=\"3\"><components>\
         <component objectid=\"2\" transform=\"1 0 0 0 1 0 0 0 1 9 0 0\"/></components></object>",
        ring.to_3mf_mesh(),
        cube(3.0).to_3mf_mesh()
    );
    for (build, overlapping) in [
        ("<item objectid=\"1\"/><item objectid=\"3\"/>", 2),
        ("<item objectid=\"1\"/><item objectid=\"3\"/><item objectid=\"2\"/>", 2),
        // In the hole of the ring, and beside it.
        ("<item objectid=\"1\"/><item objectid=\"2\"/>", 0),
        ("<item objectid=\"1\"/><item objectid=\"1\" transform=\"1 0 0 0 1 0 0 0 1 30 0 0\"/>", 0),
        ("<item objectid=\"1\"/><item objectid=\"1\"/>", 2),
    ] {
        let inspection = inspected(Format::ThreeMf, &model_3mf("millimeter", &resources, build));
        assert_eq!(inspection.overlapping_bodies, overlapping, "{build}");
    }
}

#[test]
fn bodies_that_touch_or_nest_do_not_overlap() {
    assert_eq!(overlapping([cube(10.0), at(cube(4.0), 10.0, 2.0, 3.0)]), 0);
    assert_eq!(overlapping([cube(10.0), at(cube(10.0), 10.0, 10.0, 0.0)]), 0);
    assert_eq!(overlapping([torus(10.0, 2.0, 60), sphere(5.0, 20)]), 0);
    let hollow = [cube(20.0), at(cube(10.0), 5.0, 5.0, 5.0).inside_out(), at(cube(4.0), 8.0, 8.0, 8.0)];
    assert_eq!(overlapping(hollow), 0);
}

#[test]
fn bodies_stacked_in_one_line_end_within_the_bounds() {
    // Each of 20,000 bodies has all others behind it.
    let sheet = |index: u32| at(cube(1.0), f64::from(index) * 0.001, 0.0, 0.0);
    let error =
        inspect(Format::Stl, Unit::Millimetre, &all((0..20_000).map(sheet)).to_binary_stl(), &Limits::default());
    assert_eq!(error.map_err(|error| error.code()).err(), Some("too_complex"));
}

// --- Bounds ---

#[test]
fn positions_crowded_into_one_cell_of_the_welder_end_within_the_bounds() {
    // Each triangle has corners of its own, near each other and farther apart than the tolerance of 1e-6 of 100 mm.
    let corner =
        |index: u32| [1.0, 10.0, 100.0].map(|share| f64::from(index % 997) * 1e-6 * share + f64::from(index) * 1e-9);
    let triangles = 200_000;
    let mut crowd = Solid {
        vertices: (0..3 * triangles).map(corner).collect(),
        triangles: (0..triangles).map(|t| [3 * t, 3 * t + 1, 3 * t + 2]).collect(),
    };
    crowd.vertices[0] = [100.0; 3];
    let error = inspect(Format::Obj, Unit::Millimetre, &crowd.to_obj(), &Limits::default());
    assert_eq!(error.map_err(|error| error.code()).err(), Some("not_closed"));
}
