//! The Java that runs Elasticsearch.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::host::{files::program, os_user::OsUser, package_root::PackageRoot};

/// The oldest major version that Elasticsearch supports.
pub(crate) const MINIMUM: u32 = 21;

/// Packages of Debian and Ubuntu, the best first: the first one is in Debian since 13, in Ubuntu since 22.04.
pub(crate) const PACKAGES: [&str; 5] = [
    "openjdk-21-jre-headless",
    "openjdk-22-jre-headless",
    "openjdk-23-jre-headless",
    "openjdk-24-jre-headless",
    "openjdk-25-jre-headless",
];

/// What to do where none of them is.
pub(crate) const NO_PACKAGE: &str = "this system has no package of Java 21 or newer, which Elasticsearch needs (Debian 12 \
                                     has none). Take Debian 13, or Ubuntu 22.04 or newer; or unpack any JDK of version 21 \
                                     to 25 where all users can read it, and name its folder in JAVA_HOME. Nothing was \
                                     installed";

/// A Java installation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Java {
    /// The major version.
    pub(crate) version: u32,
    pub(crate) home: PathBuf,
}

/// The home folder of the Java that `user` is to run.
pub(crate) fn home(user: &OsUser) -> Result<PathBuf> {
    let java = find(MINIMUM, |home| user.can_reach(home)).with_context(|| {
        format!(
            "Elasticsearch needs Java {MINIMUM} or newer and none was found in ES_JAVA_HOME, JAVA_HOME, PATH or \
             /usr/lib/jvm that the user {} can reach. Install one, for example `apt-get install \
             openjdk-{MINIMUM}-jre-headless` (Debian 13, Ubuntu 24.04), or any JDK {MINIMUM} or newer, and name its \
             folder in ES_JAVA_HOME",
            user.name
        )
    })?;
    Ok(java.home)
}

/// The Java that `ES_JAVA_HOME` or `JAVA_HOME` names if it is of this major version or newer, else the oldest that is, because
/// Elasticsearch doesn't support a Java that was released after it.
pub(crate) fn find(minimum: u32, reachable: impl Fn(&Path) -> bool) -> Option<Java> {
    let named = ["ES_JAVA_HOME", "JAVA_HOME"].iter().filter_map(std::env::var_os).map(PathBuf::from);
    let fits = |home: PathBuf| installed(home).filter(|java| java.version >= minimum && reachable(&java.home));
    let on_path = program("java").and_then(|java| Some(java.canonicalize().ok()?.parent()?.parent()?.to_owned()));
    let others = PackageRoot::all().flat_map(|root| fs::read_dir(root.path("usr/lib/jvm")).into_iter().flatten());
    let others = others.flatten().map(|item| item.path());
    named.into_iter().find_map(fits).or_else(|| on_path.into_iter().chain(others).filter_map(fits).min())
}

fn installed(home: PathBuf) -> Option<Java> {
    let output = Command::new(home.join("bin/java")).arg("-version").output().ok()?;
    // openjdk version "21.0.4" 2024-07-16
    let output = String::from_utf8_lossy(&output.stderr);
    let version = output.split('"').nth(1)?.split(['.', '-', '+']).next()?.parse().ok()?;
    Some(Java { version, home })
}
