//! Where lines go: to standard output, each by one write and with no queue in memory.

use std::{
    fs::File,
    io::{self, Write},
    mem,
    os::{fd::AsFd as _, unix::fs::FileExt as _},
    sync::{LazyLock, Mutex, OnceLock, PoisonError},
};

use tracing_subscriber::fmt::MakeWriter;

use super::metrics;

/// Takes one line, its end included.
pub type Sink = fn(&[u8]) -> io::Result<()>;

static SINK: OnceLock<Sink> = OnceLock::new();
/// Whether the last write failed, and may have left a part of a line.
static BROKEN: Mutex<bool> = Mutex::new(false);

/// Sends all lines of this process to `sink` instead of standard output: for tests. The first call counts.
pub fn redirect(sink: Sink) {
    // A second one would say the same.
    let _ = SINK.set(sink);
}

/// Writes one line. It is out of the process when this returns without an error.
///
/// # Errors
///
/// The operating system's: a full disk, a closed pipe.
pub(crate) fn emit(line: &[u8]) -> io::Result<()> {
    let sink = SINK.get().copied().unwrap_or(to_standard_output);
    let (written, was_broken) = write(&BROKEN, sink, line);
    if written.is_err() {
        metrics::line_lost();
    }
    // Standard error may be on the same full disk, which `eprintln!` takes for a reason to panic.
    let _ = match &written {
        Err(error) if !was_broken => writeln!(io::stderr(), "records can't be written, the work goes on: {error}"),
        Ok(()) if was_broken => writeln!(io::stderr(), "records are written again"),
        _ => Ok(()),
    };
    written
}

/// Writes one line, after the end of what a failed write has left of the line before. Also returns whether that one had failed.
fn write(broken: &Mutex<bool>, sink: Sink, line: &[u8]) -> (io::Result<()>, bool) {
    // Locked over the write: no other thread's line may come between a part of a line and the note that it is one.
    let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
    let written = if *broken { sink(&[b"\n", line].concat()) } else { sink(line) };
    let was_broken = mem::replace(&mut *broken, written.is_err());
    (written, was_broken)
}

/// Standard output without the standard library's buffer, which would keep what could not be written.
static STANDARD_OUTPUT: LazyLock<io::Result<File>> =
    LazyLock::new(|| io::stdout().as_fd().try_clone_to_owned().map(File::from));

fn to_standard_output(line: &[u8]) -> io::Result<()> {
    // A pipe takes long lines in pieces; no other thread's line may come in between.
    let _turn = io::stdout().lock();
    match &*STANDARD_OUTPUT {
        Ok(file) => (&mut &*file).write_all(line),
        Err(error) => Err(error.kind().into()),
    }
}

/// Waits until what was written is on the disk.
///
/// # Errors
///
/// The operating system's: the disk is full or broken. It reports a failure once, and what was not on the disk by then may be
/// lost, even if the next call succeeds.
pub(crate) fn sync() -> io::Result<()> {
    match &*STANDARD_OUTPUT {
        Ok(file) => sync_file(file),
        Err(error) => Err(error.kind().into()),
    }
}

/// Pipes and terminals have no disk, which is no error: `EINVAL` or `EROFS`, says fdatasync(2).
fn sync_file(file: &File) -> io::Result<()> {
    match file.sync_data() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::ReadOnlyFilesystem) => Ok(()),
        synced => synced,
    }
}

/// Ends the line that a process before this one, killed in the middle of a write, has left in the same file.
pub(super) fn end_broken_line() {
    let ends_in_the_middle = || -> io::Result<bool> {
        // Standard output is open for writing only.
        let file = File::open("/proc/self/fd/1")?;
        let length = file.metadata().map(|file| if file.is_file() { file.len() } else { 0 })?;
        let mut last = [b'\n'];
        if length > 0 {
            file.read_exact_at(&mut last, length - 1)?;
        }
        Ok(last != [b'\n'])
    };
    if ends_in_the_middle().unwrap_or(false) {
        let _ = to_standard_output(b"\n");
    }
}

/// What the formatter of other libraries' events writes to.
#[derive(Clone, Copy, Debug)]
pub struct Output;

impl MakeWriter<'_> for Output {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

impl Write for Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        emit(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{os::fd::OwnedFd, thread};

    use super::*;

    #[test]
    fn no_line_is_glued_to_a_part_of_another_one() {
        static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());
        /// A disk that is full in the middle of some lines.
        fn sink(line: &[u8]) -> io::Result<()> {
            let mut written = WRITTEN.lock().unwrap();
            match line.strip_suffix(b" lost\n") {
                Some(part) => {
                    written.extend(part);
                    Err(io::ErrorKind::StorageFull.into())
                }
                None => {
                    written.extend(line);
                    Ok(())
                }
            }
        }

        let broken = Mutex::new(false);
        thread::scope(|scope| {
            for line in [&b"whole\n"[..], b"part lost\n"] {
                let broken = &broken;
                scope.spawn(move || {
                    for _ in 0..10_000 {
                        let _ = write(broken, sink, line);
                    }
                });
            }
        });
        let (written, _) = write(&broken, sink, b"whole\n");
        assert!(written.is_ok());
        let written = String::from_utf8(WRITTEN.lock().unwrap().clone()).unwrap();
        let glued = written.lines().find(|line| !["whole", "part", ""].contains(line));
        assert_eq!(glued, None);
    }

    #[test]
    fn a_pipe_has_no_disk_to_wait_for() {
        let (_reader, writer) = io::pipe().unwrap();
        assert!(sync_file(&File::from(OwnedFd::from(writer))).is_ok());
    }
}
