//! Generators of solids and writers of model files, for tests, benchmarks and the demo (feature `solids`).

use std::f64::consts::TAU;
use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use rawzip::{CompressionMethod, ZipArchiveWriter};

use crate::format::Format;

/// A triangle mesh in millimetres, facing outwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Solid {
    /// The positions of the vertices.
    pub vertices: Vec<[f64; 3]>,
    /// The indices of each triangle's vertices, from 0 and anticlockwise when seen from outside.
    pub triangles: Vec<[u32; 3]>,
}

/// A cube with one corner at the origin.
#[must_use]
pub fn cube(edge: f64) -> Solid {
    let corner = |index: u32| [0, 1, 2].map(|axis| if index >> axis & 1 == 1 { edge } else { 0.0 });
    let mut solid = Solid { vertices: (0..8).map(corner).collect(), triangles: Vec::new() };
    for quad in [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]] {
        solid.push_quad(quad);
    }
    solid
}

/// A cube with one corner at the origin, and a square hole of edge `hole` through its middle from bottom to top.
#[must_use]
pub fn cube_with_hole(edge: f64, hole: f64) -> Solid {
    let (near, far) = ((edge - hole) / 2.0, (edge + hole) / 2.0);
    let square = |low: f64, high: f64, z: f64| [[low, low, z], [high, low, z], [high, high, z], [low, high, z]];
    // Outline and hole at the bottom, outline and hole at the top, each anticlockwise from above.
    let vertices =
        [square(0.0, edge, 0.0), square(near, far, 0.0), square(0.0, edge, edge), square(near, far, edge)].concat();
    let mut solid = Solid { vertices, triangles: Vec::new() };
    for i in 0..4 {
        let j = (i + 1) % 4;
        solid.push_quad([i, i + 4, j + 4, j]);
        solid.push_quad([i + 8, j + 8, j + 12, i + 12]);
        solid.push_quad([i, j, j + 8, i + 8]);
        solid.push_quad([i + 4, i + 12, j + 12, j + 4]);
    }
    solid
}

/// A sphere around the origin with `segments` meridians and half as many rows, about `segments`² triangles.
///
/// # Panics
///
/// If there are fewer than four segments.
#[must_use]
pub fn sphere(radius: f64, segments: u32) -> Solid {
    assert!(segments >= 4, "a sphere needs at least four segments");
    let rows = segments / 2;
    let mut vertices = Vec::with_capacity((segments * (rows - 1)) as usize + 2);
    for row in 1..rows {
        let (ring_radius, height) = (TAU / 2.0 * f64::from(row) / f64::from(rows)).sin_cos();
        for segment in 0..segments {
            let (sin, cos) = (TAU * f64::from(segment) / f64::from(segments)).sin_cos();
            vertices.push([radius * ring_radius * cos, radius * ring_radius * sin, radius * height]);
        }
    }
    let north = segments * (rows - 1);
    let south = north + 1;
    vertices.extend([[0.0, 0.0, radius], [0.0, 0.0, -radius]]);

    let mut solid = Solid { vertices, triangles: Vec::with_capacity((2 * segments * (rows - 1)) as usize) };
    let last = segments * (rows - 2);
    for i in 0..segments {
        let j = (i + 1) % segments;
        solid.triangles.push([north, i, j]);
        for row in (0..last).step_by(segments as usize) {
            solid.push_quad([row + i, row + segments + i, row + segments + j, row + j]);
        }
        solid.triangles.push([south, last + j, last + i]);
    }
    solid
}

/// A ring around the z axis: a tube of radius `tube` around a circle of radius `ring`, both with `segments` segments.
#[must_use]
pub fn torus(ring: f64, tube: f64, segments: u32) -> Solid {
    let point = |i: u32, j: u32| {
        let (sin, cos) = (TAU * f64::from(i) / f64::from(segments)).sin_cos();
        let (height, outwards) = (TAU * f64::from(j) / f64::from(segments)).sin_cos();
        let distance = ring + tube * outwards;
        [distance * cos, distance * sin, tube * height]
    };
    let all = |i: u32| (0..segments).map(move |j| (i, j));
    let mut solid =
        Solid { vertices: (0..segments).flat_map(all).map(|(i, j)| point(i, j)).collect(), triangles: Vec::new() };
    for (i, j) in (0..segments).flat_map(all) {
        let (next_i, next_j) = ((i + 1) % segments, (j + 1) % segments);
        let vertex = |i: u32, j: u32| i * segments + j;
        solid.push_quad([vertex(i, j), vertex(next_i, j), vertex(next_i, next_j), vertex(i, next_j)]);
    }
    solid
}

impl Solid {
    fn push_quad(&mut self, [a, b, c, d]: [u32; 4]) {
        self.triangles.extend([[a, b, c], [a, c, d]]);
    }

    /// The solid with each vertex moved to its image.
    #[must_use]
    pub fn map(mut self, image: impl Fn([f64; 3]) -> [f64; 3]) -> Self {
        for vertex in &mut self.vertices {
            *vertex = image(*vertex);
        }
        self
    }

    /// The solid with its triangles facing inwards.
    #[must_use]
    pub fn inside_out(mut self) -> Self {
        for triangle in &mut self.triangles {
            triangle.reverse();
        }
        self
    }

