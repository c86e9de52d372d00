//! Properties of any input, tested on generated inputs.

use mesh::solids::{Solid, archive, cube_with_hole, package_3mf, sphere, torus};
use mesh::{Format, Limits, Measures, Unit, inspect, measure, sniff};
use proptest::prelude::*;

/// Limits for models of any size.
const ANY_SIZE: Limits = Limits {
    max_triangles: 5_000_000,
    max_vertices: 5_000_000,
    max_unpacked_bytes: 512 << 20,
    smallest_mm: 0.0,
    largest_mm: f64::INFINITY,
};

fn solids() -> impl Strategy<Value = Solid> {
    prop_oneof![
        (0.1..100.0, 4_u32..20).prop_map(|(radius, segments)| sphere(radius, segments)),
        (1.0..10.0, 0.1..0.9, 3_u32..16).prop_map(|(ring, tube, segments)| torus(ring, tube, segments)),
        (1.0..50.0, 0.1..0.9).prop_map(|(edge, part)| cube_with_hole(edge, edge * part)),
    ]
}

fn measured(format: Format, bytes: &[u8]) -> Measures {
    measure(format, bytes, &ANY_SIZE).expect("a solid")
}

#[track_caller]
fn assert_close(actual: f64, expected: f64, tolerance: f64) {
    assert!((actual - expected).abs() <= tolerance * expected, "{actual} instead of {expected}");
}

/// The length of all triangles' edges together.
fn perimeters(solid: &Solid) -> f64 {
    let corner = |corner: u32| solid.vertices[corner as usize];
    let length = |[a, b]: [u32; 2]| {
        corner(a).iter().zip(corner(b)).map(|(one, other)| (one - other).powi(2)).sum::<f64>().sqrt()
    };
    solid.triangles.iter().flat_map(|&[a, b, c]| [[a, b], [b, c], [c, a]]).map(length).sum()
}

/// Text of the keywords and numbers of STL and OBJ, in any order.
fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("solid"),
        Just("facet normal 0 0 1"),
        Just("outer loop"),
        Just("vertex"),
        Just("endloop"),
        Just("endfacet"),
        Just("v"),
        Just("f"),
        Just("\\\n"),
        Just("\\"),
        Just("\n"),
        Just("\r"),
        Just("#"),
        Just("1"),
        Just("-1"),
        Just("2/2"),
        Just("3//1"),
        Just("0"),
        Just("1e400"),
        Just("-.5"),
        Just("nan"),
        Just("."),
    ];
    prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
}

/// XML of the elements of 3MF, opened and closed in any order.
fn xml() -> impl Strategy<Value = String> {
    let tag = prop_oneof![
        Just("<model>"),
        Just("</model>"),
        Just("<resources>"),
        Just("</resources>"),
        Just("<object id=\"1\">"),
        Just("<object id='2' type='other'/>"),
        Just("</object>"),
        Just("<mesh>"),
        Just("</mesh>"),
        Just("<vertices>"),
        Just("</vertices>"),
        Just("<vertex x='1' y='2' z='3'/>"),
        Just("<triangles>"),
        Just("</triangles>"),
        Just("<triangle v1='0' v2='1' v3='2'/>"),
        Just("<components>"),
        Just("</components>"),
        Just("<component objectid='1'/>"),
        Just("<build>"),
        Just("</build>"),
        Just("<item objectid='1'/>"),
        Just("<!--"),
        Just("-->"),
        Just("<![CDATA["),
        Just("]]>"),
        Just("<?a"),
        Just("?>"),
        Just("<a b='"),
        Just("&b;"),
        Just("<x =''/>"),
        Just("<"),
        Just(">"),
    ];
    prop::collection::vec(tag, 0..40).prop_map(|tags| format!("<model><resources>{}", tags.concat()))
}

