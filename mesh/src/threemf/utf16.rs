//! Decodes UTF-16, which a part of a 3MF package may be written in, to UTF-8.

/// The state between two stretches of a part.
pub(crate) struct Utf16 {
    big_endian: bool,
    /// The first byte of a unit whose second one is in the next stretch.
    byte: Option<u8>,
    /// The first unit of a pair whose second one is still missing.
    high: Option<u16>,
}

/// A unit that is no character, or half of one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Utf16 {
    /// The decoder for a part that begins with these bytes: a byte order mark, or the `<` of an XML document.
    pub(crate) fn detect(start: &[u8]) -> Option<Self> {
        let big_endian = match start {
            [0xff, 0xfe, ..] | [b'<', 0, ..] => false,
            [0xfe, 0xff, ..] | [0, b'<', ..] => true,
            _ => return None,
        };
        Some(Self { big_endian, byte: None, high: None })
    }

    /// Appends the characters that `bytes` complete.
    pub(crate) fn decode(&mut self, bytes: &[u8], text: &mut Vec<u8>) -> Result<(), Malformed> {
        for &byte in bytes {
            let Some(first) = self.byte.take() else {
                self.byte = Some(byte);
                continue;
            };
            let unit =
                if self.big_endian { u16::from_be_bytes([first, byte]) } else { u16::from_le_bytes([first, byte]) };
            let character = match (self.high.take(), unit) {
                (None, 0xd800..=0xdbff) => {
                    self.high = Some(unit);
                    continue;
                }
                (None, _) => char::from_u32(u32::from(unit)),
                (Some(high), _) => char::decode_utf16([high, unit]).next().and_then(Result::ok),
            };
            let character = character.ok_or(Malformed)?;
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }

    /// Checks that nothing is missing at the end of the part.
    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        if self.byte.is_none() && self.high.is_none() { Ok(()) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes the text in stretches of `size` bytes.
    fn decoded(bytes: &[u8], size: usize) -> Result<String, Malformed> {
        let mut decoder = Utf16::detect(bytes).expect("UTF-16");
        let mut text = Vec::new();
        bytes.chunks(size).try_for_each(|stretch| decoder.decode(stretch, &mut text))?;
        decoder.finish()?;
        Ok(String::from_utf8(text).expect("UTF-8"))
    }

    #[test]
    fn both_byte_orders_are_read_in_stretches_of_any_size() {
        let text = "\u{feff}<Кольцо n=\"\u{1f48d}\"/>";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for size in 1..9 {
            assert_eq!(decoded(&little, size).as_deref(), Ok(text));
            assert_eq!(decoded(&big, size).as_deref(), Ok(text));
        }
    }

    #[test]
    fn half_a_character_is_an_error() {
        for end in [&[0x3d, 0xd8][..], &[0x3d, 0xd8, b'a', 0], &[0x8d, 0xdc], b"a"] {
            assert_eq!(decoded(&[b"<\0", end].concat(), 64), Err(Malformed));
        }
    }

    #[test]
    fn utf_8_is_not_taken_for_utf_16() {
        for start in [&b"<model>"[..], b"\xef\xbb\xbf<model>", b" <model>", b"<", b""] {
            assert!(Utf16::detect(start).is_none());
        }
    }
}
