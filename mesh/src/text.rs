//! A cursor over the words and numbers of a text format.

use crate::error::MeshError;

/// The text without the byte order mark of UTF-8.
pub(crate) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// The coordinate at the start of `text`, and its length in bytes. It must fit into single precision, in which vertices
/// are compared.
///
/// # Errors
///
/// `text` doesn't begin with a number, or the number isn't finite in single precision.
#[inline]
pub(crate) fn coordinate(text: &[u8]) -> Result<(f64, usize), CoordinateError> {
    let (value, taken) = fast_float2::parse_partial::<f64, _>(text).map_err(|_| CoordinateError::NoNumber)?;
    if !(value as f32).is_finite() {
        return Err(CoordinateError::NotFinite);
    }
    // A backslash continues a line of an OBJ.
    if text.get(taken).is_some_and(|&next| !next.is_ascii_whitespace() && next != b'\\') {
        return Err(CoordinateError::NoNumber);
    }
    Ok((value, taken))
}

/// An error of reading a coordinate.
pub(crate) enum CoordinateError {
    NoNumber,
    NotFinite,
}

/// A text and a position in it.
pub(crate) struct Cursor<'a> {
    text: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, position: 0 }
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.text[self.position..]
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    #[inline]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.position = (self.position + bytes).min(self.text.len());
    }

    #[inline]
    pub(crate) fn skip_while(&mut self, matches: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&matches) {
            self.position += 1;
        }
    }

    #[inline]
    pub(crate) fn skip_white_space(&mut self) {
        self.skip_while(|byte| byte.is_ascii_whitespace());
    }

    /// Reads the bytes up to the next white space or the end.
    #[inline]
    pub(crate) fn word(&mut self) -> &'a [u8] {
        let start = self.position;
        self.skip_while(|byte| !byte.is_ascii_whitespace());
        &self.text[start..self.position]
    }

    /// Skips this word if it is the next one, in the same case.
    #[inline(always)]
    pub(crate) fn take_word(&mut self, word: &[u8]) -> bool {
        let rest = self.rest();
        let taken = rest.starts_with(word) && rest.get(word.len()).is_none_or(u8::is_ascii_whitespace);
        self.position += if taken { word.len() } else { 0 };
        taken
    }

    /// The text before the position.
    pub(crate) fn before(&self) -> &'a [u8] {
        &self.text[..self.position]
    }

    #[inline]
    pub(crate) fn skip_blanks(&mut self) {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    /// Skips to the end of the line, which is LF, CR, or both.
    #[inline]
    pub(crate) fn skip_line(&mut self) {
        self.skip_while(|byte| byte != b'\n' && byte != b'\r');
    }

    /// Reads a coordinate.
    #[inline]
    pub(crate) fn coordinate(&mut self) -> Result<f64, MeshError> {
        match coordinate(self.rest()) {
            Ok((value, taken)) => {
                self.position += taken;
                Ok(value)
            }
            Err(CoordinateError::NotFinite) => Err(MeshError::NotFinite),
            Err(CoordinateError::NoNumber) => Err(self.unreadable("a coordinate is not a number")),
        }
    }

    /// An error with the number of the current line.
    #[cold]
    pub(crate) fn unreadable(&self, reason: &'static str) -> MeshError {
        let before = self.before();
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        // Without a line feed, the lines end with a carriage return, as on old Macs.
        let line = if line > 1 { line } else { 1 + before.iter().filter(|&&byte| byte == b'\r').count() };
        MeshError::Unreadable { reason, line: Some(line as u64) }
    }
}
