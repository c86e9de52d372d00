//! The container of a 3MF file: a zip archive whose parts are read one after the other, as streams.
//!
//! The names of parts are only compared with each other. Declared sizes are ignored: the unpacked bytes are counted
//! while they are unpacked, over all parts together.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, BufRead, Read};
use std::ops::Range;

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveEntryWayfinder, ZipSliceArchive};

use crate::error::MeshError;
use crate::limits::Limits;
use crate::threemf::utf16::Utf16;

/// The maximum number of entries: far more than any program writes, and few enough for a table.
const MAX_ENTRIES: usize = 10_000;
/// The maximum length of an entry's name: far longer than any program writes, and short enough for a table of all.
const MAX_NAME_BYTES: usize = 1024;
/// The number of bytes of a part that are unpacked at a time.
const WINDOW_BYTES: usize = 64 * 1024;
/// The maximum length of a tag, comment or text, which the parser may have to buffer as a whole.
const MAX_STRETCH_BYTES: usize = 1024 * 1024;
/// The first bytes of a part that is encrypted by the secure content extension.
const SECURE_CONTENT: &[u8] = b"%3McF";
/// The first bytes of a compound file, in which office programs keep an encrypted package.
const COMPOUND_FILE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// The container with the names of its parts.
pub(crate) struct Package<'a> {
    archive: ZipSliceArchive<&'a [u8]>,
    entries: Vec<Entry>,
    /// By name in lower case without a leading slash, because names of parts are case-insensitive.
    by_name: HashMap<Vec<u8>, PartId>,
    max_unpacked_bytes: u64,
    /// The number of bytes that may still be unpacked.
    unpacked_left: Cell<u64>,
}

/// The index of a part in the archive.
pub(crate) type PartId = usize;

struct Entry {
    location: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    encrypted: bool,
}

impl<'a> Package<'a> {
    pub(crate) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, MeshError> {
        if bytes.starts_with(COMPOUND_FILE) {
            return Err(MeshError::Encrypted);
        }
        let archive = ZipArchive::from_slice(bytes).map_err(|_| damaged())?;
        let mut entries = Vec::new();
        let mut by_name = HashMap::new();
        let mut directory = archive.entries();
        while let Some(record) = directory.next_entry().map_err(|_| damaged())? {
            if entries.len() == MAX_ENTRIES {
                return Err(MeshError::unreadable("the 3MF archive has too many entries"));
            }
            let name = record.file_path();
            if name.as_ref().len() > MAX_NAME_BYTES {
                return Err(MeshError::unreadable("the 3MF archive has an entry with an extraordinarily long name"));
            }
            if by_name.insert(normalised(name.as_ref()), entries.len()).is_some() {
                return Err(MeshError::unreadable("the 3MF archive has two entries of the same name"));
            }
            entries.push(Entry {
                location: record.wayfinder(),
                method: record.compression_method(),
                encrypted: record.flags().is_encrypted(),
            });
        }
        let max_unpacked_bytes = limits.max_unpacked_bytes;
        Ok(Self { archive, entries, by_name, max_unpacked_bytes, unpacked_left: Cell::new(max_unpacked_bytes) })
    }

    pub(crate) fn find(&self, name: &[u8]) -> Option<PartId> {
        self.by_name.get(&normalised(name)).copied()
    }

    /// Starts to unpack a part.
    pub(crate) fn part(&self, id: PartId) -> Result<Part<'_>, MeshError> {
        let entry = &self.entries[id];
        if entry.encrypted {
            return Err(MeshError::Encrypted);
        }
        let located = self.archive.get_entry(entry.location).map_err(|_| damaged())?;
        let data = located.data();
        let inflated: Box<dyn Read + '_> = match entry.method {
            CompressionMethod::STORE => Box::new(data),
            CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(data)),
            _ => return Err(MeshError::unreadable("the 3MF archive uses an unusual compression")),
        };
        Ok(Part {
            package: self,
            inflated,
            expected_crc: located.claim_verifier().crc,
            crc: Crc::new(),
            window: vec![0; WINDOW_BYTES],
            unread: 0..0,
            stretch: 0,
            text: Text::Unknown,
            failure: None,
        })
    }
}

