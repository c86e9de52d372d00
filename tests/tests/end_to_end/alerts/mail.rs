//! A mail server that keeps what it gets, as files.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::python;

/// A mail.
#[derive(Debug)]
pub(crate) struct Mail {
    /// Subject and body.
    pub(crate) text: String,
}

/// A mail server, or the address of one that isn't there yet.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    folder: PathBuf,
    process: Option<Child>,
}

impl MailServer {
    /// One that keeps its mails in this folder. It isn't there before [`MailServer::start`].
    pub(crate) fn at(folder: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        Self { port: free.port(), folder: folder.to_owned(), process: None }
    }

    pub(crate) fn start(&mut self) {
        // If the test's thread ends in whatever way, so does the server.
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(python::programs().join("python"));
        command.args(["-m", "aiosmtpd", "--nosetuid", "--listen", &format!("127.0.0.1:{}", self.port)]);
        command.args(["--class", "aiosmtpd.handlers.Mailbox"]).arg(&self.folder).stdin(Stdio::null());
        self.process = Some(command.spawn().expect("the mail server starts"));
    }

    /// All mails so far.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let files = fs::read_dir(self.folder.join("new")).into_iter().flatten().flatten();
        files.map(|file| Mail::parse(&fs::read_to_string(file.path()).expect("a mail"))).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // It may be gone already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Mail {
    /// The section of the runbook that it leads to.
    pub(crate) fn runbook(&self) -> &str {
        let link = self.text.lines().find_map(|line| line.strip_prefix("More: docs/runbook.md#"));
        link.unwrap_or_else(|| panic!("no link in {}", self.text))
    }

    fn parse(mail: &str) -> Self {
        let (head, body) = mail.split_once("\n\n").expect("a head and a body");
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        assert_eq!(header("Content-Transfer-Encoding: "), "base64", "{head}");
        let body = STANDARD.decode(body.split_whitespace().collect::<String>()).expect("base64");
        let body = String::from_utf8(body).expect("text");
        Self { text: format!("{}\n\n{body}", header("Subject: ")) }
    }
}
