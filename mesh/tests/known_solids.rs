//! Solids with known formulas for volume and surface, in every format.

use std::f64::consts::{PI, TAU};

use mesh::solids::{Solid, cube, cube_with_hole, sphere, torus};
use mesh::{Format, Limits, Measures, measure};

/// Limits for models of any size.
const ANY_SIZE: Limits = Limits {
    max_triangles: 5_000_000,
    max_vertices: 5_000_000,
    max_unpacked_bytes: 512 << 20,
    smallest_mm: 0.0,
    largest_mm: f64::INFINITY,
};

/// The solid as a file of each encoding.
fn files(solid: &Solid) -> [(&'static str, Format, Vec<u8>); 4] {
    [
        ("binary STL", Format::Stl, solid.to_binary_stl()),
        ("ASCII STL", Format::Stl, solid.to_ascii_stl()),
        ("OBJ", Format::Obj, solid.to_obj()),
        ("3MF", Format::ThreeMf, solid.to_3mf()),
    ]
}

/// Asserts the measures of the solid in every format, with a relative difference of at most `tolerance`.
fn assert_measures(solid: &Solid, volume: f64, surface: f64, tolerance: f64) {
    for (name, format, bytes) in files(solid) {
        let measures = measure(format, &bytes, &ANY_SIZE).expect(name);
        assert_eq!(measures.triangles, solid.triangles.len() as u64, "{name}");
        assert_close(measures.volume_mm3, volume, tolerance, name);
        assert_close(measures.surface_mm2, surface, tolerance, name);
    }
}

#[track_caller]
fn assert_close(actual: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((actual - expected).abs() <= tolerance * expected, "{what}: {actual} instead of {expected}");
}

/// The volume of the polyhedron of `solids::torus`: a polygon of `n` corners that is turned around an axis in `n`
/// straight steps. The volume of each step follows from Pappus' theorem with a chord instead of the arc.
fn polyhedral_torus_volume(ring: f64, tube: f64, n: f64) -> f64 {
    let polygon = n / 2.0 * tube * tube * (TAU / n).sin();
    let turned = n * (TAU / n).sin();
    polygon * turned * ring
}

#[test]
fn a_cube_is_measured_exactly() {
    assert_measures(&cube(10.0), 1000.0, 600.0, 1e-12);
}

#[test]
fn a_cube_with_a_square_hole_is_measured_exactly() {
    let (edge, hole) = (12.0, 5.0);
    let volume = edge * (edge * edge - hole * hole);
    let surface = 2.0 * (edge * edge - hole * hole) + 4.0 * edge * edge + 4.0 * hole * edge;
    assert_measures(&cube_with_hole(edge, hole), volume, surface, 1e-6);
}

#[test]
fn a_sphere_of_few_segments_has_the_volume_of_its_polyhedron() {
    // Each segment is a wedge between two half polygons: frusta whose horizontal sections are triangles of the angle
    // τ/n.
    let (radius, segments) = (7.0, 16_u32);
    let rows = segments / 2;
    let circle = |row: u32| (PI * f64::from(row) / f64::from(rows)).sin_cos();
    let per_square = f64::from(segments) / 2.0 * (TAU / f64::from(segments)).sin();
    let frusta: f64 = (0..rows)
        .map(|row| {
            let ((upper, high), (lower, low)) = (circle(row), circle(row + 1));
            (high - low) * (upper * upper + upper * lower + lower * lower) / 3.0
        })
        .sum();
    let volume = radius * radius * radius * per_square * frusta;
    for (name, format, bytes) in files(&sphere(radius, segments)) {
        let measures = measure(format, &bytes, &ANY_SIZE).expect(name);
        assert_close(measures.volume_mm3, volume, 1e-6, name);
    }
}

#[test]
fn a_sphere_of_many_segments_is_within_a_ten_thousandth_of_the_round_one() {
    let radius: f64 = 9.0;
    assert_measures(&sphere(radius, 500), 4.0 / 3.0 * PI * radius.powi(3), 4.0 * PI * radius.powi(2), 1e-4);
}

#[test]
fn a_torus_of_few_segments_has_the_volume_of_its_polyhedron() {
    for (name, format, bytes) in files(&torus(10.0, 3.0, 24)) {
        let measures = measure(format, &bytes, &ANY_SIZE).expect(name);
        assert_close(measures.volume_mm3, polyhedral_torus_volume(10.0, 3.0, 24.0), 1e-6, name);
    }
}

#[test]
fn a_torus_of_many_segments_is_within_a_ten_thousandth_of_the_round_one() {
    let (ring, tube) = (10.0, 3.0);
    assert_measures(&torus(ring, tube, 500), TAU * ring * PI * tube * tube, TAU * ring * TAU * tube, 1e-4);
}

#[test]
fn a_solid_that_is_inside_out_has_the_same_measures() {
    assert_measures(&cube(3.0).inside_out(), 27.0, 54.0, 1e-12);
}

#[test]
fn a_model_far_from_the_origin_is_measured_without_loss_of_precision() {
    // 16 km from the origin, where single precision still resolves whole millimetres.
    let far = cube(10.0).map(|[x, y, z]| [x + 16_000_000.0, y - 16_000_000.0, z + 16_000_000.0]);
    assert_measures(&far, 1000.0, 600.0, 1e-12);
}

#[test]
fn several_shells_are_added_and_a_cavity_is_subtracted() {
    let outside = cube(10.0);
    let cavity = cube(4.0).map(|[x, y, z]| [x + 3.0, y + 3.0, z + 3.0]).inside_out();
    let beside = cube(2.0).map(|[x, y, z]| [x + 20.0, y, z]);
    let all = [outside, cavity, beside].into_iter().reduce(join).expect("three solids");
    assert_measures(&all, 1000.0 - 64.0 + 8.0, 600.0 + 96.0 + 24.0, 1e-12);
}

#[test]
fn solids_that_share_an_edge_are_closed() {
    // Four triangles meet at the common edge: not a manifold, but closed.
    let touching = join(cube(10.0), cube(10.0).map(|[x, y, z]| [x + 10.0, y + 10.0, z]));
    assert_measures(&touching, 2000.0, 1200.0, 1e-12);
}

#[test]
fn triangles_without_area_change_only_the_count() {
    let mut solid = cube(10.0);
    solid.triangles.extend([[0, 0, 1], [3, 5, 3], [7, 7, 7]]);
    assert_measures(&solid, 1000.0, 600.0, 1e-12);
}

#[test]
fn vertices_of_the_same_position_are_the_same_vertex() {
    let indexed = cube(10.0);
    let separate = Solid {
        vertices: indexed.triangles.iter().flatten().map(|&index| indexed.vertices[index as usize]).collect(),
        triangles: (0..indexed.triangles.len() as u32)
            .map(|index| [0, 1, 2].map(|corner| 3 * index + corner))
            .collect(),
    };
    assert_measures(&separate, 1000.0, 600.0, 1e-12);
}

#[test]
fn the_same_bytes_always_have_the_same_measures() {
    let bytes = sphere(5.0, 40).to_binary_stl();
    let measures: Vec<Measures> = (0..5).map(|_| measure(Format::Stl, &bytes, &ANY_SIZE).expect("a sphere")).collect();
    assert!(measures.iter().all(|other| *other == measures[0]));
}

fn join(mut first: Solid, second: Solid) -> Solid {
    let offset = first.vertices.len() as u32;
    first.vertices.extend(second.vertices);
    first.triangles.extend(second.triangles.iter().map(|triangle| triangle.map(|index| index + offset)));
    first
}
