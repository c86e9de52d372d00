//! The certificate that the servers of a system show if they are to speak TLS, and the authority that it is from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::host::folders::Folders;

/// The file with the servers' certificate.
pub(crate) const SERVER: &str = "server.pem";
/// The file with its key.
pub(crate) const SERVER_KEY: &str = "server-key.pem";
/// The file with the authority's certificate.
const AUTHORITY: &str = "ca.pem";

/// Certificates as PEM.
#[derive(Clone, Debug)]
pub(crate) struct Certificates {
    /// The authority's, in a file that the parts can read.
    pub(crate) ca_file: PathBuf,
    /// The authority's.
    pub(crate) authority: String,
    /// The servers'.
    pub(crate) certificate: String,
    /// The servers' key.
    pub(crate) key: String,
}

impl Certificates {
    /// Reads `ca.pem`, `server.pem` and `server-key.pem` in `source`.
    pub(crate) fn read(folders: &Folders, source: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = source.join(name);
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
        };
        let (authority, ca_file) = (read(AUTHORITY)?, folders.run().join(AUTHORITY));
        folders.user.write_file(&ca_file, &authority)?;
        Ok(Self { ca_file, authority, certificate: read(SERVER)?, key: read(SERVER_KEY)? })
    }

    /// Writes the servers' certificate and key into a server's folder; returns their paths.
    pub(crate) fn put_into(&self, folders: &Folders, folder: &Path) -> Result<[PathBuf; 2]> {
        let paths = [SERVER, SERVER_KEY].map(|name| folder.join(name));
        folders.user.write_file(&paths[0], &self.certificate)?;
        folders.user.write_file(&paths[1], &self.key)?;
        Ok(paths)
    }
}
