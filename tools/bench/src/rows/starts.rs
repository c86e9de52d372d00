//! From `cargo run`, with everything built, to a system that is ready, on fresh data.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result};
use local::{Options, System};

use super::build;
use crate::{
    say,
    table::{Row, Spread},
    testbed::remove_data,
};

/// Seconds to be ready in.
const GOAL: f64 = 40.0;

/// How long a start took, and each of its parts.
struct Start {
    seconds: f64,
    parts: Vec<(String, f64)>,
}

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    let programs = env::current_exe()?;
    let programs = programs.parent().context("this program is in a folder")?.to_owned();
    tokio::task::spawn_blocking(move || measure_starts(&programs, rounds)).await?
}

fn measure_starts(programs: &Path, rounds: usize) -> Result<Vec<Row>> {
    let profile = programs.file_name().and_then(|name| name.to_str()).context("a profile's folder")?;
    // The start itself is then left to look that all is built.
    build::all(if profile == "debug" { "dev" } else { profile })?;
    let starts =
        (0..rounds).map(|round| start(programs.join(format!("bench-start-{round}")))).collect::<Result<Vec<_>>>()?;
    let seconds = Spread::of(starts.iter().map(|start| start.seconds));
    let of = |part: &str| {
        let all = starts.iter().flat_map(|start| &start.parts).filter(|(name, _)| name == part);
        Spread::of(all.map(|(_, seconds)| *seconds)).median
    };
    let parts = starts.first().map(|start| start.parts.as_slice()).unwrap_or_default();
    let parts = parts.iter().map(|(part, _)| (part, of(part)));
    let (slowest, takes) = parts.max_by(|(_, one), (_, other)| one.total_cmp(other)).context("no part was started")?;
    Ok(vec![Row {
        what: "from `cargo run`, built, to ready, on fresh data".to_owned(),
        measured: format!("{:.1} s", seconds.median),
        against: format!("its slowest part, {slowest}: {takes:.1} s"),
        figure: format!("{seconds:.1} s"),
        goal: "≤ 40 s",
        reached: seconds.median <= GOAL,
    }])
}

fn start(data: PathBuf) -> Result<Start> {
    let began = Instant::now();
    let system = System::start(&Options { data: Some(data.clone()), ..Options::default() })?;
    let seconds = began.elapsed().as_secs_f64();
    // Beside the data.
    let said = fs::read_to_string(data.with_extension("runner.txt"))?;
    let parts = said.lines().filter_map(part).collect();
    say(format_args!("  ready in {seconds:.1} s"));
    system.stop()?;
    remove_data(&system)?;
    Ok(Start { seconds, parts })
}

/// A part and its seconds in a line such as `✓ rabbitmq       on port 5682 (4.9 s)`.
fn part(line: &str) -> Option<(String, f64)> {
    let (name, rest) = line.strip_prefix("✓ ")?.split_once(' ')?;
    let (_, seconds) = rest.strip_suffix(" s)")?.rsplit_once('(')?;
    Some((name.to_owned(), seconds.parse().ok()?))
}