    /// A model file in this format (for STL, a binary one).
    #[must_use]
    pub fn to_file(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Stl => self.to_binary_stl(),
            Format::Obj => self.to_obj(),
            Format::ThreeMf => self.to_3mf(),
        }
    }

    /// A binary STL file, with coordinates rounded to single precision.
    #[must_use]
    pub fn to_binary_stl(&self) -> Vec<u8> {
        let mut file = vec![0; 80];
        file.extend((self.triangles.len() as u32).to_le_bytes());
        for corners in self.corners() {
            file.extend([0; 12]);
            file.extend(corners.iter().flatten().flat_map(|&coordinate| (coordinate as f32).to_le_bytes()));
            file.extend([0; 2]);
        }
        file
    }

    /// An ASCII STL file.
    #[must_use]
    pub fn to_ascii_stl(&self) -> Vec<u8> {
        let mut file = String::from("solid model\n");
        for corners in self.corners() {
            file.push_str("  facet normal 0 0 0\n    outer loop\n");
            for [x, y, z] in corners {
                line(&mut file, format_args!("      vertex {x:e} {y:e} {z:e}"));
            }
            file.push_str("    endloop\n  endfacet\n");
        }
        file.push_str("endsolid model\n");
        file.into_bytes()
    }

    /// An OBJ file.
    #[must_use]
    pub fn to_obj(&self) -> Vec<u8> {
        let mut file = String::from("# model\no model\n");
        for [x, y, z] in &self.vertices {
            line(&mut file, format_args!("v {x} {y} {z}"));
        }
        for [a, b, c] in &self.triangles {
            line(&mut file, format_args!("f {} {} {}", a + 1, b + 1, c + 1));
        }
        file.into_bytes()
    }

    /// A 3MF file in millimetres, with the solid as its only object.
    #[must_use]
    pub fn to_3mf(&self) -> Vec<u8> {
        let resources = format!("<object id=\"1\" type=\"model\">{}</object>", self.to_3mf_mesh());
        model_3mf("millimeter", &resources, "<item objectid=\"1\"/>")
    }

    /// The `<mesh>` element of a 3MF model part.
    #[must_use]
    pub fn to_3mf_mesh(&self) -> String {
        let mut mesh = String::from("<mesh><vertices>\n");
        for [x, y, z] in &self.vertices {
            line(&mut mesh, format_args!("<vertex x=\"{x}\" y=\"{y}\" z=\"{z}\"/>"));
        }
        mesh.push_str("</vertices><triangles>\n");
        for [a, b, c] in &self.triangles {
            line(&mut mesh, format_args!("<triangle v1=\"{a}\" v2=\"{b}\" v3=\"{c}\"/>"));
        }
        mesh.push_str("</triangles></mesh>\n");
        mesh
    }

    fn corners(&self) -> impl Iterator<Item = [[f64; 3]; 3]> {
        self.triangles.iter().map(|triangle| triangle.map(|index| self.vertices[index as usize]))
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a string can't fail");
}

/// A 3MF file with this unit and this content of the elements `resources` and `build`.
#[must_use]
pub fn model_3mf(unit: &str, resources: &str, build: &str) -> Vec<u8> {
    package_3mf(&[("3D/3dmodel.model", &model_part(unit, resources, build))])
}

/// A 3MF model part with this unit and this content of the elements `resources` and `build`.
#[must_use]
pub fn model_part(unit: &str, resources: &str, build: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<model unit=\"{unit}\" xml:lang=\"en-US\" \
         xmlns=\"http://schemas.microsoft.com/3dmanufacturing/core/2015/02\" \
         xmlns:p=\"http://schemas.microsoft.com/3dmanufacturing/production/2015/06\">\n\
         <resources>{resources}</resources>\n<build>{build}</build>\n</model>\n"
    )
}

/// A 3MF file of these parts, of which the first is its model, and of the parts that every package has.
#[must_use]
pub fn package_3mf(parts: &[(&str, &str)]) -> Vec<u8> {
    let root = parts.first().map_or("", |(name, _)| name);
    let content_types = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
         <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
         <Default Extension=\"model\" ContentType=\"application/vnd.ms-package.3dmanufacturing-3dmodel+xml\"/></Types>";
    let relationships = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
         <Relationship Id=\"rel0\" Target=\"/{root}\" \
         Type=\"http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel\"/></Relationships>"
    );
    let fixed = [("[Content_Types].xml", content_types), ("_rels/.rels", &relationships)];
    let entries: Vec<_> = fixed.iter().chain(parts).map(|(name, text)| (*name, text.as_bytes())).collect();
    archive(&entries)
}

/// A zip archive of these entries, deflated.
#[must_use]
pub fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    try_archive(entries).expect("writing to memory can't fail")
}

fn try_archive(entries: &[(&str, &[u8])]) -> Result<Vec<u8>, rawzip::Error> {
    let mut file = Vec::new();
    let mut archive = ZipArchiveWriter::new(&mut file);
    for (name, content) in entries {
        let (mut entry, config) = archive.new_file(*name).compression_method(CompressionMethod::DEFLATE).start()?;
        let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::fast()));
        writer.write_all(content)?;
        let (encoder, descriptor) = writer.finish()?;
        encoder.finish()?;
        entry.finish(descriptor)?;
    }
    archive.finish()?;
    Ok(file)
}
