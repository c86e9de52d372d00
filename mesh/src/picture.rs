//! A picture of a model: its front, its right side and its top, beside each other and to the same scale.
//!
//! Orthographic, shaded by how the triangles face, with a depth buffer. The surface need not be closed, so that a model
//! that has no price can be looked at.

use crate::error::MeshError;
use crate::format::Format;
use crate::limits::Limits;
use crate::surface::{Placed, Surface as _};
use crate::tally::{Bounds, Vector, dot, doubled_area, length};
use crate::{obj, stl, threemf};

/// The colour around the model.
const BACKGROUND: [u8; 3] = [255; 3];
/// The colour of what faces the light.
const METAL: [f64; 3] = [214.0, 202.0, 176.0];
/// The share of light that also what faces away has.
const AMBIENT: f64 = 0.3;
/// The greatest width in pixels.
const MAX_WIDTH: u32 = 3072;
/// The share of a view that is left empty at each side.
const MARGIN: f64 = 0.05;
/// The most pixels that are looked at; a small file could cover the whole picture with each of its triangles.
const MAX_STEPS: u64 = 100_000_000;

/// A view: the directions to the right, upwards and to the viewer.
struct View {
    right: Vector,
    up: Vector,
    near: Vector,
}

const X: Vector = [1.0, 0.0, 0.0];
const Y: Vector = [0.0, 1.0, 0.0];
const Z: Vector = [0.0, 0.0, 1.0];
/// From the front, from the right, and from above.
const VIEWS: [View; 3] = [
    View { right: X, up: Z, near: [0.0, -1.0, 0.0] },
    View { right: Y, up: Z, near: X },
    View { right: X, up: Y, near: Z },
];

/// Draws a model as a PNG that is `width` pixels wide, rounded down to a multiple of three and at most 3,072, and a
/// third as high.
///
/// # Errors
///
/// The file can't be read as `format`, or exceeds `limits`.
pub fn picture(format: Format, bytes: &[u8], limits: &Limits, width: u32) -> Result<Vec<u8>, MeshError> {
    let image = match format {
        Format::Stl => draw(&mut |visitor| stl::triangles(bytes, limits, visitor), width),
        Format::Obj => {
            let mesh = obj::mesh(bytes, limits)?;
            draw(&mut |visitor| mesh.visit(|_| (), |triangle, _| visitor(triangle)), width)
        }
        Format::ThreeMf => threemf::read(bytes, limits, |scene| draw(&mut |visitor| scene.triangles(visitor), width)),
    }?;
    Ok(image.to_png())
}

/// Draws triangles, which are visited twice: for their bounds, and for the picture.
fn draw(triangles: &mut Placed<'_>, width: u32) -> Result<Image, MeshError> {
    let mut bounds = Bounds::default();
    triangles(&mut |triangle| triangle.into_iter().for_each(|corner| bounds.add(corner)))?;
    let extent = bounds.size().into_iter().fold(0.0, f64::max);
    if bounds.min[0] > bounds.max[0] {
        return Err(MeshError::Empty);
    }
    if !extent.is_finite() {
        return Err(MeshError::NotFinite);
    }
    let mut image = Image::new((width.min(MAX_WIDTH) / 3).max(1) as usize);
    let centre = [0, 1, 2].map(|axis| (bounds.min[axis] + bounds.max[axis]) / 2.0);
    let scale = image.edge as f64 * (1.0 - 2.0 * MARGIN) / extent.max(f64::MIN_POSITIVE);
    let half = image.edge as f64 / 2.0;
    triangles(&mut |triangle| {
        let normal = doubled_area(triangle);
        for (index, view) in VIEWS.iter().enumerate() {
            let corners = triangle.map(|corner| {
                let away = [0, 1, 2].map(|axis| (corner[axis] - centre[axis]) * scale);
                [half + dot(away, view.right), half - dot(away, view.up), dot(away, view.near)]
            });
            // The light comes from the viewer, from above and from the left.
            let light = [0, 1, 2].map(|axis| view.near[axis] + 0.5 * view.up[axis] - 0.3 * view.right[axis]);
            let facing = dot(normal, light).abs() / (length(normal) * length(light));
            let brightness = AMBIENT + (1.0 - AMBIENT) * facing;
            image.fill(index, corners, METAL.map(|part| (part * brightness) as u8));
        }
    })?;
    Ok(image)
}

