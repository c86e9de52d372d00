//! Starts the parts, restarts a part that dies, and stops all of them.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use nix::sys::signal::Signal;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::host::{folders::Folders, leftovers, orphans, os_user::OsUser, pid_file, process, process::Child};
use crate::terminal::progress::Progress;

/// How long a part that dies again and again within [`RESTART_WINDOW`] waits before each restart, in milliseconds: what it needs
/// may be starting itself, and PostgreSQL takes seconds to recover. One that dies once more is not restarted, and the system stops.
const PAUSES: [u64; 5] = [0, 500, 1_000, 2_000, 4_000];
const RESTART_WINDOW: Duration = Duration::from_secs(60);

/// Checks whether a part is ready; the error says what is missing.
pub(crate) type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// The order in which parts stop: the last stage first, the parts of one stage at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// What a store needs.
    Foundation,
    /// Databases, broker, Elasticsearch.
    Store,
    Shipper,
    Service,
}

/// How to run one part.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) stage: Stage,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// The whole environment, apart from the locale, and `PATH` unless it is here.
    pub(crate) environment: BTreeMap<String, String>,
    /// The working folder.
    pub(crate) folder: PathBuf,
    /// The file for standard output.
    pub(crate) output: PathBuf,
    /// The file for standard error; for most parts the same.
    pub(crate) errors: PathBuf,
    pub(crate) ready: Probe,
    pub(crate) ready_within: Duration,
    /// The signal for an orderly stop.
    pub(crate) stop_signal: Signal,
    pub(crate) stop_within: Duration,
}

