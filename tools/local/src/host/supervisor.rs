//! Starts the parts, restarts one that dies, and stops all of them.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use futures::future::{BoxFuture, join_all};
use nix::sys::signal::Signal;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::host::os_user::Owner;
use crate::host::process::{self, Child, Stopped};
use crate::terminal::progress::Progress;

/// A part that dies more often than this within [`RESTART_WINDOW`] is given up, and the system with it.
const MAX_RESTARTS: usize = 5;
const RESTART_WINDOW: Duration = Duration::from_secs(60);

/// Asks a part whether it answers; the error says what it is waiting for.
pub(crate) type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// The order in which parts stop: the last one first, those of one stage together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// What a store needs.
    Foundation,
    /// Databases, broker, Elasticsearch.
    Store,
    /// What reads the services' output.
    Shipper,
    /// Our services.
    Service,
}

/// Everything that is needed to run one part.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) stage: Stage,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// The whole environment, apart from `PATH` and the locale.
    pub(crate) environment: BTreeMap<String, String>,
    /// The working folder, and the home folder of what asks for one.
    pub(crate) folder: PathBuf,
    /// Gets standard output.
    pub(crate) output: PathBuf,
    /// Gets standard error; the same as `output` for most.
    pub(crate) errors: PathBuf,
    pub(crate) ready: Probe,
    pub(crate) ready_within: Duration,
    /// Asks for an orderly stop.
    pub(crate) stop_signal: Signal,
    pub(crate) stop_within: Duration,
}

/// The running parts.
pub(crate) struct Supervisor {
    owner: Owner,
    progress: Progress,
    /// Where process ids are kept for the runner that comes after a killed one.
    pids: PathBuf,
    running: Mutex<Vec<Running>>,
    failed: mpsc::UnboundedSender<anyhow::Error>,
}

struct Running {
    name: &'static str,
    stage: Stage,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Supervisor {
    /// A supervisor of nothing yet. The receiver gets the error of a part that could not be kept running.
    pub(crate) fn new(
        owner: Owner,
        progress: Progress,
        pids: PathBuf,
    ) -> (Self, mpsc::UnboundedReceiver<anyhow::Error>) {
        let (failed, failures) = mpsc::unbounded_channel();
        (Self { owner, progress, pids, running: Mutex::default(), failed }, failures)
    }

    /// Starts a part and waits until it answers. Whatever becomes of this future, the part is stopped by
    /// [`stop`](Self::stop).
    pub(crate) async fn start(&self, part: Part) -> Result<()> {
        let (stop, stop_asked) = watch::channel(false);
        let (became_ready, is_ready) = oneshot::channel();
        let (name, stage) = (part.name, part.stage);
        let keeper = Keeper {
            part,
            owner: self.owner.clone(),
            progress: self.progress.clone(),
            pid_file: pid_file(&self.pids, name),
            stop: stop_asked,
            failed: self.failed.clone(),
        };
        let task = tokio::spawn(keeper.keep(became_ready));
        self.lock().push(Running { name, stage, stop, task });
        is_ready.await.with_context(|| format!("{name} was stopped"))?
    }

    /// The parts that have been started.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.lock().iter().map(|part| part.name).collect()
    }

