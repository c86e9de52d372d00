//! The kernel's table of processes.

use std::collections::BTreeMap;
use std::fs;

/// A process as the table shows it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) parent: i32,
    pub(crate) zombie: bool,
    /// The start, in clock ticks since boot. Together with the id it identifies a process: ids are used again.
    pub(crate) started: u64,
}

/// The entry of one process; `None` if there is no such process.
pub(crate) fn entry(pid: i32) -> Option<Entry> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may itself contain blanks and brackets.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Entry {
        zombie: *fields.first()? == "Z",
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// Whether the process that had this id at this start still runs.
pub(crate) fn runs(pid: i32, started: u64) -> bool {
    entry(pid).is_some_and(|entry| entry.started == started && !entry.zombie)
}

/// Every process of this machine by its id.
pub(crate) fn all() -> BTreeMap<i32, Entry> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|item| item.file_name().to_str()?.parse().ok()).filter_map(|pid| Some((pid, entry(pid)?))).collect()
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
