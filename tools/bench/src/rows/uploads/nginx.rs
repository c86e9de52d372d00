//! A plain file server: Debian's nginx, which stores the files that are uploaded.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};
use testkit::eventually;
use tokio::process::Child;

use crate::rows::command::run;

/// A running nginx; dropping it kills the process.
pub(super) struct Nginx {
    address: SocketAddr,
    folder: PathBuf,
    _child: Child,
}

impl Nginx {
    /// Starts nginx with all its files in this folder.
    pub(super) async fn start(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder.join("files"))?;
        let program = unpacked(folder)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        fs::write(folder.join("nginx.conf"), configuration(address))?;
        // setpriv: the end of this program also ends nginx.
        let mut command = tokio::process::Command::new("/usr/bin/setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).arg("-p").arg(folder).args(["-c", "nginx.conf"]);
        let output = File::create(folder.join("output.txt"))?;
        command.args(["-e", "stderr"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        let child = command.kill_on_drop(true).spawn().context("starting nginx")?;
        let nginx = Self { address, folder: folder.to_owned(), _child: child };
        eventually("nginx to respond", async || reqwest::get(nginx.url("")).await.map(drop)).await;
        Ok(nginx)
    }

    /// The URL of a file.
    pub(super) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// The path of an uploaded file.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join("files").join(name)
    }
}

fn configuration(address: SocketAddr) -> String {
    // A single process, so that killing it ends nginx. Paths are relative to the folder.
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

/// Unpacks Debian's nginx. It isn't installed, so no service starts and nothing stays on the machine.
fn unpacked(folder: &Path) -> Result<PathBuf> {
    let mut download = Command::new("apt-get");
    download.args(["-q", "download", "nginx"]).current_dir(folder);
    if run(&mut download).is_err() {
        // The lists of packages may be outdated or missing.
        run(Command::new("apt-get").args(["-q", "-o", "DPkg::Lock::Timeout=300", "update"]))?;
        run(&mut download)?;
    }
    let packages = fs::read_dir(folder)?.flatten().map(|item| item.path());
    let mut packages = packages.filter(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let package = packages.next().context("apt-get downloaded nothing")?;
    run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(folder.join("package")))?;
    Ok(folder.join("package/usr/sbin/nginx"))
}
