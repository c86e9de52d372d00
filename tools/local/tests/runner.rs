//! The runner as its users see it: a process that starts real servers and leaves nothing behind.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use local::{Kind, Options, System, SystemFile};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{Connection as _, PgConnection};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// For everything that is awaited here, on a machine that builds and tests other things at the same time.
const PATIENCE: Duration = Duration::from_secs(180);

/// A runner started by hand, in a folder of its own.
struct Runner {
    process: Child,
    data: PathBuf,
}

impl Runner {
    /// Starts these parts on free ports and waits until they are ready.
    fn start(data: PathBuf, only: &str) -> Result<Self> {
        let process = command(&data, only).stdout(Stdio::piped()).stderr(complaints(&data)?).spawn()?;
        Ok(Self { process: until_ready(process, &data)?, data })
    }

    fn file(&self) -> Result<SystemFile> {
        Ok(SystemFile::read(&self.data)?)
    }

    fn pid(&self) -> i32 {
        self.process.id().cast_signed()
    }

    /// Sends a signal and returns the exit code; `None` if the signal itself was the end.
    fn end(&mut self, signal: Signal) -> Result<Option<i32>> {
        kill(Pid::from_raw(self.pid()), signal)?;
        Ok(self.process.wait()?.code())
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Only after a failed assertion is there something to end.
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = self.end(Signal::SIGTERM);
        }
        let _ = fs::remove_dir_all(&self.data);
        let _ = fs::remove_file(self.data.with_extension("txt"));
    }
}

fn command(data: &Path, only: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alexandrite"));
    command.args(["up", "--free-ports", "--only", only]).arg("--data").arg(data).stdin(Stdio::null());
    // Elasticsearch runs for seconds here, in which its second compiler would gain nothing.
    command.env("ALEXANDRITE_SHORT_LIVED", "1");
    command
}

/// Waits until a runner says that it is ready. If it ends before, the error is what it said.
fn until_ready(mut process: Child, data: &Path) -> Result<Child> {
    let stdout = process.stdout.take().ok_or("no standard output")?;
    // Ends without the line if the runner ends.
    let ready =
        BufReader::new(stdout).lines().map_while(std::result::Result::ok).any(|line| line.starts_with("ready "));
    if ready { Ok(process) } else { Err(fs::read_to_string(data.with_extension("txt"))?.into()) }
}

/// Kills a runner and all that it has started, as the end of the machine would.
fn kill_with_family(mut runner: Child) -> Result {
    let pid = runner.id().cast_signed();
    for pid in [pid].into_iter().chain(family(pid)) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    runner.wait()?;
    Ok(())
}

fn complaints(data: &Path) -> Result<File> {
    Ok(File::create(data.with_extension("txt"))?)
}

