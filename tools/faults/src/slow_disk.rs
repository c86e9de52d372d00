//! A slow disk for single processes: a control group lets few of their writes through each second
//! (<https://docs.kernel.org/admin-guide/cgroup-v2.html#io>, and `blkio` where it is mounted as version 1).

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, Result, bail};
use nix::{
    errno::Errno,
    sys::stat::{major, minor},
};

/// Where control groups with limits for disks may be, the file of a limit in each, and what stands before its figure. As root,
/// on the machine itself.
const VERSIONS: [(&str, &str, &str); 2] =
    [("/sys/fs/cgroup/blkio", "blkio.throttle.write_iops_device", ""), ("/sys/fs/cgroup", "io.max", "wiops=")];

/// Processes whose disk is slow until this is dropped.
pub(crate) struct SlowDisk {
    group: PathBuf,
    /// The group of before.
    home: PathBuf,
}

impl SlowDisk {
    /// Lets this process, and what it starts, write only so often to the disk on which the folder is.
    pub(crate) fn of(pid: i32, folder: &Path, writes_per_s: u32) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let disk = disk_of(folder)?;
        let name = format!("alexandrite-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        for (root, file, before) in VERSIONS.map(|(root, file, before)| (Path::new(root), file, before)) {
            let (home, group) = (home_of(pid, root), root.join(&name));
            // Version 2 offers a limit where the group above hands it down. Version 1 has no such file.
            let _ = write_existing(&root.join("cgroup.subtree_control"), "+io");
            if let (Some(home), Ok(())) = (home, fs::create_dir(&group)) {
                let slow = Self { group, home };
                if write_existing(&slow.group.join(file), &format!("{disk} {before}{writes_per_s}")).is_ok() {
                    slow.add(pid)?;
                    return Ok(slow);
                }
            }
        }
        bail!("the kernel doesn't let this user slow a disk down")
    }

    /// Makes the disk slow for another process, too.
    pub(crate) fn add(&self, pid: i32) -> Result<()> {
        move_to(&self.group, pid)
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        // What a process starts while it is moved back is there the next time.
        for _ in 0..10 {
            let inside = fs::read_to_string(self.group.join("cgroup.procs")).unwrap_or_default();
            for pid in inside.lines().filter_map(|pid| pid.parse().ok()) {
                let _ = move_to(&self.home, pid);
            }
            if fs::remove_dir(&self.group).is_ok() {
                return;
            }
        }
    }
}

/// Moves a process into a group, if it still runs.
fn move_to(group: &Path, pid: i32) -> Result<()> {
    match write_existing(&group.join("cgroup.procs"), &pid.to_string()) {
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(()),
        moved => moved.with_context(|| format!("moving process {pid} into {}", group.display())),
    }
}

/// Writes to a file that is there: outside a kernel's folder, another one would be made.
fn write_existing(file: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())
}

/// The group that a process is in, below a root: version 2 has no name there, version 1 that of the root's folder
/// (cgroups(7)).
fn home_of(pid: i32, root: &Path) -> Option<PathBuf> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let name = root.file_name().and_then(|name| name.to_str()).filter(|name| *name != "cgroup").unwrap_or_default();
    groups.lines().find_map(|line| {
        let [_, controllers, path] = line.splitn(3, ':').collect::<Vec<_>>()[..] else { return None };
        controllers.split(',').any(|controller| controller == name).then(|| root.join(path.trim_start_matches('/')))
    })
}

/// The numbers of the disk that a folder is on; of a partition, those of the whole disk, which limits are for.
fn disk_of(folder: &Path) -> Result<String> {
    let device = fs::metadata(folder).with_context(|| format!("looking at {}", folder.display()))?.dev();
    let device = PathBuf::from(format!("/sys/dev/block/{}:{}", major(device), minor(device)));
    let whole = if device.join("partition").exists() { device.join("..") } else { device };
    let numbers =
        fs::read_to_string(whole.join("dev")).with_context(|| format!("{} is on no disk", folder.display()))?;
    Ok(numbers.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Command, Stdio},
        time::{Duration, Instant},
    };

    use super::*;

    #[test]
    fn a_process_writes_as_seldom_as_it_may_until_its_disk_is_fast_again() -> Result<()> {
        let folder = std::env::current_dir()?;
        let file = folder.join(format!("slow-disk-{}", std::process::id()));
        let script = format!("read -r go; exec dd if=/dev/zero of={} bs=512 count=40 oflag=dsync", file.display());
        let mut write = Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let pid = i32::try_from(write.id())?;
        let home = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
        let slow = SlowDisk::of(pid, &folder, 20);
        let began = Instant::now();
        write.stdin.take().context("a pipe")?.write_all(b"go\n")?;
        let status = write.wait()?;
        fs::remove_file(&file)?;
        let Ok(slow) = slow else {
            eprintln!("not possible here");
            return Ok(());
        };
        assert!(status.success() && began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());

        let mut waits = Command::new("sleep").arg("60").spawn()?;
        slow.add(i32::try_from(waits.id())?)?;
        let group = slow.group.clone();
        drop(slow);
        assert_eq!(fs::read_to_string(format!("/proc/{}/cgroup", waits.id()))?, home);
        assert!(!group.exists());
        waits.kill()?;
        waits.wait().map(drop).map_err(Into::into)
    }
}
