//! A real system for tests: started by the runner's own executable on free ports in a folder of its own. It ends with
//! the test process, also when that is killed.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::host::folders::{KEEP, cargo_profile, workspace};
use crate::host::process::{POLL, tail};
use crate::host::process_table;
use crate::parts::elasticsearch::SHORT_LIVED_VARIABLE;
use crate::parts::kind::Kind;
use crate::system::system_file::SystemFile;

/// Starting includes building the services, on a machine that may be busy with other tests.
const READY_WITHIN: Duration = Duration::from_secs(1800);
const STOPPED_WITHIN: Duration = Duration::from_secs(120);
/// The minimum age of a failed test's folder before it is removed.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// The first panic of a test of this process. Logs are kept then.
static FAILURE: OnceLock<String> = OnceLock::new();

/// The parts to start, and their settings.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The parts to start, with what they need; all of them if empty.
    pub only: Vec<Kind>,
    /// The data folder, which is kept. By default a new folder that is removed when the system stops.
    pub data: Option<PathBuf>,
    /// Whether Elasticsearch starts sooner instead of running faster, also with a data folder that is kept; with a new one it
    /// always does.
    pub short_lived: bool,
    /// A folder with `ca.pem`, `server.pem` and `server-key.pem` for 127.0.0.1, if PostgreSQL, RabbitMQ and Elasticsearch are
    /// to speak TLS.
    pub certificates: Option<PathBuf>,
    /// Settings for all services, in addition to the addresses of the parts.
    pub settings: Vec<(String, String)>,
    /// Features that the services are built with, such as `common/planted-bugs`.
    pub features: Option<String>,
}

/// A running system. Dropping it stops it.
#[derive(Debug)]
pub struct System {
    kinds: Vec<Kind>,
    data: PathBuf,
    file: SystemFile,
    process: Mutex<Option<Process>>,
}

/// The runner's process; it runs until its standard input is closed.
#[derive(Debug)]
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stderr: PathBuf,
}

impl System {
    /// Starts a system and waits until it is ready.
    ///
    /// # Errors
    ///
    /// It doesn't become ready; the error contains the end of the runner's output.
    pub fn start(options: &Options) -> Result<Self> {
        note_failures();
        remove_old_folders();
        let data = match &options.data {
            Some(data) => data.clone(),
            None => new_folder(),
        };
        fs::create_dir_all(&data)?;
        let stderr = stderr_of(&data)?;
        let mut command = Command::new(runner()?);
        command.args(["up", "--until-stdin-closes", "--free-ports"]).arg("--data").arg(&data);
        if options.data.is_none() {
            command.arg("--throw-away");
        }
        if options.short_lived {
            command.env(SHORT_LIVED_VARIABLE, "1");
        }
        if !options.only.is_empty() {
            let names: Vec<&str> = options.only.iter().map(|kind| kind.name()).collect();
            command.arg("--only").arg(names.join(","));
        }
        if let Some(certificates) = &options.certificates {
            command.arg("--certificates").arg(certificates);
        }
        command.args(options.settings.iter().map(|(name, value)| format!("--set={name}={value}")));
        if let Some(features) = &options.features {
            command.arg("--features").arg(features);
        }
        // A process group of its own: Ctrl-C ends only the test process, and the system stops after it.
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&stderr)?);
        let mut child = command.spawn().context("starting the runner")?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stdout = stdout.context("the runner has no standard output")?;
        let mut process = Process { child, stdin, stderr };
        if let Err(error) = process.wait_until_ready(stdout) {
            let output = process.output();
            let _ = fs::write(data.join(KEEP), "");
            process.stop()?;
            return Err(error.context(output));
        }
        let kinds = Kind::with_needs(&options.only);
        Ok(Self { kinds, file: SystemFile::read(&data)?, data, process: Mutex::new(Some(process)) })
    }

    /// The system that all tests of this process share, with these parts and those that they need. The first call starts
    /// it. It stops when the process ends.
    ///
    /// # Panics
    ///
    /// The system can't be started, or was started by another test without one of these parts.
    pub fn shared(only: &[Kind]) -> &'static Self {
        static SHARED: OnceLock<std::result::Result<System, String>> = OnceLock::new();
        /// Runs when the process ends: the test harness doesn't drop static values.
        extern "C" fn stop_shared() {
            if let Some(Ok(system)) = SHARED.get()
                && let Err(error) = system.stop()
            {
                eprintln!("stopping the system: {error:#}");
            }
        }
        let system = SHARED.get_or_init(|| {
            let options = Options { only: only.to_vec(), ..Options::default() };
            let system = Self::start(&options).map_err(|error| format!("{error:#}"))?;
            at_exit(stop_shared);
            Ok(system)
        });
        let system = match system {
            Ok(system) => system,
            Err(error) => panic!("the system that the tests share did not start: {error}"),
        };
        let wanted = Kind::with_needs(only);
        assert!(wanted.iter().all(|kind| system.kinds.contains(kind)), "the tests of a process share the same parts");
        system
    }

    /// The folder for the data of all tests' systems: `ALEXANDRITE_TEST_SYSTEMS`, by default one of the build's.
    #[must_use]
    pub fn folder() -> PathBuf {
        env::var_os("ALEXANDRITE_TEST_SYSTEMS").map_or_else(|| workspace().join("target/test-systems"), PathBuf::from)
    }

    /// The addresses, accounts and folders.
    #[must_use]
    pub fn file(&self) -> &SystemFile {
        &self.file
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The current process id of a part (`postgres`, `rabbitmq`, `epmd`, `elasticsearch`, `shipper`, `shop-api`,
    /// `crm-api`, `mes-api`, `support-web`). A part that is killed is restarted with a new id.
    ///
    /// # Errors
    ///
    /// The part isn't running.
    pub fn pid(&self, part: &str) -> Result<i32> {
        self.file.pid(part)
    }

    /// The current process ids of a part and of all processes that it has started.
    ///
    /// # Errors
    ///
    /// The part isn't running.
    pub fn pids(&self, part: &str) -> Result<Vec<i32>> {
        let pid = self.pid(part)?;
        Ok(process_table::descendants(pid).into_iter().chain([pid]).collect())
    }

    /// Waits until the system has ended, which it also does by itself: when a part can't be kept running. [`System::stop`] then
    /// says why.
    pub async fn ended(&self) {
        while self.runs() {
            tokio::time::sleep(POLL).await;
        }
    }

    fn runs(&self) -> bool {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.as_mut().is_some_and(|process| matches!(process.child.try_wait(), Ok(None)))
    }

    /// Stops the system and waits until all its processes have ended. A second call does nothing.
    ///
    /// # Errors
    ///
    /// The runner reported a failure, or had to be killed.
    pub fn stop(&self) -> Result<()> {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut process) = process else { return Ok(()) };
        if let Some(failure) = FAILURE.get() {
            fs::write(self.data.join(KEEP), failure)?;
            eprintln!("the logs of the failed tests' system are in {} ({failure})", self.file.logs.display());
        }
        let status = process.stop()?;
        ensure!(status.success(), "the runner ended with {status}:\n{}", process.output());
        if FAILURE.get().is_none() {
            fs::remove_file(&process.stderr)?;
        }
        Ok(())
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("stopping the system: {error:#}");
        }
    }
}

