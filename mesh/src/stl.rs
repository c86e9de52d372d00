//! STL, binary and ASCII. Triangles are measured in place, and stored only if they aren't one closed piece.
//!
//! Not based on a general reader, because these build an indexed mesh that measuring doesn't need, and reject files
//! that CAD programs write: several solids in a file, upper case, normals that are not numbers.

use crate::closed::Key;
use crate::error::MeshError;
use crate::limits::{Inspection, Limits};
use crate::surface::{FirstPass, Surface, rounded};
use crate::tally::Vector;
use crate::text::{Cursor, without_bom};
use crate::weld::Welder;

/// The length of a binary file's header: 80 bytes without meaning, and the count of triangles.
pub(crate) const HEADER_BYTES: usize = 84;
/// The length of a binary triangle: normal, three vertices, and two bytes of attributes.
const TRIANGLE_BYTES: usize = 50;

pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspection, MeshError> {
    match recognise(bytes)? {
        Encoding::Binary(triangles) => {
            if triangles.len() as u64 > limits.max_triangles {
                return Err(MeshError::TooManyTriangles { limit: limits.max_triangles });
            }
            inspect_triangles(&Binary { triangles })
        }
        Encoding::Ascii(text) => inspect_triangles(&Ascii { text, max_triangles: limits.max_triangles }),
    }
}

enum Encoding<'a> {
    Binary(&'a [[u8; TRIANGLE_BYTES]]),
    Ascii(&'a [u8]),
}

/// The encoding. The length is checked before the first word, because some CAD programs begin binary files with
/// `solid`.
fn recognise(bytes: &[u8]) -> Result<Encoding<'_>, MeshError> {
    if bytes.trim_ascii().is_empty() {
        return Err(MeshError::Empty);
    }
    let declared = bytes.get(80..HEADER_BYTES).and_then(|count| count.try_into().ok()).map(u32::from_le_bytes);
    let end =
        declared.and_then(|count| usize::try_from(HEADER_BYTES as u64 + u64::from(count) * TRIANGLE_BYTES as u64).ok());
    if end == Some(bytes.len()) {
        return Ok(Encoding::Binary(bytes[HEADER_BYTES..].as_chunks().0));
    }
    if starts_like_ascii(bytes) {
        return Ok(Encoding::Ascii(without_bom(bytes)));
    }
    match end {
        Some(end) if end < bytes.len() => Ok(Encoding::Binary(bytes[HEADER_BYTES..end].as_chunks().0)),
        Some(_) => Err(MeshError::unreadable("the file ends before the last of the triangles that it declares")),
        None => Err(MeshError::unreadable("it is neither a binary nor an ASCII STL file")),
    }
}

/// Whether the first word is `solid` and no byte of the header is zero, which only a binary file has.
pub(crate) fn starts_like_ascii(head: &[u8]) -> bool {
    let text = without_bom(head).trim_ascii_start();
    text.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"solid"))
        && !head.iter().take(HEADER_BYTES).any(|&byte| byte == 0)
}

/// Triangles that can be iterated more than once.
trait Triangles {
    type Coordinate: Coordinate;

    fn visit(&self, visitor: impl FnMut([[Self::Coordinate; 3]; 3])) -> Result<(), MeshError>;
}

/// A coordinate in the precision of its file.
trait Coordinate: Copy {
    fn single(self) -> f32;
    fn double(self) -> f64;
}

impl Coordinate for f32 {
    #[inline]
    fn single(self) -> f32 {
        self
    }

    #[inline]
    fn double(self) -> f64 {
        f64::from(self)
    }
}

impl Coordinate for f64 {
    #[inline]
    fn single(self) -> f32 {
        self as f32
    }

    #[inline]
    fn double(self) -> f64 {
        self
    }
}

/// Iterates over the triangles once, and again only if they aren't one closed piece.
fn inspect_triangles<T: Triangles>(triangles: &T) -> Result<Inspection, MeshError> {
    let key = Key::random();
    let mut pass: Option<FirstPass> = None;
    triangles.visit(|triangle| {
        let vertices = triangle.map(|vertex| vertex.map(Coordinate::double));
        let corners = triangle.map(|vertex| key.corner(vertex.map(Coordinate::single)));
        pass.get_or_insert_with(|| FirstPass::new(vertices[0])).add(vertices, &corners);
    })?;
    let pass = pass.ok_or(MeshError::Empty)?;
    let triangles_read = pass.tally.triangles;
    pass.solid(triangles).map(|solid| Inspection::of(&solid, triangles_read))
}

