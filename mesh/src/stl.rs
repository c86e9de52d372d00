//! STL, binary and ASCII. Triangles are measured in place; nothing is stored but what distinguishes bodies.
//!
//! Not based on a general reader, because these build an indexed mesh that measuring doesn't need, and reject files
//! that CAD programs write: several solids in a file, upper case, normals that are not numbers.

use crate::error::MeshError;
use crate::limits::{Inspection, Limits};
use crate::passes;
use crate::surface::Surface;
use crate::tally::Vector;
use crate::text::{Cursor, without_bom};

/// The length of a binary file's header: 80 bytes without meaning, and the count of triangles.
pub(crate) const HEADER_BYTES: usize = 84;
/// The length of a binary triangle: normal, three vertices, and two bytes of attributes.
const TRIANGLE_BYTES: usize = 50;

pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspection, MeshError> {
    match recognise(bytes, limits)? {
        Encoding::Binary(binary) => inspect_surface(&binary),
        Encoding::Ascii(ascii) => inspect_surface(&ascii),
    }
}

fn inspect_surface(surface: &impl Surface) -> Result<Inspection, MeshError> {
    let (solid, triangles) = passes::solid(surface)?;
    Ok(Inspection::of(&solid, triangles))
}

/// Visits the triangles as they are written.
#[cfg(feature = "picture")]
pub(crate) fn triangles(bytes: &[u8], limits: &Limits, visitor: &mut dyn FnMut([Vector; 3])) -> Result<(), MeshError> {
    match recognise(bytes, limits)? {
        Encoding::Binary(binary) => binary.visit(|_| (), |triangle, _| visitor(triangle)),
        Encoding::Ascii(ascii) => ascii.visit(|_| (), |triangle, _| visitor(triangle)),
    }
}

enum Encoding<'a> {
    Binary(Binary<'a>),
    Ascii(Ascii<'a>),
}

/// The encoding. The length is checked before the first word, because some CAD programs begin binary files with
/// `solid`.
fn recognise<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Encoding<'a>, MeshError> {
    let binary = |end: usize| {
        let triangles = bytes[HEADER_BYTES..end].as_chunks().0;
        match triangles.len() as u64 {
            count if count > limits.max_triangles => Err(MeshError::TooManyTriangles { limit: limits.max_triangles }),
            _ => Ok(Encoding::Binary(Binary { triangles })),
        }
    };
    if bytes.trim_ascii().is_empty() {
        return Err(MeshError::Empty);
    }
    let declared = bytes.get(80..HEADER_BYTES).and_then(|count| count.try_into().ok()).map(u32::from_le_bytes);
    let end =
        declared.and_then(|count| usize::try_from(HEADER_BYTES as u64 + u64::from(count) * TRIANGLE_BYTES as u64).ok());
    if end == Some(bytes.len()) {
        return binary(bytes.len());
    }
    if starts_like_ascii(bytes) {
        return Ok(Encoding::Ascii(Ascii { text: without_bom(bytes), max_triangles: limits.max_triangles }));
    }
    match end {
        Some(end) if end < bytes.len() => binary(end),
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

struct Binary<'a> {
    triangles: &'a [[u8; TRIANGLE_BYTES]],
}

impl Surface for Binary<'_> {
    #[inline]
    fn visit<L: Copy>(
        &self,
        mut label: impl FnMut(Vector) -> L,
        mut visitor: impl FnMut([Vector; 3], [L; 3]),
    ) -> Result<(), MeshError> {
        for triangle in self.triangles.iter().map(binary_triangle) {
            visitor(triangle, triangle.map(&mut label));
        }
        Ok(())
    }
}

#[inline(always)]
fn binary_triangle(bytes: &[u8; TRIANGLE_BYTES]) -> [Vector; 3] {
    let coordinate = |start: usize| {
        f64::from(f32::from_le_bytes([bytes[start], bytes[start + 1], bytes[start + 2], bytes[start + 3]]))
    };
    let vertex = |start: usize| [coordinate(start), coordinate(start + 4), coordinate(start + 8)];
    [vertex(12), vertex(24), vertex(36)]
}

struct Ascii<'a> {
    text: &'a [u8],
    max_triangles: u64,
}

impl Surface for Ascii<'_> {
    /// Line ends are white space, except after `solid`, `endsolid` and `color`, which anything may follow.
    fn visit<L: Copy>(
        &self,
        mut label: impl FnMut(Vector) -> L,
        mut visitor: impl FnMut([Vector; 3], [L; 3]),
    ) -> Result<(), MeshError> {
        let mut cursor = Cursor::new(self.text);
        let mut left = self.max_triangles;
        loop {
            cursor.skip_white_space();
            let word = cursor.word();
            if word.eq_ignore_ascii_case(b"facet") {
                left = left.checked_sub(1).ok_or(MeshError::TooManyTriangles { limit: self.max_triangles })?;
                let triangle = ascii_facet(&mut cursor)?;
                visitor(triangle, triangle.map(&mut label));
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
fn ascii_facet(cursor: &mut Cursor<'_>) -> Result<[Vector; 3], MeshError> {
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
    if !matches!(cursor.peek(), None | Some(b'\n' | b'\r')) {
        skip_remark_before(cursor, next);
    }
}

#[cold]
fn skip_remark_before(cursor: &mut Cursor<'_>, next: &[u8]) {
    let goes_on = |word: &[u8]| {
        cursor.rest().get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && cursor.rest().get(word.len()).is_none_or(u8::is_ascii_whitespace)
    };
    if !goes_on(next) && !goes_on(b"endsolid") {
        cursor.skip_line();
    }
}

/// Reads a keyword, after lines of colours that some programs write.
#[inline(always)]
fn expect(cursor: &mut Cursor<'_>, keyword: &[u8]) -> Result<(), MeshError> {
    cursor.skip_white_space();
    if cursor.take_word(keyword) { Ok(()) } else { expect_in_any_case(cursor, keyword) }
}

#[inline(never)]
fn expect_in_any_case(cursor: &mut Cursor<'_>, keyword: &[u8]) -> Result<(), MeshError> {
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
