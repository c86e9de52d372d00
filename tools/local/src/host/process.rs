//! Child processes that cannot outlive this one. Each leads a process group of its own and dies with this process.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpid, getppid};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

/// The ids of the children that this process started and still waits for.
static STARTED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// The pause between two checks of a condition that can only be polled.
pub(crate) const POLL: Duration = Duration::from_millis(25);

/// A child process, the leader of its own process group. Dropping it kills the whole group.
#[derive(Debug)]
pub(crate) struct Child {
    inner: tokio::process::Child,
    pid: Pid,
    ended: bool,
}

impl Child {
    /// Starts `command`. If this process is killed, the kernel sends `on_our_death` to the child.
    ///
    /// Must be called on the main thread: the kernel takes the end of the *thread* that started the child for the
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

    /// Waits for the process to end and returns its status as text. The rest of its group is killed.
    pub(crate) async fn wait(&mut self) -> String {
        match self.status().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    async fn status(&mut self) -> io::Result<ExitStatus> {
        let status = self.inner.wait().await;
        self.finish();
        status
    }

    /// Sends `signal` and waits. A process that has not ended in time is killed with its group; returns false then.
    pub(crate) async fn stop(&mut self, signal: Signal, within: Duration) -> bool {
        if self.ended {
            return true;
        }
        // An error means that the process has just ended, which `wait` reports.
        let _ = kill(self.pid, signal);
        let in_time = tokio::time::timeout(within, self.inner.wait()).await.is_ok();
        if !in_time {
            let _ = killpg(self.pid, Signal::SIGKILL);
            let _ = self.inner.wait().await;
        }
        self.finish();
        in_time
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

/// The ids of the children that this process started and still waits for.
pub(super) fn started() -> MutexGuard<'static, BTreeSet<i32>> {
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

/// A command without standard input, whose output [`run`] captures.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command to its end and returns its standard output.
///
/// # Errors
///
/// The command fails or takes longer than `within`; the error contains the end of its output.
pub(crate) async fn run(command: &mut Command, within: Duration) -> Result<String> {
    run_with_input(command, "", within).await
}

/// Like [`run`], with `input` on standard input, so that it is in no list of processes.
pub(crate) async fn run_with_input(command: &mut Command, input: &str, within: Duration) -> Result<String> {
    let name = describe(command);
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = Child::start(command, Signal::SIGKILL)?;
    let (stdin, stdout, stderr) = (child.inner.stdin.take(), child.inner.stdout.take(), child.inner.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input has not failed by that: its status shows it.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let work = async { tokio::join!(feed, read_all(stdout), read_all(stderr), child.inner.wait()) };
    let Ok(((), out, err, status)) = tokio::time::timeout(within, work).await else {
        bail!("{name} did not finish within {} s", within.as_secs());
    };
    child.finish();
    check(&name, status, &tail(&format!("{out}{err}"), 25))?;
    Ok(out)
}

async fn read_all(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // The bytes before a read error are worth more than the error.
        let _ = stream.read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Like [`run`] without a time limit, for a command that reports its progress on standard error: calls `show` with
/// each line.
pub(crate) async fn run_with_progress(command: &mut Command, show: impl Fn(&str)) -> Result<()> {
    let name = describe(command);
    command.stdout(Stdio::null());
    let mut child = Child::start(command, Signal::SIGKILL)?;
    let mut output = String::new();
    if let Some(stderr) = child.inner.stderr.take() {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            show(line.trim());
            output.push_str(&line);
            output.push('\n');
        }
    }
    check(&name, child.status().await, &tail(&output, 40))
}

/// Like [`run`] without a time limit, for a thread that may wait.
pub(crate) fn run_blocking(command: &mut Command) -> Result<()> {
    let name = describe(command);
    command.process_group(0);
    tie_to_this_process(command, Signal::SIGKILL);
    // Locked until the child is in the list, or it would be taken for an orphan, and its status with it.
    let mut known = started();
    let child = command.as_std_mut().spawn().with_context(|| format!("starting {name}"))?;
    let pid = i32::try_from(child.id())?;
    known.insert(pid);
    drop(known);
    let output = child.wait_with_output();
    started().remove(&pid);
    let output = output.with_context(|| format!("waiting for {name}"))?;
    check(&name, Ok(output.status), &tail(&String::from_utf8_lossy(&output.stderr), 25))
}

/// Runs a command to its end. Its output goes where this process's output goes.
pub(crate) async fn run_visibly(command: &mut Command) -> Result<()> {
    let name = describe(command);
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    check(&name, Child::start(command, Signal::SIGKILL)?.status().await, "")
}

/// An error with the command's output, unless it succeeded.
fn check(name: &str, status: io::Result<ExitStatus>, output: &str) -> Result<()> {
    let status = status.with_context(|| format!("waiting for {name}"))?;
    match (status.success(), output) {
        (true, _) => Ok(()),
        (false, "") => bail!("{name} failed ({status})"),
        (false, output) => Err(anyhow!("{output}").context(format!("{name} failed ({status})"))),
    }
}

/// The program and its first argument. The first argument is never a secret.
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

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn a_child_of_a_thread_that_waits_is_known_until_its_end() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("alexandrite-blocking-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let [id, end] = ["id", "end"].map(|name| folder.join(name));
        for pipe in [&id, &end] {
            mkfifo(pipe.as_path(), Mode::S_IRWXU)?;
        }
        let mut shell = command("sh");
        shell.args(["-c", "echo $$ > id; read -r line < end"]).current_dir(&folder);
        let thread = std::thread::spawn(move || run_blocking(&mut shell));
        let pid: i32 = fs::read_to_string(&id)?.trim().parse()?;
        let is_known = started().contains(&pid);
        fs::write(&end, "\n")?;
        thread.join().expect("it doesn't panic")?;
        assert!(is_known && !started().contains(&pid));
        Ok(fs::remove_dir_all(folder)?)
    }
}
