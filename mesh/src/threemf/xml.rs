//! The tags of a 3MF part, one after the other. Text, comments and declarations are skipped, and entities that a file
//! defines are unknown, so nothing expands.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::error::MeshError;
use crate::threemf::package::Part;

/// The maximum depth of elements, far deeper than any extension of 3MF nests.
const MAX_DEPTH: usize = 64;

/// The tags of a part.
pub(crate) struct Xml<'p> {
    reader: Reader<Part<'p>>,
    buffer: Vec<u8>,
    /// The name and attributes of the current tag.
    tag: Vec<u8>,
    name_length: usize,
    depth: usize,
}

/// A tag, or the end of the part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// The start of an element.
    Open,
    /// The end of an element, also of one without content.
    Close,
    /// The end of the part.
    End,
}

impl<'p> Xml<'p> {
    pub(crate) fn new(part: Part<'p>) -> Self {
        let mut reader = Reader::from_reader(part);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), tag: Vec::new(), name_length: 0, depth: 0 }
    }

    /// Advances to the next tag.
    pub(crate) fn next(&mut self) -> Result<Tag, MeshError> {
        loop {
            self.buffer.clear();
            self.reader.get_mut().begin_stretch();
            match self.reader.read_event_into(&mut self.buffer) {
                Ok(Event::Start(start)) => {
                    self.name_length = start.name().as_ref().len();
                    self.tag.clear();
                    self.tag.extend_from_slice(&start);
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(MeshError::unreadable("the XML in the 3MF file is nested too deeply"));
                    }
                    return Ok(Tag::Open);
                }
                Ok(Event::End(_)) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Tag::Close);
                }
                Ok(Event::Eof) if self.depth == 0 => return Ok(Tag::End),
                Ok(Event::Eof) | Err(_) => {
                    let failure = self.reader.get_mut().take_failure();
                    return Err(failure.unwrap_or_else(|| MeshError::unreadable("the XML in the 3MF file is broken")));
                }
                Ok(_) => {}
            }
        }
    }

    /// The current tag's name, with its prefix.
    pub(crate) fn name(&self) -> &[u8] {
        &self.tag[..self.name_length]
    }

    /// The current tag's attributes: the name with its prefix, and the value with its entities.
    pub(crate) fn attributes(&self) -> Attributes<'_> {
        Attributes { rest: &self.tag[self.name_length..] }
    }

    /// Skips the rest of the element that the current tag has opened, including its end.
    pub(crate) fn skip_element(&mut self) -> Result<(), MeshError> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            if self.next()? == Tag::End {
                break;
            }
        }
        Ok(())
    }
}

/// The names and values of attributes, up to the first malformed one.
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.trim_ascii_start();
        let equals = text.iter().position(|&byte| byte == b'=')?;
        let (&quote, value) = text[equals + 1..].trim_ascii_start().split_first()?;
        if quote != b'"' && quote != b'\'' {
            return None;
        }
        let end = value.iter().position(|&byte| byte == quote)?;
        self.rest = &value[end + 1..];
        Some((text[..equals].trim_ascii_end(), &value[..end]))
    }
}

/// A name without its prefix.
pub(crate) fn local(name: &[u8]) -> &[u8] {
    name.iter().position(|&byte| byte == b':').map_or(name, |colon| &name[colon + 1..])
}

/// An attribute's value with its entities resolved.
pub(crate) fn unescape(value: &[u8]) -> Result<String, MeshError> {
    std::str::from_utf8(value)
        .ok()
        .and_then(|value| quick_xml::escape::unescape(value).ok())
        .map(|value| value.into_owned())
        .ok_or_else(|| MeshError::unreadable("the XML in the 3MF file is broken"))
}