/// Three square views beside each other.
struct Image {
    edge: usize,
    colours: Vec<[u8; 3]>,
    /// How near each pixel's surface is.
    depths: Vec<f64>,
    steps: u64,
}

impl Image {
    fn new(edge: usize) -> Self {
        let pixels = 3 * edge * edge;
        Self { edge, colours: vec![BACKGROUND; pixels], depths: vec![f64::NEG_INFINITY; pixels], steps: 0 }
    }

    /// Colours the pixels of a view whose middles are in a triangle, where nothing is nearer.
    fn fill(&mut self, view: usize, [a, b, c]: [Vector; 3], colour: [u8; 3]) {
        let side = |from: Vector, to: Vector, x: f64, y: f64| {
            (to[0] - from[0]) * (y - from[1]) - (to[1] - from[1]) * (x - from[0])
        };
        let doubled_area = side(a, b, c[0], c[1]);
        if doubled_area == 0.0 || !doubled_area.is_finite() {
            return;
        }
        // The pixels whose middles are between the least and the greatest coordinate.
        let [columns, rows] = [0, 1].map(|axis| {
            let least = a[axis].min(b[axis]).min(c[axis]);
            let greatest = a[axis].max(b[axis]).max(c[axis]);
            (least + 0.5) as usize..((greatest + 0.5) as usize).min(self.edge)
        });
        self.steps += (columns.len() * rows.len()) as u64;
        if self.steps > MAX_STEPS {
            return;
        }
        for row in rows {
            for column in columns.clone() {
                let (x, y) = (column as f64 + 0.5, row as f64 + 0.5);
                let weights = [side(b, c, x, y), side(c, a, x, y), side(a, b, x, y)].map(|part| part / doubled_area);
                let depth = weights[0] * a[2] + weights[1] * b[2] + weights[2] * c[2];
                let pixel = (row * 3 + view) * self.edge + column;
                if weights.iter().all(|&weight| weight >= 0.0) && depth > self.depths[pixel] {
                    self.depths[pixel] = depth;
                    self.colours[pixel] = colour;
                }
            }
        }
    }

    fn to_png(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, 3 * self.edge as u32, self.edge as u32);
        encoder.set_color(png::ColorType::Rgb);
        let written =
            encoder.write_header().and_then(|mut writer| writer.write_image_data(self.colours.as_flattened()));
        written.expect("writing to memory can't fail");
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solids::{Solid, cube, model_3mf};

    /// The number of columns and rows of a view that something is drawn in.
    fn drawn(image: &Image, view: usize) -> [usize; 2] {
        let is_drawn = |row: usize, column: usize| image.colours[(row * 3 + view) * image.edge + column] != BACKGROUND;
        let all = 0..image.edge;
        let columns = all.clone().filter(|&column| all.clone().any(|row| is_drawn(row, column))).count();
        let rows = all.clone().filter(|&row| all.clone().any(|column| is_drawn(row, column))).count();
        let pixels = all.clone().flat_map(|row| all.clone().map(move |column| (row, column)));
        assert_eq!(pixels.filter(|&(row, column)| is_drawn(row, column)).count(), columns * rows, "a rectangle");
        [columns, rows]
    }

    fn image(solid: &Solid) -> Image {
        let mut triangles = |visitor: &mut dyn FnMut([Vector; 3])| {
            solid.triangles.iter().for_each(|triangle| visitor(triangle.map(|corner| solid.vertices[corner as usize])));
            Ok(())
        };
        draw(&mut triangles, 300).expect("a picture")
    }

