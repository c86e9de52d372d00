//! The life of a running system: start, run until a request to stop, stop.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use tokio::sync::OnceCell;

use crate::commands::up::{flags::UpFlags, start::Startup, summary};
use crate::host::folders::{Folders, KEEP};
use crate::host::{leftovers, lock::Lock, orphans, os_user::OsUser, stop::StopRequests, supervisor::Supervisor};
use crate::parts::{certificates::Certificates, kind::Kind, shipper};
use crate::system::{accounts::Accounts, system_file};
use crate::terminal::progress::Progress;

/// Runs the system with its data in `data` until a request to stop.
pub(crate) async fn run(data: &Path, flags: &UpFlags, requests: &mut StopRequests) -> Result<()> {
    let began = Instant::now();
    let progress = Progress::new();
    let _lock = Lock::take(data).await?;
    let data = data.canonicalize()?;
    let folders = Folders::new(&data, OsUser::find_or_create().await?);
    // A killed runner has left it, and it names what doesn't run any more.
    let _ = fs::remove_file(data.join(system_file::FILE));
    leftovers::end(&folders.parts, &folders.run(), &progress).await?;
    if flags.fresh {
        folders.clear()?;
    }
    folders.create()?;
    if folders.moved() {
        let (parts, name) = (folders.parts.display(), &folders.user.name);
        progress
            .say(format!("  the parts run as the user {name}, who can't get to the data folder: theirs is {parts}"));
    }
    let kinds = Kind::with_needs(&flags.only);
    let source = flags.certificates.as_deref();
    ensure!(
        source.is_none() || !kinds.contains(&Kind::Shipper),
        "--certificates is not for the shipper: leave it out by --only"
    );
    let certificates = source.map(|source| Certificates::read(&folders, source)).transpose()?;
    let (supervisor, mut failures) = Supervisor::new(&folders, progress.clone());
    let startup = Startup {
        flags,
        kinds: &kinds,
        folders: &folders,
        accounts: Accounts::load(&data)?,
        certificates,
        progress: &progress,
        supervisor: &supervisor,
        packages: OnceCell::new(),
        built: OnceCell::new(),
    };
    let outcome = tokio::select! {
        started = startup.start() => match started {
            Ok(file) => {
                file.write(&data)?;
                progress.close();
                summary::print(&file, &data, &kinds, began.elapsed());
                tokio::select! {
                    name = requests.next() => { progress.say(format!("{name}: stopping")); Ok(()) }
                    Some(error) = failures.recv() => Err(error),
                    () = shipper::report_refusals(&folders, &progress) => Ok(()),
                }
            }
            Err(error) => Err(error),
        },
        name = requests.next() => Err(anyhow!("stopped by {name} before everything was ready")),
    };
    let removed = fs::remove_file(data.join(system_file::FILE));
    if outcome.is_err() {
        progress.close();
    }
    tokio::select! {
        () = supervisor.stop() => {}
        name = requests.next() => progress.say(format!("{name} again: killing what still runs")),
    }
    orphans::kill_descendants();
    if outcome.is_ok() {
        removed.context("removing system.json")?;
        if flags.throw_away && !data.join(KEEP).exists() {
            folders.clear()?;
            fs::remove_dir_all(&data).context("removing the data folder")?;
        }
        progress.say("stopped");
    }
    outcome
}