impl Process {
    /// Waits for the line `ready`, and keeps reading afterwards, so that the runner can keep writing.
    fn wait_until_ready(&mut self, stdout: impl std::io::Read + Send + 'static) -> Result<()> {
        let (ready, is_ready) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.starts_with("ready ") {
                    // There is no receiver after the time limit.
                    let _ = ready.send(());
                }
            }
        });
        match is_ready.recv_timeout(READY_WITHIN) {
            Ok(()) => Ok(()),
            Err(mpsc::RecvTimeoutError::Timeout) => bail!("not ready within {} s", READY_WITHIN.as_secs()),
            Err(mpsc::RecvTimeoutError::Disconnected) => bail!("the runner ended before the system was ready"),
        }
    }

    /// The end of the runner's messages.
    fn output(&self) -> String {
        tail(&fs::read_to_string(&self.stderr).unwrap_or_default(), 40)
    }

    fn stop(&mut self) -> Result<ExitStatus> {
        drop(self.stdin.take());
        let deadline = Instant::now() + STOPPED_WITHIN;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                // Ends all parts as well.
                self.child.kill()?;
                return Ok(self.child.wait()?);
            }
            std::thread::park_timeout(POLL);
        }
    }
}

/// A new data folder for this process.
fn new_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    System::folder().join(format!("{}-{count}", std::process::id()))
}

/// The file for the runner's messages: next to its data folder, which it may remove.
fn stderr_of(data: &Path) -> Result<PathBuf> {
    let name = data.file_name().context("a data folder needs a name")?.to_string_lossy();
    Ok(data.with_file_name(format!("{name}.runner.txt")))
}

/// The runner's executable. It is built if it isn't in the folder of the test's executable.
fn runner() -> Result<PathBuf> {
    let test = env::current_exe()?;
    // Tests are in the folder `deps` of the other programs' folder.
    let folders = test.ancestors().skip(1).skip_while(|folder| folder.ends_with("deps"));
    let profile = folders.into_iter().next().context("the test isn't in a target folder")?;
    let runner = profile.join("alexandrite");
    if !runner.exists() {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--bin", "alexandrite", "--profile", cargo_profile(profile)]).current_dir(workspace());
        let status = cargo.status().context("building the runner")?;
        ensure!(status.success(), "building the runner failed ({status})");
    }
    Ok(runner)
}

/// Makes [`System::stop`] see a panic of any test.
fn note_failures() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let _ = FAILURE.set(panic.to_string());
            before(panic);
        }));
    });
}

/// Removes the old folders of failed tests. Errors do no harm.
fn remove_old_folders() {
    for item in fs::read_dir(System::folder()).into_iter().flatten().flatten() {
        let modified = item.metadata().and_then(|data| data.modified()).ok();
        if modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > KEPT_FOR) {
            let _ = fs::remove_dir_all(item.path());
            let _ = fs::remove_file(item.path());
        }
    }
}

#[expect(unsafe_code, reason = "the standard library has no hook for the end of a process")]
fn at_exit(hook: extern "C" fn()) {
    // SAFETY: the hook takes no argument, never unwinds past its `extern "C"` border and uses only what lives until
    // the end of the process.
    unsafe {
        libc::atexit(hook);
    }
}