fn normalised(name: &[u8]) -> Vec<u8> {
    name.strip_prefix(b"/").unwrap_or(name).to_ascii_lowercase()
}

fn damaged() -> MeshError {
    MeshError::unreadable("the 3MF archive is damaged")
}

fn malformed() -> MeshError {
    MeshError::unreadable("a part of the 3MF file is not text in UTF-16, as which it begins")
}

/// A part that is being unpacked.
pub(crate) struct Part<'p> {
    package: &'p Package<'p>,
    inflated: Box<dyn Read + 'p>,
    expected_crc: u32,
    crc: Crc,
    window: Vec<u8>,
    unread: Range<usize>,
    /// The number of bytes consumed since the last [`Part::begin_stretch`].
    stretch: usize,
    text: Text,
    failure: Option<MeshError>,
}

/// The encoding of a part.
enum Text {
    /// Nothing has been read yet.
    Unknown,
    Utf8,
    Utf16 {
        decoder: Utf16,
        /// The text of the window.
        decoded: Vec<u8>,
    },
}

impl Part<'_> {
    /// Allows another [`MAX_STRETCH_BYTES`] to be read.
    pub(crate) fn begin_stretch(&mut self) {
        self.stretch = 0;
    }

    /// The error of unpacking, if there was one.
    pub(crate) fn take_failure(&mut self) -> Option<MeshError> {
        self.failure.take()
    }

    fn refill(&mut self) -> Result<(), MeshError> {
        if self.stretch > MAX_STRETCH_BYTES {
            return Err(MeshError::unreadable("the 3MF file contains an element of extraordinary length"));
        }
        loop {
            let read = self.unpack()?;
            if let (true, Text::Unknown) = (read > 0, &self.text) {
                self.recognise(read)?;
            }
            self.unread = 0..read;
            let Text::Utf16 { decoder, decoded } = &mut self.text else { return Ok(()) };
            decoded.clear();
            decoder.decode(&self.window[..read], decoded).map_err(|_| malformed())?;
            self.unread = 0..decoded.len();
            if read == 0 {
                return decoder.finish().map_err(|_| malformed());
            }
            // The bytes may have been the first half of a character.
            if !decoded.is_empty() {
                return Ok(());
            }
        }
    }

    /// Unpacks the next bytes into the window; none at the end of the part.
    fn unpack(&mut self) -> Result<usize, MeshError> {
        // Enough at the start to recognise what it is.
        let least = if matches!(self.text, Text::Unknown) { SECURE_CONTENT.len() } else { 1 };
        let mut filled = 0;
        while filled < least {
            let read = self.inflated.read(&mut self.window[filled..]).map_err(|_| damaged())?;
            if read == 0 {
                break;
            }
            filled += read;
        }
        let left = self.package.unpacked_left.get().checked_sub(filled as u64);
        self.package.unpacked_left.set(left.ok_or(MeshError::TooLarge { limit: self.package.max_unpacked_bytes })?);
        self.crc.update(&self.window[..filled]);
        if filled == 0 && self.crc.sum() != self.expected_crc {
            return Err(damaged());
        }
        Ok(filled)
    }

    fn recognise(&mut self, read: usize) -> Result<(), MeshError> {
        let start = &self.window[..read];
        if start.starts_with(SECURE_CONTENT) {
            return Err(MeshError::Encrypted);
        }
        self.text = match Utf16::detect(start) {
            Some(decoder) => Text::Utf16 { decoder, decoded: Vec::new() },
            None => Text::Utf8,
        };
        Ok(())
    }

    /// The bytes that are not consumed yet, as UTF-8.
    fn unread(&self) -> &[u8] {
        let text = match &self.text {
            Text::Utf16 { decoded, .. } => decoded,
            Text::Unknown | Text::Utf8 => &self.window,
        };
        &text[self.unread.clone()]
    }
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Part<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.unread.is_empty() {
            self.refill().map_err(|failure| {
                self.failure = Some(failure);
                io::Error::from(io::ErrorKind::InvalidData)
            })?;
        }
        Ok(self.unread())
    }

    fn consume(&mut self, bytes: usize) {
        self.unread.start += bytes;
        self.stretch += bytes;
    }
}
