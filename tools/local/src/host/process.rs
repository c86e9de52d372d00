//! Child processes that cannot outlive this one: each in its own process group, tied to this process's life, and
//! known, so that whatever their own children leave behind is told apart and ended too.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, getppid};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

/// The children that this process started itself and still waits for.
static STARTED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// How long between two looks at something that can only be polled.
pub(crate) const POLL: Duration = Duration::from_millis(25);

/// A child process, the leader of its own process group. Dropping it kills the whole group.
#[derive(Debug)]
pub(crate) struct Child {
    inner: tokio::process::Child,
    pid: Pid,
    ended: bool,
}

impl Child {
    /// Starts `command`. Should this process be killed, the kernel sends `on_our_death` to the child.
    ///
    /// Has to be called on the main thread: the kernel takes the end of the *thread* that started the child for the
    /// death of the parent.
    pub(crate) fn start(command: &mut Command, on_our_death: Signal) -> Result<Self> {
        command.process_group(0);
        tie_to_this_process(command, on_our_death);
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let inner = command.spawn().with_context(|| format!("starting {program}"))?;
        let id = inner.id().with_context(|| format!("{program} ended at once"))?;
        let pid = Pid::from_raw(i32::try_from(id)?);
        started().insert(pid.as_raw());
        Ok(Self { inner, pid, ended: false })
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for the process to end and returns how it did, in words. What is left of its group is killed.
    pub(crate) async fn wait(&mut self) -> String {
        let status = self.inner.wait().await;
        self.finish();
        match status {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Asks the process to stop, and kills its group if it has not done so in time.
    pub(crate) async fn stop(&mut self, signal: Signal, within: Duration) -> Stopped {
        if self.ended {
            return Stopped::ByItself;
        }
        // It may have ended in this very moment; waiting tells.
        let _ = kill(self.pid, signal);
        let outcome = match tokio::time::timeout(within, self.inner.wait()).await {
            Ok(_) => Stopped::ByItself,
            Err(_) => {
                let _ = killpg(self.pid, Signal::SIGKILL);
                let _ = self.inner.wait().await;
                Stopped::Killed
            }
        };
        self.finish();
        outcome
    }

    fn finish(&mut self) {
        self.ended = true;
        let _ = killpg(self.pid, Signal::SIGKILL);
        started().remove(&self.pid.as_raw());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.ended {
            self.finish();
        }
    }
}

/// How a process that was asked to stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    ByItself,
    Killed,
}

fn started() -> std::sync::MutexGuard<'static, BTreeSet<i32>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(unsafe_code, reason = "the only place between fork and exec where a child can ask for its death signal")]
fn tie_to_this_process(command: &mut Command, on_our_death: Signal) {
    let runner = getpid();
    let closure = move || {
        prctl::set_pdeathsig(on_our_death)?;
        // The runner may have died before the line above.
        if getppid() == runner { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
    };
    // SAFETY: the closure makes two system calls, and neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(closure);
    }
}

/// Makes orphaned grandchildren this process's children, so that none of them escapes.
pub(crate) fn adopt_orphans() -> Result<()> {
    prctl::set_child_subreaper(true).context("becoming the parent of orphaned processes")
}

/// A command without anything to read from and with its output kept for [`run`].
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command to its end and returns what it wrote on standard output.
///
/// Fails with the end of what the command wrote if it reports failure or takes longer than `within`.
pub(crate) async fn run(command: &mut Command, within: Duration) -> Result<String> {
    run_with_input(command, "", within).await
}

/// Like [`run`], with `input` on standard input (so that it is in no list of processes).
pub(crate) async fn run_with_input(command: &mut Command, input: &str, within: Duration) -> Result<String> {
    let name = describe(command);
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = Child::start(command, Signal::SIGKILL)?;
    let (stdin, stdout, stderr) = (child.inner.stdin.take(), child.inner.stdout.take(), child.inner.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input is not a failure by itself: its status tells.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let work = async { tokio::join!(feed, read_all(stdout), read_all(stderr), child.inner.wait()) };
    let Ok(((), out, err, status)) = tokio::time::timeout(within, work).await else {
        bail!("{name} did not finish within {} s", within.as_secs());
    };
    child.finish();
    let status = status.with_context(|| format!("waiting for {name}"))?;
    if !status.success() {
        return Err(anyhow!("{}", tail(&format!("{out}{err}"), 25)).context(format!("{name} failed ({status})")));
    }
    Ok(out)
}

async fn read_all(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What could be read until the stream broke is worth more than the error.
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Like [`run`] without a limit of time, for a command that reports its progress on standard error: shows each line
/// as it comes.
pub(crate) async fn run_with_progress(command: &mut Command, show: impl Fn(&str)) -> Result<()> {
    let name = describe(command);
    command.stdout(Stdio::null());
    let mut child = Child::start(command, Signal::SIGKILL)?;
    let mut said = String::new();
    if let Some(stderr) = child.inner.stderr.take() {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            show(line.trim());
            said.push_str(&line);
            said.push('\n');
        }
    }
    let status = child.inner.wait().await;
    child.finish();
    let status = status.with_context(|| format!("waiting for {name}"))?;
    if status.success() {
        return Ok(());
    }
    Err(anyhow!("{}", tail(&said, 40)).context(format!("{name} failed ({status})")))
}

/// Runs a command whose output goes where this process's goes, to its end.
pub(crate) async fn run_visibly(command: &mut Command) -> Result<()> {
    let name = describe(command);
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let mut child = Child::start(command, Signal::SIGKILL)?;
    let status = child.inner.wait().await;
    child.finish();
    let status = status.with_context(|| format!("waiting for {name}"))?;
    if status.success() { Ok(()) } else { bail!("{name} failed ({status})") }
}

/// The program and its first argument: enough to know the command, and no secret is ever there.
fn describe(command: &Command) -> String {
    let command = command.as_std();
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let first = command.get_args().next().map(|argument| format!(" {}", argument.to_string_lossy()));
    format!("`{}{}`", program.to_string_lossy(), first.unwrap_or_default())
}

/// The last `lines` lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// A process as the kernel's table shows it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) parent: i32,
    pub(crate) zombie: bool,
    /// When it started, in clock ticks since boot: with the id, this identifies a process for good.
    pub(crate) started: u64,
}

/// Reads one process's entry; `None` if there is no such process.
pub(crate) fn entry(pid: i32) -> Option<Entry> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may itself contain blanks and brackets.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Entry {
        zombie: *fields.first()? == "Z",
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// Every process of this machine by its id.
pub(crate) fn all() -> BTreeMap<i32, Entry> {
    let Ok(folder) = std::fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    folder
        .flatten()
        .filter_map(|item| item.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, entry(pid)?)))
        .collect()
}

/// All children, grandchildren and so on of `ancestor`, zombies included.
pub(crate) fn descendants(ancestor: i32) -> Vec<i32> {
    let all = all();
    let mut found = vec![ancestor];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(all.iter().filter(|(_, entry)| entry.parent == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// Ends a process that isn't this one's child, with all that descends from it: asks first, kills after ten seconds.
pub(crate) async fn end_stranger(pid: i32, started: u64) {
    let family = descendants(pid);
    let there = || entry(pid).is_some_and(|entry| entry.started == started && !entry.zombie);
    let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    let deadline = Instant::now() + Duration::from_secs(10);
    while there() && Instant::now() < deadline {
        tokio::time::sleep(POLL).await;
    }
    if there() {
        for pid in family.into_iter().chain([pid]) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    while there() && Instant::now() < deadline + Duration::from_secs(5) {
        tokio::time::sleep(POLL).await;
    }
}

/// Takes note of the end of adopted children, whenever there is one, so that none stays in the table of processes.
pub(crate) async fn reap_orphans() -> Result<()> {
    let mut ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::child())?;
    while ended.recv().await.is_some() {
        for (pid, entry) in orphans() {
            if entry.zombie {
                let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
            }
        }
    }
    Ok(())
}

/// This process's children that it didn't start itself.
fn orphans() -> impl Iterator<Item = (i32, Entry)> {
    let own = getpid().as_raw();
    let known = started().clone();
    all().into_iter().filter(move |(pid, entry)| entry.parent == own && !known.contains(pid))
}

/// Ends what children that are gone have left behind: the orphans that this process adopted.
pub(crate) async fn end_orphans() {
    let deadline = Instant::now() + Duration::from_secs(10);
    while kill_orphans() && Instant::now() < deadline {
        tokio::time::sleep(POLL).await;
    }
}

/// One round of [`end_orphans`]; whether any orphan was seen.
fn kill_orphans() -> bool {
    let mut seen = false;
    for (pid, _) in orphans() {
        seen = true;
        let pid = Pid::from_raw(pid);
        let _ = kill(pid, Signal::SIGKILL);
        let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
    }
    seen
}

/// Kills all descendants when it is dropped, be it in a panic.
pub(crate) struct DescendantsEnd;

impl Drop for DescendantsEnd {
    fn drop(&mut self) {
        kill_descendants();
    }
}

/// Kills everything that descends from this process and waits for it: the last resort, after all parts had their
/// chance to stop by themselves. Doesn't need a runtime, so that it works while panicking.
pub(crate) fn kill_descendants() {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let left = descendants(getpid().as_raw());
        for pid in &left {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive) {}
        if left.is_empty() || Instant::now() > deadline {
            return;
        }
        std::thread::park_timeout(POLL);
    }
}
