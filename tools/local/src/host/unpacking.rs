//! Packages for a user who may not install any: unpacked into a folder, with what their installation would have done as far
//! as programs that run from there need it.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::host::package_root::INCOMPLETE;
use crate::host::packages::Apt;
use crate::host::{folders, process};

/// The limit for one package.
const WITHIN: Duration = Duration::from_secs(300);

/// The certificates that Java trusts, below `/`.
const TRUST_STORE: &str = "etc/ssl/certs/java/cacerts";
/// Erlang's start script, below `/`.
const ERL: &str = "usr/lib/erlang/bin/erl";

/// apt with new lists and no downloads.
pub(crate) fn apt() -> Result<Apt> {
    // What an interrupted attempt has left may be of older versions.
    if apt_folder().exists() {
        fs::remove_dir_all(apt_folder()).context("removing older downloads")?;
    }
    Apt::in_folder(&apt_folder())
}

fn apt_folder() -> PathBuf {
    folders::packages().with_extension("apt")
}

/// Downloads these packages, with what they need and the system lacks, and unpacks them beside those that were before.
pub(crate) async fn unpack(apt: &Apt, packages: &[&str]) -> Result<()> {
    let archives = apt.download(packages).await?;
    // Programs of the system would get it as well, with another one's loader, and crash.
    let is_libc = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libc6_"));
    ensure!(
        !archives.iter().any(is_libc),
        "the packages need a newer C library than this system has: root has to upgrade it first (`apt-get update && \
         apt-get upgrade`)"
    );
    let folder = folders::packages();
    unpack_into(&folder, &archives).await?;
    fs::remove_dir_all(apt_folder()).context("removing the downloads")
}

async fn unpack_into(folder: &Path, archives: &[PathBuf]) -> Result<()> {
    let incomplete = folder.join(INCOMPLETE);
    if incomplete.exists() {
        fs::remove_dir_all(folder).context("removing what was unpacked in part")?;
    }
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    fs::write(&incomplete, "").context("marking the folder as incomplete")?;
    for archive in archives {
        let mut extract = process::command("dpkg-deb");
        process::run(extract.arg("--extract").arg(archive).arg(folder), WITHIN).await?;
    }
    if folder.join("usr/lib/jvm").exists() && !Path::new("/").join(TRUST_STORE).exists() {
        let path = folder.join(TRUST_STORE);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, trust_store(&rustls_native_certs::load_native_certs().certs)?)
            .context("Java's certificates")?;
    }
    if let Ok(script) = fs::read_to_string(folder.join(ERL)) {
        // It finds out where it is, but goes to where it would have been installed.
        fs::write(folder.join(ERL), script.replace("=/usr/lib/erlang", "=\"$dyn_rootdir\""))?;
    }
    redirect_links(folder, folder).context("redirecting links")?;
    fs::remove_file(incomplete).context("marking the folder as whole")
}

/// Makes the links below `folder` that lead to a place in `/` lead to the same place in `root`, or to that of the system if
/// only this is there.
fn redirect_links(root: &Path, folder: &Path) -> io::Result<()> {
    for item in fs::read_dir(folder)? {
        let (path, kind) = item.and_then(|item| Ok((item.path(), item.file_type()?)))?;
        if kind.is_dir() {
            redirect_links(root, &path)?;
        } else if kind.is_symlink() {
            let below = folder.strip_prefix(root).unwrap_or(folder);
            let target = without_dots(&below.join(fs::read_link(&path)?));
            let to_here: PathBuf = below.iter().map(|_| "..").collect::<PathBuf>().join(&target);
            let of_system = Path::new("/").join(&target);
            let is_here = root.join(&target).symlink_metadata().is_ok();
            if is_here || of_system.exists() {
                fs::remove_file(&path)?;
                std::os::unix::fs::symlink(if is_here { to_here } else { of_system }, &path)?;
            }
        }
    }
    Ok(())
}

/// The path below `/` that this one below `/`, or from it, leads to.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => drop(plain.pop()),
            Component::RootDir => plain.clear(),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    plain
}

