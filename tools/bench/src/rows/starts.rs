//! From `cargo run`, without building, to a ready system on fresh data.

use std::{env, fs, path::PathBuf, time::Instant};

use anyhow::{Context as _, Result};
use local::{Options, System};

use super::command::build;
use crate::{
    progress::say,
    table::{Goal, Row, Spread},
    testbed::remove_data,
};

/// The duration of a start, and of the start of each part.
struct Start {
    seconds: f64,
    parts: Vec<(String, f64)>,
}

pub(super) fn measure(rounds: usize) -> Result<Vec<Row>> {
    let program = env::current_exe()?;
    let folder = program.parent().context("this program has no folder")?;
    // The measured starts then only check that the build is up to date.
    build(local::cargo_profile(folder))?;
    let start = |round| start(program.with_file_name(format!("bench-start-{round}")));
    let starts = (0..rounds).map(start).collect::<Result<Vec<_>>>()?;
    let seconds = Spread::of(&starts, |start| start.seconds);
    let median_of = |part: &str| {
        let of_part = |(name, _): &&(String, f64)| name == part;
        let parts: Vec<_> = starts.iter().flat_map(|start| &start.parts).filter(of_part).collect();
        Spread::of(&parts, |(_, seconds)| *seconds).median
    };
    let parts = starts.iter().take(1).flat_map(|start| &start.parts).map(|(part, _)| (part, median_of(part)));
    let (slowest, takes) = parts.max_by(|(_, one), (_, other)| one.total_cmp(other)).context("no part was started")?;
    Ok(vec![Row {
        what: "from `cargo run`, built, to ready, on fresh data".to_owned(),
        measured: format!("{:.1} s", seconds.median),
        against: format!("its slowest part, {slowest}: {takes:.1} s"),
        figure: format!("{seconds:.1} s"),
        goal: Goal::at_most(40.0, " s", seconds.median),
    }])
}

fn start(data: PathBuf) -> Result<Start> {
    let began = Instant::now();
    let system = System::start(&Options { data: Some(data.clone()), ..Options::default() })?;
    let seconds = began.elapsed().as_secs_f64();
    let output = fs::read_to_string(data.with_extension("runner.txt"))?;
    let parts = output.lines().filter_map(part).collect();
    say(format_args!("  ready in {seconds:.1} s"));
    system.stop()?;
    remove_data(&system)?;
    Ok(Start { seconds, parts })
}

/// A part's name and seconds in a line of the runner's output, such as `✓ rabbitmq       on port 5682 (4.9 s)`.
fn part(line: &str) -> Option<(String, f64)> {
    let (name, rest) = line.strip_prefix("✓ ")?.split_once(' ')?;
    let (_, seconds) = rest.strip_suffix(" s)")?.rsplit_once('(')?;
    Some((name.to_owned(), seconds.parse().ok()?))
}