impl<T: Triangles> Surface for T {
    fn visit(&self, mut visitor: impl FnMut([Vector; 3])) -> Result<(), MeshError> {
        Triangles::visit(self, |triangle| visitor(triangle.map(|vertex| vertex.map(Coordinate::double))))
    }

    fn number(&self, welder: &mut Welder) -> Result<Vec<[u32; 3]>, MeshError> {
        let mut numbers = Vec::new();
        Surface::visit(self, |triangle| {
            numbers.push(triangle.map(|vertex| welder.number(rounded(vertex))));
        })?;
        Ok(numbers)
    }
}

struct Binary<'a> {
    triangles: &'a [[u8; TRIANGLE_BYTES]],
}

impl Triangles for Binary<'_> {
    type Coordinate = f32;

    #[inline]
    fn visit(&self, visitor: impl FnMut([[f32; 3]; 3])) -> Result<(), MeshError> {
        self.triangles.iter().map(binary_triangle).for_each(visitor);
        Ok(())
    }
}

#[inline(always)]
fn binary_triangle(bytes: &[u8; TRIANGLE_BYTES]) -> [[f32; 3]; 3] {
    let coordinate =
        |start: usize| f32::from_le_bytes([bytes[start], bytes[start + 1], bytes[start + 2], bytes[start + 3]]);
    let vertex = |start: usize| [coordinate(start), coordinate(start + 4), coordinate(start + 8)];
    [vertex(12), vertex(24), vertex(36)]
}

struct Ascii<'a> {
    text: &'a [u8],
    max_triangles: u64,
}

impl Triangles for Ascii<'_> {
    type Coordinate = f64;

    /// Line ends are white space, except after `solid`, `endsolid` and `color`, which anything may follow.
    fn visit(&self, mut visitor: impl FnMut([[f64; 3]; 3])) -> Result<(), MeshError> {
        let mut cursor = Cursor::new(self.text);
        let mut left = self.max_triangles;
        loop {
            cursor.skip_white_space();
            let word = cursor.word();
            if word.eq_ignore_ascii_case(b"facet") {
                left = left.checked_sub(1).ok_or(MeshError::TooManyTriangles { limit: self.max_triangles })?;
                visitor(ascii_facet(&mut cursor)?);
            } else if [&b"solid"[..], b"endsolid", b"color"].iter().any(|other| word.eq_ignore_ascii_case(other)) {
                cursor.skip_line();
            } else if word.is_empty() {
                return Ok(());
            } else {
                return Err(cursor.unreadable("expected a facet"));
            }
        }
    }
}

/// The vertices of a facet, after its first word.
#[inline]
fn ascii_facet(cursor: &mut Cursor<'_>) -> Result<[[f64; 3]; 3], MeshError> {
    expect(cursor, b"normal")?;
    // The normal is redundant, and some programs write `nan`.
    for _ in 0..3 {
        cursor.skip_white_space();
        cursor.word();
    }
    expect(cursor, b"outer")?;
    expect(cursor, b"loop")?;
    let mut vertices = [[0.0; 3]; 3];
    for vertex in &mut vertices {
        expect(cursor, b"vertex")?;
        for coordinate in vertex {
            cursor.skip_white_space();
            *coordinate = cursor.coordinate()?;
        }
    }
    expect(cursor, b"endloop")?;
    skip_remark(cursor, b"endfacet");
    expect(cursor, b"endfacet")?;
    skip_remark(cursor, b"facet");
    Ok(vertices)
}

/// Skips the rest of a line, where some programs write words, unless the file goes on there with `next`.
#[inline]
fn skip_remark(cursor: &mut Cursor<'_>, next: &[u8]) {
    cursor.skip_blanks();
    let goes_on = |word: &[u8]| {
        cursor.rest().get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && cursor.rest().get(word.len()).is_none_or(u8::is_ascii_whitespace)
    };
    if !matches!(cursor.peek(), None | Some(b'\n' | b'\r')) && !goes_on(next) && !goes_on(b"endsolid") {
        cursor.skip_line();
    }
}

/// Reads a keyword, after lines of colours that some programs write.
#[inline]
fn expect(cursor: &mut Cursor<'_>, keyword: &[u8]) -> Result<(), MeshError> {
    loop {
        cursor.skip_white_space();
        let word = cursor.word();
        if word.eq_ignore_ascii_case(keyword) {
            return Ok(());
        }
        if !word.eq_ignore_ascii_case(b"color") {
            return Err(cursor.unreadable("the facet is incomplete, or not a triangle"));
        }
        cursor.skip_line();
    }
}
