//! Writes the seeds, small files of every supported kind: `cargo run --example seeds` in this folder.
//!
//! Inputs that once caused a failure are in the same folders and are not changed; their names begin with `broke-`.

use std::fs;
use std::path::Path;

use mesh::solids::{Solid, archive, cube, cube_with_hole, model_part, package_3mf, sphere, torus};

fn main() -> std::io::Result<()> {
    let solids = [
        ("cube", cube(10.0)),
        ("hole", cube_with_hole(10.0, 4.0)),
        ("sphere", sphere(5.0, 4)),
        ("torus", torus(4.0, 1.0, 3)),
    ];
    for (name, solid) in &solids {
        write("stl_binary", name, &solid.to_binary_stl())?;
        write("stl_ascii", name, &solid.to_ascii_stl())?;
        write("obj", name, &solid.to_obj())?;
        write("threemf_archive", name, &solid.to_3mf())?;
        write("threemf_model", name, part(solid).as_bytes())?;
        write("formats_agree", name, &triangles(solid))?;
    }
    let (_, cube) = &solids[0];
    for (name, file) in [
        ("stl-binary", cube.to_binary_stl()),
        ("stl-ascii", cube.to_ascii_stl()),
        ("obj", cube.to_obj()),
        ("3mf", cube.to_3mf()),
    ] {
        write("sniff", name, &file)?;
    }
    write("stl_ascii", "two-solids", &[cube.to_ascii_stl(), cube.to_ascii_stl()].concat())?;
    write("obj", "features", OBJ_FEATURES)?;
    write("threemf_model", "components", components(cube).as_bytes())?;
    write("threemf_model", "parts", parts(cube).as_bytes())?;
    write("threemf_model", "bambu", settings(cube, BAMBU, "").as_bytes())?;
    write("threemf_model", "prusa", settings(cube, PRUSA, "\0<config/>").as_bytes())?;
    write("threemf_utf16", "cube", format!("\u{1}{}", part(cube)).as_bytes())?;
    write("threemf_utf16", "components", format!("\u{2}{}", components(cube)).as_bytes())?;
    write("units", "stl", &cube.to_ascii_stl())?;
    write("units", "obj", OBJ_FEATURES)?;
    write("obj", "quirks", OBJ_QUIRKS)?;
    write("stl_ascii", "quirks", STL_QUIRKS)?;
    write(
        "threemf_archive",
        "parts",
        &package_3mf(&[("3D/3dmodel.model", &elsewhere()), ("3D/1.model", &part(cube))]),
    )?;
    write(
        "threemf_archive",
        "names",
        &archive(&[("../../etc/passwd", b"root"), ("3D/3dmodel.model", part(cube).as_bytes())]),
    )
}

fn write(target: &str, name: &str, content: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), content)
}

/// Continued lines, relative indices, textures and normals, polygons, comments, colours, other files.
const OBJ_FEATURES: &[u8] = b"mtllib /etc/passwd\nusemtl gold\no ring\ng a b\ns 1\nvt 0 0\nvn 0 0 1\n\
    v 0 0 0 1.0\nv 10 0 0 0.5 0.5 0.5\nv 10 10 \\\n0\nv 0 10 0\nv 5 5 1e1\n\
    f 4//1 3//1 2//1 1//1 # the bottom\nf -5/1 -4/1 -1/1\r\nf 2/1/1 3/1/1 5/1/1\nf 3 4 5\nfo 4 1 5\n";

/// Upper case, continued lines, and faces without area.
const OBJ_QUIRKS: &[u8] =
    b"\xef\xbb\xbfV 0 0 0\rV 1\\\r0 \\\r0\rV 0 1 0\rV 0 0 1\rF 1 3 2\rF 1 2 4\rF 2 3 4\rF 3 1 4\rF 1 2\rF\r";

/// Colours, and words after the ends of loops and facets.
const STL_QUIRKS: &[u8] = b"solid a\ncolor 1 0 0\nfacet normal 0 0 1\ncolor 0 0 1\nouter loop\nvertex 0 0 0\n\
    vertex 1 0 0\nvertex 0 1 0\nendloop 1\nendfacet of facet\nendsolid a\n";

/// Slicers' settings: a normal part and one that isn't.
const BAMBU: &str = "<config><object id=\"1\"><part id=\"1\" subtype=\"normal_part\"/>\
    <part id=\"2\" subtype=\"modifier_part\"/><part id=\"3\" subtype=\"negative_part\"/></object></config>";
const PRUSA: &str = "<config><object id=\"1\"><volume firstid=\"0\" lastid=\"3\">\
    <metadata type=\"volume\" key=\"volume_type\" value=\"ParameterModifier\"/></volume></object></config>";

/// A model with settings, and the empty parts between them.
fn settings(solid: &Solid, settings: &str, empty: &str) -> String {
    [&part(solid), "", &part(solid), empty, settings].join("\0")
}

fn part(solid: &Solid) -> String {
    model_part("millimeter", &format!("<object id=\"1\">{}</object>", solid.to_3mf_mesh()), "<item objectid=\"1\"/>")
}

/// Nested components, rotated, scaled and mirrored, and a support.
fn components(solid: &Solid) -> String {
    let mesh = solid.to_3mf_mesh();
    let resources = format!(
        "<object id=\"1\" type=\"model\">{mesh}</object><object id=\"2\" type=\"support\">{mesh}</object>\
         <object id=\"3\"><components><component objectid=\"1\" transform=\"0 1 0 -1 0 0 0 0 1 5 5 5\"/>\
         <component objectid=\"1\" transform=\"2 0 0 0 1 0 0 0 -1 0 0 0\"/></components></object>\
         <object id=\"4\"><components><component objectid=\"3\"/><component objectid=\"2\"/></components></object>"
    );
    model_part("inch", &resources, "<item objectid=\"4\" transform=\"3 0 0 0 3 0 0 0 3 0 0 0\"/><item objectid=\"3\"/>")
}

fn elsewhere() -> String {
    model_part("micron", "", "<item objectid=\"1\" p:path=\"/3D/1.model\"/>")
}

/// Relationships to a model whose object is in another part.
fn parts(solid: &Solid) -> String {
    let relationships = "<Relationships><Relationship Target=\"/3D/2.model\" \
         Type=\"http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel\"/></Relationships>";
    [&part(solid), relationships, &part(solid), &elsewhere()].join("\0")
}

/// The input of `formats_agree`: the number of vertices, their coordinates, and the corners of triangles.
fn triangles(solid: &Solid) -> Vec<u8> {
    let coordinates = solid.vertices.iter().flatten().flat_map(|&coordinate| (coordinate as f32).to_le_bytes());
    let corners = solid.triangles.iter().flatten().map(|&corner| corner as u8);
    [solid.vertices.len() as u8].into_iter().chain(coordinates).chain(corners).collect()
}
