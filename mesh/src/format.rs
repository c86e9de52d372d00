//! The formats and their extensions, and a cheap check of a file's first bytes.

use crate::{stl, text};

/// A format of 3D models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Stereolithography, binary or ASCII.
    Stl,
    /// Wavefront OBJ.
    Obj,
    /// 3D Manufacturing Format.
    ThreeMf,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Stl, Self::Obj, Self::ThreeMf];

    /// The format of this extension (without a dot, in any case), or `None`.
    #[must_use]
    pub fn from_extension(extension: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.extension().eq_ignore_ascii_case(extension))
    }

    /// The extension in lower case, without a dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Stl => "stl",
            Self::Obj => "obj",
            Self::ThreeMf => "3mf",
        }
    }
}

/// Checks whether the first bytes of a file can be those of `format`. Returns false only for content that contradicts
/// the format, such as a picture, a document or an archive; `measure` reads the whole file.
///
/// `head` is the first few hundred bytes or more, `total_len` the length of the whole file if it is known.
#[must_use]
pub fn sniff(format: Format, head: &[u8], total_len: Option<u64>) -> bool {
    match format {
        Format::Stl => {
            let long_enough = total_len.unwrap_or(head.len() as u64) >= stl::HEADER_BYTES as u64;
            stl::starts_like_ascii(head) || (long_enough && !is_another_format(head) && looks_binary(head))
        }
        Format::Obj => !head.contains(&0) && has_obj_line(head),
        Format::ThreeMf => head.starts_with(ZIP_ENTRY),
    }
}

const ZIP_ENTRY: &[u8] = b"PK\x03\x04";

/// Whether the file has another format's magic number. A binary STL has none itself.
fn is_another_format(head: &[u8]) -> bool {
    const MAGIC_NUMBERS: [&[u8]; 8] =
        [ZIP_ENTRY, b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x7fELF", b"MZ", b"\x1f\x8b"];
    MAGIC_NUMBERS.iter().any(|magic| head.starts_with(magic))
}

/// Whether the header has a zero byte. The count of triangles, below 2^24 in every accepted file, has one.
fn looks_binary(head: &[u8]) -> bool {
    head.iter().take(stl::HEADER_BYTES).any(|&byte| byte == 0)
}

/// Whether any line begins with a keyword of OBJ or a comment.
fn has_obj_line(head: &[u8]) -> bool {
    const KEYWORDS: [&[u8]; 16] = [
        b"v", b"vt", b"vn", b"vp", b"f", b"fo", b"l", b"p", b"o", b"g", b"s", b"mtllib", b"usemtl", b"cstype", b"deg",
        b"mg",
    ];
    text::without_bom(head).split(|&byte| matches!(byte, b'\n' | b'\r')).any(|line| {
        let line = line.trim_ascii_start();
        let keyword = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        line.starts_with(b"#") || KEYWORDS.iter().any(|known| known.eq_ignore_ascii_case(keyword))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_recognised_in_any_case() {
        assert_eq!(Format::from_extension("STL"), Some(Format::Stl));
        assert_eq!(Format::from_extension("Obj"), Some(Format::Obj));
        assert_eq!(Format::from_extension("3mf"), Some(Format::ThreeMf));
        assert_eq!(Format::from_extension(".stl"), None);
        assert_eq!(Format::from_extension(""), None);
    }

    #[test]
    fn the_beginning_of_each_format_is_recognised() {
        assert!(sniff(Format::Stl, b"solid ring\nfacet", None));
        assert!(sniff(Format::Stl, b"\xef\xbb\xbf\r\n SOLID", Some(9)));
        assert!(sniff(Format::Stl, &[0; 84], None));
        assert!(sniff(Format::Stl, &[0; 20], Some(84)));
        assert!(sniff(Format::Obj, b"# exported\r\nmtllib ring.mtl\r\n", None));
        assert!(sniff(Format::Obj, b"\xef\xbb\xbfv 0 0 0\n", None));
        assert!(sniff(Format::Obj, b"V 0 0 0\rV 1 0 0\r", None));
        assert!(sniff(Format::ThreeMf, b"PK\x03\x04\x14\x00", None));
    }

    #[test]
    fn content_that_contradicts_the_extension_is_refused() {
        let page =
            b"<!DOCTYPE html><html><head><title>Not a model, however long it becomes</title></head><body></body>";
        let mut picture = [0; 200];
        picture[..8].copy_from_slice(b"\x89PNG\r\n\x1a\n");
        for format in Format::ALL {
            assert!(!sniff(format, page, Some(page.len() as u64)), "{format:?}");
            assert!(!sniff(format, &picture, Some(200)), "{format:?}");
            assert!(!sniff(format, b"", Some(0)), "{format:?}");
        }
        assert!(!sniff(Format::Stl, &[0; 83], Some(83)));
        assert!(!sniff(Format::Obj, b"v 0 0 0\0", None));
        assert!(!sniff(Format::ThreeMf, b"PK\x05\x06", None));
    }
}