    /// Stops all parts, the last stage first.
    pub(crate) async fn stop(&self) {
        let mut parts = std::mem::take(&mut *self.lock());
        parts.sort_by_key(|part| part.stage);
        for stage in parts.chunk_by_mut(|one, other| one.stage == other.stage).rev() {
            for part in stage.iter() {
                // Nobody listens if the part has been given up.
                let _ = part.stop.send(true);
            }
            for ended in join_all(stage.iter_mut().map(|part| &mut part.task)).await {
                if let Err(error) = ended {
                    self.progress.say(format!("a part's keeper failed: {error}"));
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps one part running until it is asked to stop.
struct Keeper {
    part: Part,
    owner: Owner,
    progress: Progress,
    pid_file: PathBuf,
    stop: watch::Receiver<bool>,
    failed: mpsc::UnboundedSender<anyhow::Error>,
}

/// Why one run of a part's process is over.
enum End {
    Asked,
    Died(String),
}

impl Keeper {
    async fn keep(mut self, first_ready: oneshot::Sender<Result<()>>) {
        let mut first_ready = Some(first_ready);
        let mut restarts = VecDeque::new();
        loop {
            let error = match self.run_once(&mut first_ready).await {
                Ok(End::Asked) => break,
                Ok(End::Died(how)) => anyhow!("it ended by itself ({how})"),
                Err(error) => error,
            };
            process::end_orphans().await;
            let name = self.part.name;
            if let Some(first_ready) = first_ready.take() {
                // Nobody listens if the start was given up meanwhile.
                let _ = first_ready.send(Err(error.context(format!("{name} did not start; {}", self.log_tail()))));
                break;
            }
            restarts.retain(|at: &Instant| at.elapsed() < RESTART_WINDOW);
            if restarts.len() == MAX_RESTARTS {
                let _ = self.failed.send(error.context(format!("{name} keeps dying; {}", self.log_tail())));
                break;
            }
            restarts.push_back(Instant::now());
            self.progress.say(format!("! {name} is started again: {error:#}; its log: {}", self.log().display()));
        }
        let _ = fs::remove_file(&self.pid_file);
    }

    /// Runs the process until it dies or has been asked to stop and has done so.
    async fn run_once(&mut self, first_ready: &mut Option<oneshot::Sender<Result<()>>>) -> Result<End> {
        let mut child = self.spawn()?;
        self.remember(&child)?;
        let end = tokio::select! {
            () = asked(&mut self.stop) => None,
            how = child.wait() => Some(End::Died(how)),
            answers = until_ready(&self.part) => match answers {
                Ok(()) => {
                    match first_ready.take() {
                        Some(first_ready) => drop(first_ready.send(Ok(()))),
                        None => self.progress.say(format!("  {} answers again", self.part.name)),
                    }
                    tokio::select! {
                        () = asked(&mut self.stop) => None,
                        how = child.wait() => Some(End::Died(how)),
                    }
                }
                Err(error) => {
                    child.stop(self.part.stop_signal, self.part.stop_within).await;
                    return Err(error);
                }
            },
        };
        match end {
            Some(end) => Ok(end),
            None => {
                if child.stop(self.part.stop_signal, self.part.stop_within).await == Stopped::Killed {
                    let within = self.part.stop_within.as_secs();
                    self.progress.say(format!("! {} did not stop within {within} s and was killed", self.part.name));
                }
                Ok(End::Asked)
            }
        }
    }

    fn spawn(&self) -> Result<Child> {
        let part = &self.part;
        let mut command = tokio::process::Command::new(&part.program);
        command.args(&part.arguments).env_clear().envs(&part.environment).current_dir(&part.folder);
        command.env("LANG", "C.UTF-8").env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null());
        command.stdout(self.open(&part.output)?).stderr(self.open(&part.errors)?);
        self.owner.runs(&mut command);
        Child::start(&mut command, part.stop_signal)
    }

    fn open(&self, path: &Path) -> Result<File> {
        let open = OpenOptions::new().create(true).append(true).open(path);
        let file = open.with_context(|| format!("opening {}", path.display()))?;
        self.owner.take(path)?;
        Ok(file)
    }

    fn remember(&self, child: &Child) -> Result<()> {
        let pid = child.pid().as_raw();
        let started = process::entry(pid).map_or(0, |entry| entry.started);
        fs::write(&self.pid_file, format!("{pid} {started}\n"))
            .with_context(|| format!("writing {}", self.pid_file.display()))
    }

    /// The end of what the part said last.
    fn log_tail(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        format!("the end of {}:\n{}\n", self.log().display(), process::tail(&String::from_utf8_lossy(&text), 20))
    }

    /// Where a failure is told: standard error, if anything ever came there.
    fn log(&self) -> &Path {
        let Part { output, errors, .. } = &self.part;
        if fs::metadata(errors).is_ok_and(|file| file.len() > 0) { errors } else { output }
    }
}

async fn asked(stop: &mut watch::Receiver<bool>) {
    // A supervisor that is gone asks for the same.
    let _ = stop.wait_for(|asked| *asked).await;
}

async fn until_ready(part: &Part) -> Result<()> {
    let deadline = Instant::now() + part.ready_within;
    loop {
        let error = match tokio::time::timeout(Duration::from_secs(10), (part.ready)()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => anyhow!("it takes a connection but does not answer"),
        };
        if Instant::now() > deadline {
            let within = part.ready_within.as_secs();
            return Err(error.context(format!("{} was not ready within {within} s", part.name)));
        }
        tokio::time::sleep(process::POLL * 4).await;
    }
}

/// The file that holds a part's process id while it runs.
pub(crate) fn pid_file(folder: &Path, part: &str) -> PathBuf {
    folder.join(format!("{part}.pid"))
}

/// Ends what a runner that was killed has left running, as its pid files tell.
pub(crate) async fn end_leftovers(pids: &Path, progress: &Progress) -> Result<()> {
    let Ok(items) = fs::read_dir(pids) else { return Ok(()) };
    for path in items.flatten().map(|item| item.path()).filter(|path| path.extension().is_some_and(|end| end == "pid"))
    {
        let content = fs::read_to_string(&path)?;
        let mut numbers = content.split_whitespace();
        let (Some(pid), Some(started)) = (numbers.next(), numbers.next()) else {
            continue;
        };
        let (Ok(pid), Ok(started)) = (pid.parse::<i32>(), started.parse::<u64>()) else {
            continue;
        };
        if process::entry(pid).is_some_and(|entry| entry.started == started && !entry.zombie) {
            progress
                .say(format!("! ending {} (process {pid}), left over from a runner that was killed", path.display()));
            process::end_stranger(pid, started).await;
        }
        fs::remove_file(&path)?;
    }
    Ok(())
}
