//! A wrong clock for single processes, by libfaketime: what they ask for the time of day, and nothing else.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use local::test_programs;

/// The clock of the processes that have its environment.
pub(crate) struct Clock {
    /// How far it is ahead, in libfaketime's form.
    file: PathBuf,
}

impl Clock {
    /// The clock of a program, which is right at first.
    pub(crate) fn beside(program: &Path) -> Result<Self> {
        let clock = Self { file: program.with_extension("clock") };
        clock.set(0).map(|()| clock)
    }

    /// What makes a process follow this clock. Within a second, it notices that the clock was set.
    pub(crate) fn environment(&self) -> Result<[(String, String); 5]> {
        let environment = [
            ("LD_PRELOAD", test_programs::faketime()?.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            // As for a clock that is set: what measures durations, and what the kernel notes of files, stays.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ];
        Ok(environment.map(|(name, value)| (name.to_owned(), value)))
    }

    /// Sets it so many seconds ahead of the machine's.
    pub(crate) fn set(&self, ahead_s: i64) -> Result<()> {
        // Renamed, so that it is never read in part.
        let new = self.file.with_extension("clock.new");
        fs::write(&new, format!("{ahead_s:+}\n"))
            // Root's umask may close it to the user that runs the process.
            .and_then(|()| fs::set_permissions(&new, Permissions::from_mode(0o644)))
            .and_then(|()| fs::rename(&new, &self.file))
            .with_context(|| format!("setting the clock {}", self.file.display()))
    }
}

/// Removes what libfaketime shares with processes that a killed one would have started.
pub(crate) fn clean_up_after(pid: u32) {
    for name in ["sem.faketime_sem_", "faketime_shm_"] {
        // One that ended by itself has removed it.
        let _ = fs::remove_file(format!("/dev/shm/{name}{pid}"));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        process::Command,
        time::{SystemTime, UNIX_EPOCH},
    };

    use super::*;

    #[test]
    fn a_process_has_the_clock_that_was_set() -> Result<()> {
        let clock = Clock::beside(&std::env::temp_dir().join(format!("alexandrite-clock-{}", std::process::id())))?;
        for ahead_s in [0, 180, -240] {
            clock.set(ahead_s)?;
            let output = Command::new("date").arg("+%s").envs(clock.environment()?).output()?;
            let shown: i64 = String::from_utf8(output.stdout)?.trim().parse()?;
            let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
            let expected = now + ahead_s;
            assert!((expected - 30..=expected).contains(&shown), "{shown} in place of {expected}");
        }
        Ok(fs::remove_file(clock.file)?)
    }
}
