//! Where Debian's packages are: installed below `/`, or, for another user than root, unpacked into a folder.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::unistd::Uid;

use crate::host::{files, folders};

/// A file that is in the folder of unpacked packages while something is being unpacked.
pub(super) const INCOMPLETE: &str = "incomplete";

/// Where packages have programs. Erlang's own folder comes first: by a link to it, its start script doesn't find the rest.
const PROGRAMS: [&str; 4] = ["usr/lib/erlang/bin", "usr/share/maven/bin", "usr/bin", "usr/sbin"];

/// A folder with packages in it as they are in `/`.
#[derive(Clone, Debug)]
pub(crate) struct PackageRoot(PathBuf);

impl PackageRoot {
    /// Both folders, the system's first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        [Some(Self::system()), Self::unpacked()].into_iter().flatten()
    }

    pub(crate) fn system() -> Self {
        Self("/".into())
    }

    /// The folder of unpacked packages, if it is whole. Root installs them instead.
    fn unpacked() -> Option<Self> {
        let folder = folders::packages();
        (!Uid::effective().is_root() && folder.exists() && !folder.join(INCOMPLETE).exists()).then_some(Self(folder))
    }

    fn is_system(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// The path of what a package has in this folder below `/`.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    /// The path of a program, also of the system's where this folder lacks it: what is installed isn't unpacked.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        let own = || PROGRAMS.iter().map(|folder| self.path(folder).join(name)).find(|program| program.is_file());
        if self.is_system() { files::program(name) } else { own().or_else(|| files::program(name)) }
    }

    /// The folders with a program's modules; also those of the system, which has what was installed before.
    pub(crate) fn modules(&self, program: &str) -> Vec<PathBuf> {
        let system = (!self.is_system()).then(Self::system);
        let libraries = [Some(self), system.as_ref()].into_iter().flatten().map(|root| root.path("usr/lib"));
        let folders = libraries.flat_map(|folder| {
            let below = fs::read_dir(&folder).into_iter().flatten().flatten().map(|item| item.path());
            iter::once(folder).chain(below).collect::<Vec<_>>()
        });
        folders.map(|folder| folder.join(program)).filter(|folder| folder.is_dir()).collect()
    }

    /// The environment that programs of this folder need to find each other, their libraries, and Erlang's.
    pub(crate) fn environment(&self) -> Result<BTreeMap<String, String>> {
        let mut environment = BTreeMap::new();
        if !self.is_system() {
            let mut add = |name: &str, folders: Vec<PathBuf>| -> Result<()> {
                environment.insert(name.to_owned(), env::join_paths(folders)?.to_string_lossy().into_owned());
                Ok(())
            };
            let path = env::var_os("PATH").unwrap_or_default();
            let programs = PROGRAMS.iter().map(|folder| self.path(folder));
            add("PATH", programs.chain(env::split_paths(&path)).collect())?;
            let libraries =
                ["usr/lib", "lib"].map(|folder| self.path(&format!("{folder}/{}-linux-gnu", env::consts::ARCH)));
            add("LD_LIBRARY_PATH", libraries.into())?;
            add("ERL_LIBS", vec![self.path("usr/lib/erlang/lib")])?;
        }
        Ok(environment)
    }
}

/// The path of a program that is installed or, for another user than root, unpacked.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    PackageRoot::all().find_map(|root| root.program(name))
}
