//! Ports of this machine: which are free, and which processes hold the others.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context as _, Result, bail};

/// The range of free ports: below the kernel's range for outgoing connections, so that none of these takes a port
/// before its part starts.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port that no other process can take until its part starts.
#[derive(Debug)]
pub(crate) struct Reserved {
    listener: TcpListener,
    port: u16,
}

impl Reserved {
    /// Reserves this port; `None` if it is taken.
    pub(crate) fn take(port: u16) -> Result<Option<Self>> {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => Ok(Some(Self { listener, port })),
            Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(None),
            Err(error) => Err(error).with_context(|| format!("listening on port {port}")),
        }
    }

    pub(crate) fn number(&self) -> u16 {
        self.port
    }

    /// Frees the port for its part.
    pub(crate) fn release(self) -> u16 {
        drop(self.listener);
        self.port
    }
}

/// Any free port.
pub(crate) fn free() -> Result<Reserved> {
    for _ in 0..1000 {
        let mut random = [0; 2];
        getrandom::fill(&mut random).ok().context("no randomness from the operating system")?;
        let port = RANGE.start + u16::from_ne_bytes(random) % (RANGE.end - RANGE.start);
        if let Some(reserved) = Reserved::take(port)? {
            return Ok(reserved);
        }
    }
    bail!("no free port between {} and {}", RANGE.start, RANGE.end)
}

/// A description of the process that listens on a port, as far as this user may see it.
pub(crate) fn holder(port: u16) -> String {
    let Some(inode) = listening_socket(port) else {
        return "a process that has ended by now".to_owned();
    };
    let link = format!("socket:[{inode}]");
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten().map(|item| item.path());
    let has_socket = |process: &std::path::PathBuf| {
        let Ok(files) = fs::read_dir(process.join("fd")) else {
            return false;
        };
        files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == link.as_str()))
    };
    match pids.into_iter().find(has_socket) {
        Some(process) => {
            let command = fs::read(process.join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            let pid = process.file_name().unwrap_or_default().to_string_lossy().into_owned();
            format!("process {pid} (`{}`)", command.trim().chars().take(80).collect::<String>())
        }
        None => "a process of another user".to_owned(),
    }
}

/// The inode of the socket that listens on this port over IPv4 or IPv6.
fn listening_socket(port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let wanted = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().filter_map(|table| fs::read_to_string(table).ok()).find_map(|table| {
        table.lines().skip(1).find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let listens = fields.get(1)?.ends_with(&wanted) && *fields.get(3)? == LISTEN;
            listens.then(|| fields.get(9).map(ToString::to_string))?
        })
    })
}

/// The choice of one port: its flag, its default, and the user's value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) flag: &'static str,
    pub(crate) default: u16,
    /// 0 stands for any free port.
    pub(crate) chosen: Option<u16>,
}

impl Choice {
    /// Reserves the port. A taken default port is replaced, and `say` gets a message about it.
    ///
    /// # Errors
    ///
    /// The port that the user chose is taken.
    pub(crate) fn reserve(self, say: impl Fn(String)) -> Result<Reserved> {
        match self.chosen {
            Some(0) => free(),
            Some(port) => match Reserved::take(port)? {
                Some(reserved) => Ok(reserved),
                None => bail!("port {port} ({}) is taken by {}", self.flag, holder(port)),
            },
            None => match Reserved::take(self.default)? {
                Some(reserved) => Ok(reserved),
                None => {
                    let reserved = free()?;
                    let by = holder(self.default);
                    say(format!("! port {} is taken by {by}: {} is {}", self.default, self.flag, reserved.number()));
                    Ok(reserved)
                }
            },
        }
    }
}