    #[test]
    fn each_view_shows_its_two_extents_to_the_same_scale_in_the_middle() {
        let image = image(&cube(1.0).map(|[x, y, z]| [40.0 * x + 7.0, 20.0 * y, 10.0 * z - 3.0]));
        assert_eq!(image.edge, 100);
        let views = [0, 1, 2].map(|view| drawn(&image, view));
        for (view, expected) in views.into_iter().zip([[90.0, 22.5], [45.0, 22.5], [90.0, 45.0]]) {
            assert!((0..2).all(|axis| (view[axis] as f64 - expected[axis]).abs() <= 1.0), "{views:?}");
        }
        for corner in [0, 99, 200, 299, 299 * 100] {
            assert_eq!(image.colours[corner], BACKGROUND);
        }
    }

    #[test]
    fn what_is_nearer_hides_what_is_behind_in_any_order() {
        // A small roof before a large wall, seen from the front.
        let wall = cube(10.0);
        let mut roof = cube(1.0).map(|[x, y, z]| [4.0 + 2.0 * x, -2.0 + y + 0.5 * x, 4.0 + 2.0 * z]);
        let middle = |image: &Image| image.colours[(50 * 3) * 100 + 50];
        let alone = middle(&image(&roof));
        assert_ne!(alone, middle(&image(&wall)));
        for first in [true, false] {
            let (mut solid, other) = if first { (wall.clone(), roof.clone()) } else { (roof.clone(), wall.clone()) };
            let offset = solid.vertices.len() as u32;
            solid.vertices.extend(other.vertices);
            solid.triangles.extend(other.triangles.iter().map(|triangle| triangle.map(|corner| corner + offset)));
            assert_eq!(middle(&image(&solid)), alone);
        }
        roof.triangles.clear();
        assert!(matches!(draw(&mut |_| Ok(()), 300), Err(MeshError::Empty)));
    }

    #[test]
    fn every_format_gives_the_same_png_also_with_placed_components() {
        let limits = Limits::default();
        let solid = cube(10.0);
        let expected = picture(Format::Stl, &solid.to_binary_stl(), &limits, 304).expect("a picture");
        let mut decoder = png::Decoder::new(std::io::Cursor::new(&expected)).read_info().expect("a PNG");
        assert_eq!((decoder.info().width, decoder.info().height), (303, 101));
        let mut pixels = vec![0; decoder.output_buffer_size().expect("a small picture")];
        decoder.next_frame(&mut pixels).expect("pixels");
        assert_eq!(pixels[..3], BACKGROUND);
        assert_ne!(pixels[(50 * 303 + 50) * 3..][..3], BACKGROUND);
        for (format, bytes) in [
            (Format::Stl, solid.to_ascii_stl()),
            (Format::Obj, solid.to_obj()),
            (Format::ThreeMf, solid.to_3mf()),
            (Format::ThreeMf, placed(&cube(1.0))),
        ] {
            assert_eq!(picture(format, &bytes, &limits, 304).as_ref(), Ok(&expected), "{format:?}");
        }
    }

    /// The solid as a component, ten times as large.
    fn placed(solid: &Solid) -> Vec<u8> {
        let resources = format!(
            "<object id=\"1\">{}</object><object id=\"2\"><components><component objectid=\"1\" \
             transform=\"10 0 0 0 10 0 0 0 10 5 5 5\"/></components></object>",
            solid.to_3mf_mesh()
        );
        model_3mf("millimeter", &resources, "<item objectid=\"2\"/>")
    }

    #[test]
    fn many_triangles_that_each_cover_the_picture_end_within_the_bounds() {
        let mut solid = cube(10.0);
        solid.triangles = solid.triangles.repeat(10_000);
        let limits = Limits::default();
        assert!(picture(Format::Stl, &solid.to_binary_stl(), &limits, 3072).is_ok());
    }
}