proptest! {
    #[test]
    fn no_reader_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for format in Format::ALL {
            let _ = measure(format, &bytes, &ANY_SIZE);
            let _ = sniff(format, &bytes, None);
        }
    }

    #[test]
    fn no_text_reader_panics_on_any_keywords(text in words()) {
        let _ = measure(Format::Obj, text.as_bytes(), &ANY_SIZE);
        let _ = measure(Format::Stl, text.as_bytes(), &ANY_SIZE);
        let _ = measure(Format::Stl, format!("solid\n{text}").as_bytes(), &ANY_SIZE);
    }

    #[test]
    fn the_3mf_reader_panics_on_no_xml(text in xml(), relationships in xml()) {
        let _ = measure(Format::ThreeMf, &package_3mf(&[("3D/3dmodel.model", &text)]), &ANY_SIZE);
        let entries = [("_rels/.rels", relationships.as_bytes()), ("3D/3dmodel.model", text.as_bytes())];
        let _ = measure(Format::ThreeMf, &archive(&entries), &ANY_SIZE);
    }

    #[test]
    fn no_reader_panics_on_a_damaged_file(
        solid in solids(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        for format in Format::ALL {
            let mut bytes = solid.to_file(format);
            for (index, value) in &damage {
                let position = index.index(bytes.len());
                bytes[position] = *value;
            }
            if let Ok(measures) = measure(format, &bytes, &ANY_SIZE) {
                prop_assert!(measures.volume_mm3.is_finite() && measures.volume_mm3 > 0.0);
            }
        }
    }

    #[test]
    fn all_formats_have_the_same_measures(solid in solids()) {
        let expected = measured(Format::Obj, &solid.to_obj());
        for bytes in [solid.to_binary_stl(), solid.to_ascii_stl()] {
            let actual = measured(Format::Stl, &bytes);
            prop_assert_eq!(actual.triangles, expected.triangles);
            assert_close(actual.volume_mm3, expected.volume_mm3, 1e-4);
            assert_close(actual.surface_mm2, expected.surface_mm2, 1e-4);
        }
        prop_assert_eq!(measured(Format::ThreeMf, &solid.to_3mf()), expected);
    }

    #[test]
    fn translation_and_rotation_do_not_change_the_measures(solid in solids(), angle in 0.0..6.3, moved in prop::array::uniform3(-1e3..1e3)) {
        let (sin, cos): (f64, f64) = f64::sin_cos(angle);
        let turned = solid.clone().map(|[x, y, z]| {
            let (x, y) = (cos * x - sin * y, sin * x + cos * y);
            let (y, z) = (cos * y - sin * z, sin * y + cos * z);
            [x + moved[0], y + moved[1], z + moved[2]]
        });
        let (before, after) = (measured(Format::Obj, &solid.to_obj()), measured(Format::Obj, &turned.to_obj()));
        assert_close(after.volume_mm3, before.volume_mm3, 1e-8);
        assert_close(after.surface_mm2, before.surface_mm2, 1e-8);
    }

    #[test]
    fn the_volume_grows_with_the_cube_of_the_scale(solid in solids(), scale in 0.01..100.0) {
        let scaled = solid.clone().map(|vertex| vertex.map(|coordinate| coordinate * scale));
        let (before, after) = (measured(Format::Obj, &solid.to_obj()), measured(Format::Obj, &scaled.to_obj()));
        assert_close(after.volume_mm3, before.volume_mm3 * f64::powi(scale, 3), 1e-9);
        assert_close(after.surface_mm2, before.surface_mm2 * scale * scale, 1e-9);
    }

    #[test]
    fn a_missing_triangle_is_always_detected(solid in solids(), index in any::<prop::sample::Index>()) {
        let mut open = solid;
        open.triangles.remove(index.index(open.triangles.len()));
        for format in Format::ALL {
            let error = measure(format, &open.to_file(format), &ANY_SIZE).expect_err("an open surface");
            let three = matches!(error, mesh::MeshError::NotClosed { open_edges: 3, holes: 1, .. });
            prop_assert!(three, "{:?}", error);
        }
    }

    #[test]
    fn flipping_any_subset_of_separate_bodies_does_not_change_the_volume(
        bodies in prop::collection::vec((solids(), any::<bool>()), 2..5),
    ) {
        let place = |index: usize, solid: Solid| solid.map(|[x, y, z]| [x + 500.0 * index as f64, y, z]);
        let straight = joined(bodies.iter().enumerate().map(|(index, (solid, _))| place(index, solid.clone())));
        let flipped = joined(bodies.iter().enumerate().map(|(index, (solid, flip))| {
            let solid = place(index, solid.clone());
            if *flip { solid.inside_out() } else { solid }
        }));
        for format in Format::ALL {
            let before = measured(format, &straight.to_file(format));
            let after = measured(format, &flipped.to_file(format));
            assert_close(after.volume_mm3, before.volume_mm3, 1e-9);
        }
    }

    #[test]
    fn the_order_of_triangles_and_their_corners_does_not_change_the_volume(
        solid in solids(),
        seed in any::<u64>(),
    ) {
        let mut shuffled = solid.clone();
        let mut state = seed;
        for last in (1..shuffled.triangles.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.triangles.swap(last, (state >> 33) as usize % (last + 1));
            shuffled.triangles[last].rotate_left((state >> 60) as usize % 3);
        }
        for format in Format::ALL {
            let before = measured(format, &solid.to_file(format));
            assert_close(measured(format, &shuffled.to_file(format)).volume_mm3, before.volume_mm3, 1e-9);
        }
    }

    #[test]
    fn noise_far_below_the_tolerance_is_welded_and_does_not_change_the_volume(
        solid in solids(),
        noise in prop::collection::vec(-0.1..0.1, 64),
    ) {
        let before = measured(Format::Obj, &solid.to_obj());
        let extent = solid.vertices.iter().flatten().fold(0.0, |extent: f64, coordinate| extent.max(coordinate.abs()));
        let corners: Vec<[f64; 3]> =
            solid.triangles.iter().flatten().map(|&corner| solid.vertices[corner as usize]).collect();
        let vertices: Vec<[f64; 3]> = corners
            .into_iter()
            .enumerate()
            .map(|(index, vertex)| {
                [0, 1, 2].map(|axis| vertex[axis] + 1e-6 * extent * noise[(7 * index + axis) % noise.len()])
            })
            .collect();
        let triangles = (0..vertices.len() as u32 / 3).map(|index| [3 * index, 3 * index + 1, 3 * index + 2]).collect();
        let noisy = Solid { vertices, triangles };
        // Corners that don't meet leave slits, so the volume depends on where the triangles are seen from. Moving a corner
        // changes the volume between a triangle and that point by a sixth of the way, the distance and the opposite edge.
        // Noise and single precision together move each coordinate by less than this.
        let moved = 2e-7 * extent * 3_f64.sqrt();
        let distance = 2.0 * extent * 3_f64.sqrt();
        let bound = moved * distance * perimeters(&solid) / 6.0;
        for format in Format::ALL {
            let volume = measured(format, &noisy.to_file(format)).volume_mm3;
            assert!((volume - before.volume_mm3).abs() <= bound, "{volume} instead of {}: {bound}", before.volume_mm3);
        }
    }

    #[test]
    fn noise_about_as_large_as_the_tolerance_has_the_same_result_in_every_format(
        solid in solids(),
        noise in prop::collection::vec(-1.5..1.5, 64),
        shared in 1..4_usize,
    ) {
        let extent = solid.vertices.iter().flatten().fold(0.0, |extent: f64, coordinate| extent.max(coordinate.abs()));
        // Copies of the vertices, each moved a little, of which the triangles use one or another.
        let moved = |copy: usize, index: usize, axis: usize| noise[(copy * 31 + 7 * index + axis) % noise.len()];
        let copies = (0..shared).flat_map(|copy| {
            let solid = &solid;
            let vertex = move |(index, vertex): (usize, &[f64; 3])| {
                [0, 1, 2].map(|axis| f64::from((vertex[axis] + 1e-6 * extent * moved(copy, index, axis)) as f32))
            };
            solid.vertices.iter().enumerate().map(vertex)
        });
        let count = solid.vertices.len() as u32;
        let used = |(index, triangle): (usize, &[u32; 3])| triangle.map(|corner| corner + count * (index % shared) as u32);
        let noisy = Solid { vertices: copies.collect(), triangles: solid.triangles.iter().enumerate().map(used).collect() };
        let result = |format: Format, bytes: &[u8]| {
            inspect(format, Unit::Millimetre, bytes, &ANY_SIZE).map(|model| model.mended).map_err(|error| error.code())
        };
        let expected = result(Format::Stl, &noisy.to_binary_stl());
        for format in Format::ALL {
            prop_assert_eq!(result(format, &noisy.to_file(format)), expected, "{:?}", format);
        }
    }

    #[test]
    fn the_volume_grows_with_the_cube_of_the_unit(solid in solids()) {
        for format in [Format::Stl, Format::Obj] {
            let file = solid.to_file(format);
            let before = measured(format, &file);
            for unit in Unit::CHOICES {
                let after = inspect(format, unit, &file, &ANY_SIZE).expect("a solid").measures;
                assert_close(after.volume_mm3, before.volume_mm3 * unit.millimetres().powi(3), 1e-12);
            }
        }
    }
}

/// The solids as one.
fn joined(solids: impl Iterator<Item = Solid>) -> Solid {
    let join = |mut first: Solid, second: Solid| {
        let offset = first.vertices.len() as u32;
        first.vertices.extend(second.vertices);
        first.triangles.extend(second.triangles.iter().map(|triangle| triangle.map(|index| index + offset)));
        first
    };
    solids.reduce(join).expect("solids")
}
