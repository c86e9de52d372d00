//! 3MF files of slicers, whose settings say which parts are metal.

use mesh::solids::{Solid, archive, cube, model_part};
use mesh::{Format, Limits, MeshError, measure};

const BAMBU: &str = "Metadata/model_settings.config";
const PRUSA: &str = "Metadata/Slic3r_PE_model.config";

fn measured(model: &str, name: &str, settings: &str) -> Result<f64, MeshError> {
    let file = archive(&[("3D/3dmodel.model", model.as_bytes()), (name, settings.as_bytes())]);
    measure(Format::ThreeMf, &file, &Limits::default()).map(|measures| measures.volume_mm3)
}

/// An object of two components, cubes of 10 and 4 mm, as Bambu Studio and Orca write it.
fn components() -> String {
    let mesh = |id: u32, edge: f64| format!("<object id=\"{id}\">{}</object>", cube(edge).to_3mf_mesh());
    let parts =
        "<object id=\"8\"><components><component objectid=\"1\"/><component objectid=\"2\"/></components></object>";
    model_part("millimeter", &(mesh(1, 10.0) + &mesh(2, 4.0) + parts), "<item objectid=\"8\"/>")
}

fn bambu(subtype: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<config>\n  <object id=\"8\">\n    \
         <metadata key=\"name\" value=\"ring\"/>\n    <part id=\"1\" subtype=\"normal_part\">\n      \
         <mesh_stat edges_fixed=\"0\"/>\n    </part>\n    <part id=\"2\" subtype=\"{subtype}\">\n      \
         <metadata key=\"name\" value=\"box\"/>\n    </part>\n  </object>\n  <plate><metadata key=\"a\" value=\"b\"/>\
         </plate>\n  <assemble><assemble_item object_id=\"8\"/></assemble>\n</config>\n"
    )
}

/// An object of one mesh, cubes of 10 and 4 mm beside each other, as PrusaSlicer writes it.
fn joined() -> String {
    let (mut all, small) = (cube(10.0), cube(4.0).map(|[x, y, z]| [x + 20.0, y, z]));
    let moved = all.vertices.len() as u32;
    all.vertices.extend(small.vertices);
    all.triangles.extend(small.triangles.iter().map(|triangle| triangle.map(|corner| corner + moved)));
    let object = |solid: &Solid| format!("<object id=\"1\" type=\"model\">{}</object>", solid.to_3mf_mesh());
    model_part("millimeter", &object(&all), "<item objectid=\"1\"/>")
}

fn prusa(last: u32, metadata: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<config>\n <object id=\"1\" instances_count=\"1\">\n  \
         <metadata type=\"object\" key=\"name\" value=\"ring\"/>\n  <volume firstid=\"0\" lastid=\"11\">\n   \
         <metadata type=\"volume\" key=\"volume_type\" value=\"ModelPart\"/>\n  </volume>\n  \
         <volume firstid=\"12\" lastid=\"{last}\">\n   <metadata type=\"volume\" {metadata}/>\n   \
         <mesh edges_fixed=\"0\"/>\n  </volume>\n </object>\n</config>\n"
    )
}

fn volume_type(name: &str) -> String {
    prusa(23, &format!("key=\"volume_type\" value=\"{name}\""))
}

#[test]
fn normal_parts_are_metal() {
    assert_eq!(measured(&components(), BAMBU, &bambu("normal_part")), Ok(1064.0));
    assert_eq!(measured(&joined(), PRUSA, &volume_type("ModelPart")), Ok(1064.0));
}

#[test]
fn modifiers_and_what_steers_supports_are_no_metal() {
    for subtype in ["modifier_part", "support_blocker", "support_enforcer"] {
        assert_eq!(measured(&components(), BAMBU, &bambu(subtype)), Ok(1000.0), "{subtype}");
    }
    for kind in ["ParameterModifier", "SupportBlocker", "SupportEnforcer"] {
        assert_eq!(measured(&joined(), PRUSA, &volume_type(kind)), Ok(1000.0), "{kind}");
    }
    assert_eq!(measured(&joined(), PRUSA, &prusa(23, "key=\"modifier\" value=\"1\"")), Ok(1000.0));
}

#[test]
fn a_negative_part_is_refused_with_its_reason() {
    assert_eq!(measured(&components(), BAMBU, &bambu("negative_part")), Err(MeshError::NegativePart));
    assert_eq!(measured(&joined(), PRUSA, &volume_type("NegativeVolume")), Err(MeshError::NegativePart));
    assert_eq!(MeshError::NegativePart.code(), "negative_part");
}

#[test]
fn settings_in_utf_16_are_read() {
    let settings: Vec<u8> = bambu("modifier_part").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let file = archive(&[("3D/3dmodel.model", components().as_bytes()), (BAMBU, &settings)]);
    let measures = measure(Format::ThreeMf, &file, &Limits::default()).expect("a cube");
    assert_eq!(measures.volume_mm3, 1000.0);
}

#[test]
fn settings_that_are_broken_or_do_not_fit_the_model_are_refused() {
    let too_many = format!("<config><object id=\"8\">{}</object></config>", "<part id=\"1\"/>".repeat(100_001));
    for settings in [
        "",
        "text",
        "<config>",
        "<config><object/></config>",
        &bambu("other_part"),
        &bambu("modifier_part").replace("id=\"2\"", ""),
        &too_many,
    ] {
        let error = measured(&components(), BAMBU, settings).expect_err("broken settings");
        assert_eq!(error.code(), "unreadable", "{error}");
    }
    for settings in [
        volume_type("Other"),
        prusa(24, "key=\"volume_type\" value=\"ParameterModifier\""),
        prusa(5, "key=\"modifier\" value=\"1\""),
        prusa(4_294_967_295, "key=\"modifier\" value=\"1\""),
        prusa(11, "key=\"modifier\" value=\"1\"").replace("firstid=\"12\"", ""),
    ] {
        let error = measured(&joined(), PRUSA, &settings).expect_err("broken settings");
        assert_eq!(error.code(), "unreadable", "{error}");
    }
}

#[test]
fn settings_for_objects_that_are_not_placed_change_nothing() {
    let other = bambu("negative_part").replace("object id=\"8\"", "object id=\"9\"");
    assert_eq!(measured(&components(), BAMBU, &other), Ok(1064.0));
}