/// A Java key store (JKS) of these certificates. It has no checksum: Java checks it only if there is a password.
fn trust_store(certificates: &[impl AsRef<[u8]>]) -> Result<Vec<u8>> {
    const MAGIC: u32 = 0xFEED_FEED;
    const VERSION: u32 = 2;
    const TRUSTED_CERTIFICATE: u32 = 2;
    const NO_DATE: u64 = 0;
    let mut store = Vec::new();
    let text = |store: &mut Vec<u8>, text: &str| -> Result<()> {
        store.extend(u16::try_from(text.len())?.to_be_bytes());
        store.extend(text.as_bytes());
        Ok(())
    };
    for number in [MAGIC, VERSION, u32::try_from(certificates.len())?] {
        store.extend(number.to_be_bytes());
    }
    for (number, certificate) in certificates.iter().map(AsRef::as_ref).enumerate() {
        store.extend(TRUSTED_CERTIFICATE.to_be_bytes());
        text(&mut store, &number.to_string())?;
        store.extend(NO_DATE.to_be_bytes());
        text(&mut store, "X.509")?;
        store.extend(u32::try_from(certificate.len())?.to_be_bytes());
        store.extend(certificate);
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;
    use crate::parts::{java, needs, needs::Need};
    use crate::terminal::progress::Progress;

    /// A folder that is removed when this value is dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn create(name: &str) -> Result<Self> {
            let folder = std::env::temp_dir().join(format!("alexandrite-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder)?;
            Ok(Self(folder))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn run(command: &mut Command) -> Result<String> {
        let output = command.output()?;
        ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Makes a package with links in it, in a repository of its own.
    fn repository(folder: &Path) -> Result<()> {
        let tree = folder.join("tree");
        for part in ["DEBIAN", "etc/tool", "usr/share/tool"] {
            fs::create_dir_all(tree.join(part))?;
        }
        fs::write(
            tree.join("DEBIAN/control"),
            "Package: alexandrite-links\nVersion: 1\nArchitecture: all\nMaintainer: test <test@example.org>\n\
             Description: test\n",
        )?;
        fs::write(tree.join("etc/tool/settings"), "its own")?;
        let links =
            [("conf", "/etc/tool"), ("users", "/etc/passwd"), ("groups", "../../../etc/group"), ("lost", "/lost")];
        for (name, target) in links {
            symlink(target, tree.join("usr/share/tool").join(name))?;
        }
        run(Command::new("dpkg-deb").arg("--build").arg(&tree).arg(folder.join("links.deb")))?;
        let packages = run(Command::new("dpkg-scanpackages").arg(".").current_dir(folder))?;
        fs::write(folder.join("Packages"), packages)?;
        let source = format!("deb [trusted=yes] copy:{} ./\n", folder.display());
        Ok(fs::write(folder.join("sources.list"), source)?)
    }

    #[tokio::test]
    async fn links_of_an_unpacked_package_lead_to_what_it_has_and_else_to_the_systems() -> Result<()> {
        let folder = Folder::create("unpacking")?;
        let path = |name: &str| folder.0.join(name);
        repository(&folder.0)?;
        let mut apt = Apt::in_folder(&path("apt"))?;
        let source = format!("-oDir::Etc::sourcelist={}", path("sources.list").display());
        apt.options.extend([source.into(), "-oDir::Etc::sourceparts=/dev/null".into()]);
        apt.update().await?;

        let archives = apt.download(&["alexandrite-links"]).await?;
        // What an interrupted attempt has left.
        fs::create_dir(path("first"))?;
        for name in [INCOMPLETE, "left"] {
            fs::write(path("first").join(name), "")?;
        }
        unpack_into(&path("first"), &archives).await?;

        // It can be moved with the folder of the checkout.
        fs::rename(path("first"), path("unpacked"))?;
        assert!(!path("unpacked/left").exists() && !path("unpacked").join(INCOMPLETE).exists());
        let read = |name: &str| fs::read_to_string(path("unpacked/usr/share/tool").join(name));
        assert_eq!(read("conf/settings")?, "its own");
        assert_eq!(read("users")?, fs::read_to_string("/etc/passwd")?);
        assert_eq!(read("groups")?, fs::read_to_string("/etc/group")?);
        assert_eq!(fs::read_link(path("unpacked/usr/share/tool/lost"))?, Path::new("/lost"));
        Ok(())
    }

    #[tokio::test]
    async fn java_reads_the_certificates_that_the_system_trusts() -> Result<()> {
        let folder = Folder::create("trust-store")?;
        let store = folder.0.join("cacerts");
        let certificates = rustls_native_certs::load_native_certs().certs;
        assert!(!certificates.is_empty());
        fs::write(&store, trust_store(&certificates)?)?;

        needs::ensure(&[Need::Java], &Progress::new()).await?;
        let java = java::find(java::MINIMUM, |_| true).context("there is no Java")?;
        let mut keytool = Command::new(java.home.join("bin/keytool"));
        let list = run(keytool.args(["-list", "-keystore"]).arg(&store).env("LC_ALL", "C"))?;

        assert_eq!(list.matches("trustedCertEntry").count(), certificates.len(), "{list}");
        Ok(())
    }
}
