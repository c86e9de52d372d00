//! Where lines go: to standard output, each by one write and with no queue in memory.

use std::{
    fs::File,
    io::{self, Write},
    os::{fd::AsFd as _, unix::fs::FileExt as _},
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing_subscriber::fmt::MakeWriter;

use super::metrics;

/// Takes one line, its end included.
pub type Sink = fn(&[u8]) -> io::Result<()>;

static SINK: OnceLock<Sink> = OnceLock::new();
/// Whether the last write failed, and may have left a part of a line.
static BROKEN: AtomicBool = AtomicBool::new(false);

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
    let written = if BROKEN.load(Ordering::Relaxed) {
        // Ends what was written of the line before.
        sink(&[b"\n", line].concat())
    } else {
        sink(line)
    };
    if written.is_err() {
        metrics::line_lost();
    }
    let was_broken = BROKEN.swap(written.is_err(), Ordering::Relaxed);
    match &written {
        Err(error) if !was_broken => eprintln!("records can't be written, the work goes on: {error}"),
        Ok(()) if was_broken => eprintln!("records are written again"),
        _ => {}
    }
    written
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

/// Waits until what was written is on the disk. Pipes and terminals have none, which is no error.
pub(crate) fn sync() {
    if let Ok(file) = &*STANDARD_OUTPUT {
        let _ = file.sync_data();
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
