//! A 3MF file's container: a zip archive whose parts are read one after the other, as streams.
//!
//! The names of parts are only ever compared with each other. Declared sizes are believed by nobody: what unpacks is
//! counted while it unpacks, over all parts together.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, BufRead, Read};
use std::ops::Range;

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveEntryWayfinder, ZipSliceArchive};

use crate::{Limits, MeshError};

/// Far more than any program writes, and little enough to keep a table of.
const MAX_ENTRIES: usize = 10_000;
/// How much of a part is unpacked at a time.
const WINDOW_BYTES: usize = 64 * 1024;
/// The longest tag, comment or text: what a parser of the part may have to keep in memory at once.
const MAX_STRETCH_BYTES: usize = 1024 * 1024;

/// The container and its parts' names.
pub(crate) struct Package<'a> {
    archive: ZipSliceArchive<&'a [u8]>,
    entries: Vec<Entry>,
    /// By name in lower case without a leading slash: names of parts are the same in any case.
    by_name: HashMap<Vec<u8>, PartId>,
    max_unpacked_bytes: u64,
    /// How many bytes may still be unpacked.
    unpacked_left: Cell<u64>,
}

/// A part's place in the archive.
pub(crate) type PartId = usize;

struct Entry {
    location: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    encrypted: bool,
}

impl<'a> Package<'a> {
    pub(crate) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, MeshError> {
        let archive = ZipArchive::from_slice(bytes).map_err(|_| damaged())?;
        let mut entries = Vec::new();
        let mut by_name = HashMap::new();
        let mut directory = archive.entries();
        while let Some(record) = directory.next_entry().map_err(|_| damaged())? {
            if entries.len() == MAX_ENTRIES {
                return Err(MeshError::unreadable("the 3MF archive has too many entries"));
            }
            if by_name.insert(normalised(record.file_path().as_ref()), entries.len()).is_some() {
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

    /// Begins to unpack a part.
    pub(crate) fn part(&self, id: PartId) -> Result<Part<'_>, MeshError> {
        let entry = &self.entries[id];
        if entry.encrypted {
            return Err(MeshError::unreadable("the 3MF file is protected by a password"));
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

/// A part while it is unpacked.
pub(crate) struct Part<'p> {
    package: &'p Package<'p>,
    inflated: Box<dyn Read + 'p>,
    expected_crc: u32,
    crc: Crc,
    window: Vec<u8>,
    unread: Range<usize>,
    /// Bytes consumed since the latest [`Part::begin_stretch`].
    stretch: usize,
    failure: Option<MeshError>,
}

impl Part<'_> {
    /// Allows [`MAX_STRETCH_BYTES`] to be read from here on.
    pub(crate) fn begin_stretch(&mut self) {
        self.stretch = 0;
    }

    /// Why reading failed, if it did so here and not in what the part says.
    pub(crate) fn take_failure(&mut self) -> Option<MeshError> {
        self.failure.take()
    }

    fn refill(&mut self) -> Result<(), MeshError> {
        if self.stretch > MAX_STRETCH_BYTES {
            return Err(MeshError::unreadable("the 3MF file contains an element of extraordinary length"));
        }
        let read = self.inflated.read(&mut self.window).map_err(|_| damaged())?;
        let left = self.package.unpacked_left.get().checked_sub(read as u64);
        self.package.unpacked_left.set(left.ok_or(MeshError::TooLarge { limit: self.package.max_unpacked_bytes })?);
        self.crc.update(&self.window[..read]);
        if read == 0 && self.crc.sum() != self.expected_crc {
            return Err(damaged());
        }
        self.unread = 0..read;
        Ok(())
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
        Ok(&self.window[self.unread.clone()])
    }

    fn consume(&mut self, bytes: usize) {
        self.unread.start += bytes;
        self.stretch += bytes;
    }
}
