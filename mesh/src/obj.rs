//! Wavefront OBJ: vertices (`v`) and faces (`f`). Everything else is skipped, including materials and their files.
//!
//! Not based on a general reader, because that allocates per face and per group, converts to meshes for drawing in
//! single precision, and doesn't support continued lines.

use crate::error::MeshError;
use crate::indexed::{Budget, Mesh};
use crate::limits::{Inspection, Limits};
use crate::text::{Cursor, without_bom};

pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspection, MeshError> {
    let (mesh, degenerate_faces) = read(without_bom(bytes), limits)?;
    if mesh.triangles() == 0 {
        return Err(MeshError::Empty);
    }
    let mut inspection = Inspection::of(&mesh.solid()?, mesh.triangles());
    inspection.mended.degenerate_faces = degenerate_faces;
    Ok(inspection)
}

/// The mesh as it is written.
#[cfg(feature = "picture")]
pub(crate) fn mesh(bytes: &[u8], limits: &Limits) -> Result<Mesh, MeshError> {
    read(without_bom(bytes), limits).map(|(mesh, _)| mesh)
}

/// The mesh, and the number of faces with fewer than three corners, which are left out.
fn read(text: &[u8], limits: &Limits) -> Result<(Mesh, u64), MeshError> {
    let mut degenerate_faces = 0;
    let mut mesh = Mesh::default();
    let mut budget = Budget::new(limits);
    let mut cursor = Cursor::new(text);
    loop {
        cursor.skip_white_space();
        match cursor.word() {
            b"" => return Ok((mesh, degenerate_faces)),
            b"v" | b"V" => read_vertex(&mut cursor, &mut mesh, &mut budget)?,
            b"f" | b"F" | b"fo" | b"FO" => {
                degenerate_faces += u64::from(!read_face(&mut cursor, &mut mesh, &mut budget)?);
            }
            comment if comment.starts_with(b"#") => cursor.skip_line(),
            _ => {}
        }
        skip_statement(&mut cursor);
    }
}

/// Skips the rest of a line and the lines that continue it.
#[inline]
fn skip_statement(cursor: &mut Cursor<'_>) {
    loop {
        cursor.skip_line();
        if !cursor.before().ends_with(b"\\") || cursor.peek().is_none() {
            return;
        }
        cursor.advance(if cursor.rest().starts_with(b"\r\n") { 2 } else { 1 });
    }
}

/// Reads a vertex's position, up to its weight or colour.
fn read_vertex(cursor: &mut Cursor<'_>, mesh: &mut Mesh, budget: &mut Budget) -> Result<(), MeshError> {
    let mut vertex = [0.0; 3];
    for coordinate in &mut vertex {
        skip_blanks(cursor);
        *coordinate = cursor.coordinate()?;
    }
    mesh.push_vertex(vertex, budget)
}

/// Reads a polygon, split into the triangles between its first corner and each of the other edges. Returns false for one
/// with fewer than three corners, which has no area.
fn read_face(cursor: &mut Cursor<'_>, mesh: &mut Mesh, budget: &mut Budget) -> Result<bool, MeshError> {
    let first_triangle = mesh.triangles();
    let (Some(first), Some(second)) = (read_corner(cursor, mesh)?, read_corner(cursor, mesh)?) else {
        return Ok(false);
    };
    let mut previous = second;
    while let Some(corner) = read_corner(cursor, mesh)? {
        mesh.push_triangle([first, previous, corner], budget)?;
        previous = corner;
    }
    mesh.end_polygon(first_triangle);
    Ok(mesh.triangles() > first_triangle)
}

/// The index of the next corner's vertex (`7`, `7/1`, `7//2`, `7/1/2`, or `-1` for the last vertex), from 0; `None` at
/// the end of the line. It is not checked here, because a vertex may follow the faces that use it.
#[inline]
fn read_corner(cursor: &mut Cursor<'_>, mesh: &Mesh) -> Result<Option<u32>, MeshError> {
    skip_blanks(cursor);
    if matches!(cursor.peek(), None | Some(b'\n' | b'\r' | b'#')) {
        return Ok(None);
    }
    let negative = cursor.peek() == Some(b'-');
    if negative {
        cursor.advance(1);
    }
    let number = read_number(cursor)?;
    if cursor.peek() == Some(b'/') {
        cursor.word();
    }
    let index = if negative { mesh.vertices().checked_sub(number) } else { number.checked_sub(1) };
    match index.map(u32::try_from) {
        Some(Ok(index)) if number > 0 => Ok(Some(index)),
        _ => Err(cursor.unreadable("a face refers to a vertex that doesn't exist")),
    }
}

/// An unsigned number, followed by a slash, a backslash, white space or the end.
#[inline]
fn read_number(cursor: &mut Cursor<'_>) -> Result<u64, MeshError> {
    let start = cursor.rest();
    let mut number = 0_u64;
    let mut digits = 0;
    while let Some(digit) = start.get(digits).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10) {
        number = number.saturating_mul(10).saturating_add(u64::from(digit));
        digits += 1;
    }
    cursor.advance(digits);
    let ended = cursor.peek().is_none_or(|next| next == b'/' || next == b'\\' || next.is_ascii_whitespace());
    if digits > 0 && ended { Ok(number) } else { Err(cursor.unreadable("a face's corner is not a number")) }
}

/// Skips to the next word of the line, which a backslash at its end continues on the next one.
#[inline]
fn skip_blanks(cursor: &mut Cursor<'_>) {
    loop {
        cursor.skip_blanks();
        match cursor.rest() {
            [b'\\', b'\r', b'\n', ..] => cursor.advance(3),
            [b'\\', b'\n' | b'\r', ..] => cursor.advance(2),
            _ => return,
        }
    }
}