impl Part {
    /// A part without arguments and environment, in its own folder and with its own output file.
    pub(crate) fn new<R>(
        (name, stage): (&'static str, Stage),
        program: PathBuf,
        folders: &Folders,
        ready: impl Fn() -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Future<Output = Result<()>> + Send + 'static,
    {
        Self {
            name,
            stage,
            program,
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            folder: folders.of(name),
            output: folders.output(name),
            errors: folders.output(name),
            ready: Arc::new(move || ready().boxed()),
            ready_within: Duration::from_secs(60),
            stop_signal: Signal::SIGTERM,
            stop_within: Duration::from_secs(30),
        }
    }
}

/// The environment with these variables.
pub(crate) fn environment<const COUNT: usize>(variables: [(&str, String); COUNT]) -> BTreeMap<String, String> {
    variables.map(|(name, value)| (name.to_owned(), value)).into()
}

/// The running parts.
pub(crate) struct Supervisor {
    user: OsUser,
    progress: Progress,
    /// The folder of the parts' data, which marks their processes.
    parts: PathBuf,
    /// The folder of the pid files: a later runner ends what a killed one has left.
    pid_files: PathBuf,
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
    /// A supervisor without parts. The receiver gets the error of a part that could not be kept running.
    pub(crate) fn new(folders: &Folders, progress: Progress) -> (Self, mpsc::UnboundedReceiver<anyhow::Error>) {
        let (failed, failures) = mpsc::unbounded_channel();
        let (user, parts, pid_files) = (folders.user.clone(), folders.parts.clone(), folders.run());
        (Self { user, progress, parts, pid_files, running: Mutex::default(), failed }, failures)
    }

    /// Starts a part and waits until it is ready. If this future is dropped, [`stop`](Self::stop) still stops the part.
    pub(crate) async fn start(&self, part: Part) -> Result<()> {
        let (stop, stop_asked) = watch::channel(false);
        let (became_ready, is_ready) = oneshot::channel();
        let (name, stage) = (part.name, part.stage);
        let keeper = Keeper {
            part,
            user: self.user.clone(),
            progress: self.progress.clone(),
            parts: self.parts.clone(),
            pid_file: pid_file::path(&self.pid_files, name),
            stop: stop_asked,
            failed: self.failed.clone(),
        };
        let task = tokio::spawn(keeper.keep(became_ready));
        self.lock().push(Running { name, stage, stop, task });
        is_ready.await.with_context(|| format!("{name} was stopped"))?
    }

    /// The pid file of every part that was started.
    pub(crate) fn pid_files(&self) -> BTreeMap<String, PathBuf> {
        let running = self.lock();
        running.iter().map(|part| (part.name.to_owned(), pid_file::path(&self.pid_files, part.name))).collect()
    }

    /// Stops all parts, the last stage first.
    pub(crate) async fn stop(&self) {
        let mut parts = std::mem::take(&mut *self.lock());
        parts.sort_by_key(|part| part.stage);
        for stage in parts.chunk_by_mut(|one, other| one.stage == other.stage).rev() {
            for part in stage.iter() {
                // There is no receiver if the part was not restarted.
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

/// Keeps one part running until it is stopped.
struct Keeper {
    part: Part,
    user: OsUser,
    progress: Progress,
    parts: PathBuf,
    pid_file: PathBuf,
    stop: watch::Receiver<bool>,
    failed: mpsc::UnboundedSender<anyhow::Error>,
}

/// Why a part's process has ended.
enum End {
    Stopped,
    Died(String),
}

impl Keeper {
    async fn keep(mut self, first_ready: oneshot::Sender<Result<()>>) {
        let mut first_ready = Some(first_ready);
        let mut restarts = VecDeque::new();
        loop {
            let error = match self.run_once(&mut first_ready).await {
                Ok(End::Stopped) => break,
                Ok(End::Died(status)) => anyhow!("it ended by itself ({status})"),
                Err(error) => error,
            };
            orphans::kill_all().await;
            let name = self.part.name;
            if let Some(first_ready) = first_ready.take() {
                // There is no receiver if the start was cancelled.
                let _ = first_ready.send(Err(error.context(format!("{name} did not start; {}", self.log_tail()))));
                break;
            }
            restarts.retain(|at: &Instant| at.elapsed() < RESTART_WINDOW);
            let Some(pause) = PAUSES.get(restarts.len()) else {
                let _ = self.failed.send(error.context(format!("{name} keeps dying; {}", self.log_tail())));
                break;
            };
            restarts.push_back(Instant::now());
            self.progress.say(format!("! {name} is started again: {error:#}; its log: {}", self.log().display()));
            if tokio::time::timeout(Duration::from_millis(*pause), stop_asked(&mut self.stop)).await.is_ok() {
                break;
            }
        }
        let _ = fs::remove_file(&self.pid_file);
    }

    /// Runs the process until it dies or is stopped.
    async fn run_once(&mut self, first_ready: &mut Option<oneshot::Sender<Result<()>>>) -> Result<End> {
        let mut child = self.spawn()?;
        pid_file::write(&self.user, &self.pid_file, child.pid().as_raw())?;
        let (part, progress) = (&self.part, &self.progress);
        let not_ready = async {
            if let Err(error) = until_ready(part).await {
                return error;
            }
            match first_ready.take() {
                Some(first_ready) => drop(first_ready.send(Ok(()))),
                None => progress.say(format!("  {} is ready again", part.name)),
            }
            std::future::pending().await
        };
        let error = tokio::select! {
            () = stop_asked(&mut self.stop) => None,
            status = child.wait() => return Ok(End::Died(status)),
            error = not_ready => Some(error),
        };
        let in_time = child.stop(part.stop_signal, part.stop_within).await;
        if let Some(error) = error {
            return Err(error);
        }
        if !in_time {
            let within = part.stop_within.as_secs();
            progress.say(format!("! {} did not stop within {within} s and was killed", part.name));
        }
        Ok(End::Stopped)
    }

    fn spawn(&self) -> Result<Child> {
        let part = &self.part;
        let mut command = tokio::process::Command::new(&part.program);
        command.args(&part.arguments).current_dir(&part.folder).stdin(Stdio::null());
        command.env_clear().env("LANG", "C.UTF-8").env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env(leftovers::MARK, &self.parts).envs(&part.environment);
        command.stdout(self.open(&part.output)?).stderr(self.open(&part.errors)?);
        self.user.run_as(&mut command);
        Child::start(&mut command, part.stop_signal)
    }

    fn open(&self, path: &Path) -> Result<File> {
        self.user.open_log(path).with_context(|| format!("opening {}", path.display()))
    }

    fn log_tail(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        format!("the end of {}:\n{}\n", self.log().display(), process::tail(&String::from_utf8_lossy(&text), 20))
    }

    /// The file that explains an error: standard error, unless it is empty.
    fn log(&self) -> &Path {
        let Part { output, errors, .. } = &self.part;
        if fs::metadata(errors).is_ok_and(|file| file.len() > 0) { errors } else { output }
    }
}

async fn stop_asked(stop: &mut watch::Receiver<bool>) {
    // An error means that the supervisor is gone, which is a request to stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn until_ready(part: &Part) -> Result<()> {
    let deadline = Instant::now() + part.ready_within;
    loop {
        let error = match tokio::time::timeout(Duration::from_secs(10), (part.ready)()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => anyhow!("it accepts a connection but does not respond"),
        };
        if Instant::now() > deadline {
            let within = part.ready_within.as_secs();
            return Err(error.context(format!("{} was not ready within {within} s", part.name)));
        }
        tokio::time::sleep(process::POLL * 4).await;
    }
}