fn folder(name: &str) -> Result<PathBuf> {
    let folder = System::folder().join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// All processes that descend from this one.
fn family(pid: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<i32> = children
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    children.iter().flat_map(|child| family(*child)).chain(children.iter().copied()).collect()
}

fn lives(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// The ports in the addresses of a system's stores.
fn ports(file: &SystemFile) -> Vec<u16> {
    let databases = file.databases.as_ref().map(|databases| databases.shop.clone());
    let addresses = databases.into_iter().chain(file.amqp.clone());
    let port = |address: String| address.rsplit_once(':')?.1.split('/').next()?.parse().ok();
    addresses.filter_map(port).collect()
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn query(address: &str, statement: &'static str) -> Result {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = PgConnection::connect(address).await?;
        sqlx::raw_sql(statement).execute(&mut connection).await?;
        Ok(connection.close().await?)
    })
}

fn wait_until(what: &str, condition: impl Fn() -> bool) -> Result {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            return Err(format!("not within {} s: {what}", PATIENCE.as_secs()).into());
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}

fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn sigterm_leaves_no_process_no_port_and_no_system_file() -> Result {
    let mut runner = Runner::start(folder("sigterm")?, "postgres,rabbitmq")?;
    let (family, ports) = (family(runner.pid()), ports(&runner.file()?));
    assert!(family.len() > 5, "{family:?}");
    assert_eq!(ports.len(), 2);
    assert!(!ports.iter().any(|port| is_free(*port)));

    assert_eq!(runner.end(Signal::SIGTERM)?, Some(0));

    assert!(!family.iter().any(|pid| lives(*pid)), "still there: {family:?}");
    assert!(ports.iter().all(|port| is_free(*port)), "still taken: {ports:?}");
    assert!(runner.file().is_err());
    Ok(())
}

#[test]
fn ctrl_c_while_it_starts_leaves_no_process() -> Result {
    let data = folder("ctrl-c")?;
    let process = command(&data, "postgres,rabbitmq").stdout(Stdio::null()).stderr(complaints(&data)?).spawn()?;
    let mut runner = Runner { process, data };
    let pid = runner.pid();
    wait_until("a part was started", || family(pid).len() > 1)?;
    let family = family(pid);

    assert_eq!(runner.end(Signal::SIGINT)?, Some(1));

    assert!(!family.iter().any(|pid| lives(*pid)), "still there: {family:?}");
    Ok(())
}

#[test]
fn killing_the_runner_takes_all_parts_down_and_the_next_start_goes_on() -> Result {
    let mut runner = Runner::start(folder("sigkill")?, "postgres,rabbitmq")?;
    let (family, address) = (family(runner.pid()), runner.file()?.databases.ok_or("no database")?.shop);
    query(&address, "CREATE TABLE kept (id int)")?;

    assert_eq!(runner.end(Signal::SIGKILL)?, None);

    wait_until("all parts ended", || !family.iter().any(|pid| lives(*pid)))?;
    let again = Runner::start(runner.data.clone(), "postgres,rabbitmq")?;
    let address = again.file()?.databases.ok_or("no database")?.shop;
    query(&address, "SELECT FROM kept")
}

#[test]
fn it_comes_up_after_everything_was_killed_at_any_moment() -> Result {
    // Three at the same time: a start waits more than it works.
    let all = [1, 2, 3].map(|number| {
        std::thread::spawn(move || {
            let outcome = folder(&format!("killed-{number}"))
                .and_then(|data| comes_up_after_kills(data, "postgres,rabbitmq", 1, Duration::from_secs(4)));
            outcome.map_err(|error| error.to_string())
        })
    });
    for one in all {
        one.join().map_err(|_| "a panic")??;
    }
    Ok(())
}

#[test]
#[ignore = "takes ten minutes; docs/guarantees.md says how to run it"]
fn the_whole_system_comes_up_after_everything_was_killed_at_any_moment() -> Result {
    comes_up_after_kills(folder("killed-all")?, "services,shipper,support-web", 10, Duration::from_secs(20))
}

/// In each round kills everything at a random moment of a start, which takes about as long as `start`, and then twice right
/// after one. Each start in between has to come up by itself.
fn comes_up_after_kills(data: PathBuf, only: &str, rounds: u32, start: Duration) -> Result {
    for round in 1..=rounds {
        let random = SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_micros() % 1000;
        let after = start * random / 1000;
        let starting = command(&data, only).stdout(Stdio::null()).stderr(complaints(&data)?).spawn()?;
        std::thread::park_timeout(after);
        kill_with_family(starting)?;
        for before in [format!("{after:?} after its start"), "when it was ready".to_owned()] {
            let again = command(&data, only).stdout(Stdio::piped()).stderr(complaints(&data)?).spawn()?;
            let ready = until_ready(again, &data);
            kill_with_family(ready.map_err(|error| format!("round {round}, killed {before}: {error}"))?)?;
            eprintln!("round {round}: it came up, killed {before}");
        }
    }
    let mut runner = Runner::start(data, only)?;
    assert_eq!(runner.end(Signal::SIGTERM)?, Some(0));
    Ok(())
}

#[test]
fn a_part_that_dies_is_started_again() -> Result {
    let runner = Runner::start(folder("restart")?, "postgres")?;
    let file = runner.file()?;
    let before = file.pid("postgres")?;

    kill(Pid::from_raw(before), Signal::SIGKILL)?;

    wait_until("another process runs", || file.pid("postgres").is_ok_and(|now| now != before))?;
    let address = file.databases.ok_or("no database")?.shop;
    wait_until("it responds", || query(&address, "SELECT 1").is_ok())
}

#[test]
fn a_part_that_can_not_start_yet_is_tried_again_for_some_seconds() -> Result {
    let runner = Runner::start(folder("not-yet")?, "postgres")?;
    let file = runner.file()?;
    let parts = file.logs.parent().ok_or("logs are below the parts")?;
    let version = parts.join("postgres/cluster/PG_VERSION");
    let away = version.with_extension("away");
    fs::rename(&version, &away)?;

    let killed = Instant::now();
    kill(Pid::from_raw(file.pid("postgres")?), Signal::SIGKILL)?;

    let tries = || fs::read_to_string(runner.data.with_extension("txt")).unwrap_or_default();
    wait_until("it has failed three times", || tries().matches("postgres is started again").count() > 3)?;
    // Without pauses all tries would be over in a moment.
    assert!(killed.elapsed() >= Duration::from_millis(1_500), "{:?}", killed.elapsed());
    fs::rename(&away, &version)?;
    let address = file.databases.ok_or("no database")?.shop;
    wait_until("it responds", || query(&address, "SELECT 1").is_ok())
}

#[test]
fn data_of_another_major_version_is_an_error_that_says_what_to_do() -> Result {
    let mut runner = Runner::start(folder("major")?, "postgres")?;
    let parts = runner.file()?.logs.parent().ok_or("logs are below the parts")?.to_owned();
    assert_eq!(runner.end(Signal::SIGTERM)?, Some(0));
    fs::write(parts.join("postgres/cluster/PG_VERSION"), "15\n")?;

    let output = command(&runner.data, "postgres").output()?;

    assert_eq!(output.status.code(), Some(1));
    let error = error_of(&output);
    for said in ["is of PostgreSQL 15, and this version runs 18", "--fresh", "backup"] {
        assert!(error.contains(said), "{error}");
    }
    Ok(())
}

#[test]
fn a_record_that_elasticsearch_refuses_is_told_to_whoever_runs_the_system() -> Result {
    let runner = Runner::start(folder("refused")?, "shipper")?;
    let file = runner.file()?;
    let errors = file.shipper_errors.clone().ok_or("there is a file for refused records")?;
    let said = || fs::read_to_string(runner.data.with_extension("txt")).unwrap_or_default();
    assert!(!said().contains("refuses"), "{}", said());
    let doctor = || -> Result<String> {
        let mut doctor = Command::new(env!("CARGO_BIN_EXE_alexandrite"));
        let output = doctor.arg("doctor").arg("--data").arg(&runner.data).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert!(doctor()?.contains("all taken"), "{}", doctor()?);

    let twice = r#"{"name":"shop-api","time":"2026-01-02T03:04:05.678Z","msg":"one","msg":"two"}"#;
    fs::write(file.logs.join("shop-api-twice.log"), format!("{twice}\n"))?;
    wait_until("the refusal was printed", || {
        said().contains(&format!("refuses records; which, and why, is in {}", errors.display()))
    })?;

    let refused = fs::read_to_string(&errors)?;
    assert!(refused.contains("Duplicate field"), "{refused}");
    assert!(doctor()?.contains("some refused"), "{}", doctor()?);
    Ok(())
}

#[test]
fn a_second_runner_on_the_same_data_is_told_who_has_it() -> Result {
    let runner = Runner::start(folder("second")?, "postgres")?;
    let second = command(&runner.data, "postgres").output()?;
    assert_eq!(second.status.code(), Some(1));
    let error = error_of(&second);
    assert!(error.contains(&format!("process {} is running", runner.pid())), "{error}");
    assert!(runner.file().is_ok(), "the first one goes on");
    Ok(())
}

#[test]
fn a_chosen_port_that_is_taken_is_an_error_that_names_its_holder() -> Result {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    let data = folder("taken")?;
    let output = command(&data, "postgres").args(["--postgres-port", &port]).output()?;
    fs::remove_dir_all(&data)?;
    assert_eq!(output.status.code(), Some(1));
    let error = error_of(&output);
    let expected = format!("port {port} (--postgres-port) is taken by process {}", std::process::id());
    assert!(error.contains(&expected), "{error}");
    Ok(())
}

#[test]
fn the_broker_knows_its_users_and_their_limits() -> Result {
    let runner = Runner::start(folder("broker")?, "rabbitmq")?;
    let log = fs::read_to_string(runner.file()?.logs.join("rabbitmq.txt"))?;
    for user in ["alexandrite", "crm", "mes"] {
        assert!(log.contains(&format!("Created user '{user}'")), "{log}");
    }
    assert!(!log.contains("[error]"), "{log}");
    Ok(())
}

#[test]
fn a_system_for_tests_is_gone_with_its_folder_when_it_stops() -> Result {
    let system = System::start(&Options { only: vec![Kind::Postgres], ..Options::default() })?;
    let (data, postgres) = (system.data().to_owned(), system.pid("postgres")?);
    assert!(lives(postgres));
    assert!(system.file().shop_api.is_none());

    system.stop()?;

    assert!(!lives(postgres));
    assert!(!data.exists());
    Ok(())
}

#[tokio::test]
async fn a_system_for_tests_says_that_it_has_ended() -> Result {
    let system = System::start(&Options { only: vec![Kind::Postgres], ..Options::default() })?;
    assert!(tokio::time::timeout(Duration::from_millis(200), system.ended()).await.is_err(), "it runs");
    let runner: i32 = fs::read_to_string(system.data().join("lock"))?.trim().parse()?;
    let family = family(runner);

    kill(Pid::from_raw(runner), Signal::SIGKILL)?;

    tokio::time::timeout(PATIENCE, system.ended()).await?;
    let error = system.stop().expect_err("the runner was killed").to_string();
    assert!(error.contains("signal: 9"), "{error}");
    wait_until("all parts ended", || !family.iter().any(|pid| lives(*pid)))?;
    fs::remove_file(system.data().with_extension("runner.txt"))?;
    Ok(fs::remove_dir_all(system.data())?)
}

#[test]
fn what_needs_a_running_system_says_how_to_start_one() -> Result {
    let data = folder("nothing")?;
    for arguments in [&["demo"][..], &["trail", "A-100000"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alexandrite"));
        let output = command.args(arguments).arg("--data").arg(&data).output()?;
        assert_eq!(output.status.code(), Some(1));
        assert!(error_of(&output).contains("start it first with `cargo run`"), "{}", error_of(&output));
    }
    Ok(fs::remove_dir_all(&data)?)
}
