//! Units of length, and sizes that no jewel has.

use mesh::solids::{cube, model_3mf, torus};
use mesh::{Format, Inspection, Limits, MeshError, Unit, inspect, measure, named_unit};

fn inspected(format: Format, unit: Unit, bytes: &[u8]) -> Result<Inspection, MeshError> {
    inspect(format, unit, bytes, &Limits::default())
}

#[test]
fn an_stl_and_an_obj_are_read_in_the_given_unit() {
    for format in [Format::Stl, Format::Obj] {
        for unit in Unit::CHOICES {
            let edge = 12.0 / unit.millimetres();
            let bytes = cube(edge).map(|[x, y, z]| [x, 2.0 * y, z]).to_file(format);
            let inspection = inspected(format, unit, &bytes).expect("a plausible size");
            assert_eq!(inspection.unit, unit);
            let close = |actual: f64, expected: f64| (actual - expected).abs() < 1e-5 * expected;
            assert!(close(inspection.measures.volume_mm3, 2.0 * 12.0_f64.powi(3)), "{inspection:?}");
            assert!(close(inspection.measures.surface_mm2, 10.0 * 144.0), "{inspection:?}");
            let [x, y, z] = inspection.size_mm;
            assert!(close(x, 12.0) && close(y, 24.0) && close(z, 12.0), "{inspection:?}");
        }
    }
}

#[test]
fn a_3mf_keeps_its_own_unit() {
    let resources = format!("<object id=\"1\">{}</object>", cube(1.0).to_3mf_mesh());
    let bytes = model_3mf("inch", &resources, "<item objectid=\"1\"/>");
    let inspection = inspected(Format::ThreeMf, Unit::Metre, &bytes).expect("an inch");
    assert_eq!((inspection.unit, inspection.size_mm), (Unit::Inch, [25.4; 3]));
}

#[test]
fn only_a_3mf_names_its_unit() {
    let resources = format!("<object id=\"1\">{}</object>", cube(1.0).to_3mf_mesh());
    let bytes = model_3mf("foot", &resources, "<item objectid=\"1\"/>");
    let named = |format, bytes: &[u8]| named_unit(format, bytes, &Limits::default());
    assert_eq!(named(Format::ThreeMf, &bytes), Ok(Some(Unit::Foot)));
    assert_eq!(named(Format::ThreeMf, &cube(1.0).to_3mf()), Ok(Some(Unit::Millimetre)));
    assert!(named(Format::ThreeMf, b"PK\x03\x04").is_err());
    for format in [Format::Stl, Format::Obj] {
        assert_eq!(named(format, &cube(1.0).to_file(format)), Ok(None));
    }
}

#[test]
fn the_size_of_a_3mf_spans_all_placed_objects() {
    let resources = format!("<object id=\"1\">{}</object>", cube(2.0).to_3mf_mesh());
    let build = "<item objectid=\"1\"/><item objectid=\"1\" transform=\"0 3 0 -1 0 0 0 0 1 10 5 0\"/>\
                 <item objectid=\"1\" transform=\"0.6 0.8 0 -0.8 0.6 0 0 0 1 0 0 -1\"/>";
    let inspection = inspected(Format::ThreeMf, Unit::Millimetre, &model_3mf("millimeter", &resources, build));
    let [x, y, z] = inspection.expect("cubes").size_mm;
    // From the turned cube's leftmost corner to the first item's right side, and so on.
    assert!((x - 11.6).abs() < 1e-12 && (y - 11.0).abs() < 1e-12 && (z - 3.0).abs() < 1e-12, "{:?}", [x, y, z]);
}

#[test]
fn a_ring_in_metres_or_inches_is_refused_with_its_size_and_the_likely_unit() {
    let ring = torus(13.5, 1.0, 40);
    for (unit, text) in [
        (Unit::Metre, "The model is 0.029 mm wide; was it drawn in metres?"),
        (Unit::Foot, "The model is 0.095 mm wide; was it drawn in feet?"),
    ] {
        let small = ring.clone().map(|vertex| vertex.map(|coordinate| coordinate / unit.millimetres()));
        for format in Format::ALL {
            let error = inspected(format, Unit::Millimetre, &small.to_file(format)).expect_err("a tiny ring");
            assert_eq!(error.to_string(), text);
            assert_eq!(error.code(), "implausible_size");
            let MeshError::ImplausibleSize { unit: read, likely, .. } = error else { panic!("{error:?}") };
            assert_eq!((read, likely), (Unit::Millimetre, Some(unit)));
        }
    }
    let error = inspected(Format::Stl, Unit::Metre, &ring.to_binary_stl()).expect_err("a huge ring");
    assert_eq!(error.to_string(), "The model is 29000 mm wide; was it drawn in millimetres?");
}

#[test]
fn sizes_up_to_the_limits_are_accepted() {
    for edge in [1.0, 1000.0] {
        assert!(measure(Format::Obj, &cube(edge).to_obj(), &Limits::default()).is_ok());
        let flat = cube(edge).map(|[x, y, z]| [x, y / 8.0, z / 8.0]);
        assert!(measure(Format::Obj, &flat.to_obj(), &Limits::default()).is_ok());
    }
    for edge in [0.99, 1001.0] {
        let error = measure(Format::Obj, &cube(edge).to_obj(), &Limits::default()).expect_err("no jewel");
        assert_eq!(error.code(), "implausible_size");
    }
    let limits = Limits { smallest_mm: 0.5, ..Limits::default() };
    assert!(measure(Format::Obj, &cube(0.99).to_obj(), &limits).is_ok());
}
