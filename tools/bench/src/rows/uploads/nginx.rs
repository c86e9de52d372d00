//! A plain file server: Debian's nginx, which keeps the files that it is sent.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use testkit::eventually;

/// A running nginx; killed when this is dropped.
pub(super) struct Nginx {
    address: SocketAddr,
    folder: PathBuf,
    child: Child,
}

impl Nginx {
    /// Starts one whose files, and all else, are in this folder.
    pub(super) async fn start(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder.join("files"))?;
        let program = unpacked(folder)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        fs::write(folder.join("nginx.conf"), configuration(address))?;
        // Should this program be killed, so is nginx.
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).arg("-p").arg(folder).args(["-c", "nginx.conf"]);
        let output = File::create(folder.join("output.txt"))?;
        command.args(["-e", "stderr"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        let child = command.spawn().context("starting nginx")?;
        let nginx = Self { address, folder: folder.to_owned(), child };
        eventually("nginx to answer", async || reqwest::get(nginx.url("")).await.map(drop)).await;
        Ok(nginx)
    }

    /// The address of a file.
    pub(super) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// A file that it keeps.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join("files").join(name)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(address: SocketAddr) -> String {
    // One process, so that its end is the end of all; folders are those beside the configuration.
    let temporary =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|what| format!("{what}_temp_path temporary;"));
    let temporary = temporary.join(" ");
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}\n\
         http {{\n\
         access_log off; client_max_body_size 0; {temporary}\n\
         server {{ listen {address}; root files; location / {{ dav_methods PUT; }} }}\n\
         }}\n"
    )
}

/// nginx as Debian packages it. Unpacked rather than installed: no service starts, and nothing of it stays.
fn unpacked(folder: &Path) -> Result<PathBuf> {
    let run = |command: &mut Command| -> Result<()> {
        let output = command.current_dir(folder).output().with_context(|| format!("starting {command:?}"))?;
        ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    };
    let mut download = Command::new("apt-get");
    download.args(["-q", "download", "nginx"]);
    if run(&mut download).is_err() {
        // The lists of packages may be old, or not there at all.
        run(Command::new("apt-get").args(["-q", "-o", "DPkg::Lock::Timeout=300", "update"]))?;
        run(&mut download)?;
    }
    let packages = fs::read_dir(folder)?.flatten().map(|item| item.path());
    let mut packages = packages.filter(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let package = packages.next().context("apt-get downloaded nothing")?;
    run(Command::new("dpkg-deb").arg("--extract").arg(package).arg("package"))?;
    Ok(folder.join("package/usr/sbin/nginx"))
}
