//! The plan of a run's faults: drawn from a seed, written to a file, and read again to repeat it or a part of it.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use catalogue::Service;
use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// What is done at the same time, after a pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) pause_ms: u64,
    pub(crate) faults: Vec<Fault>,
}

/// A fault. Replicas are given by their place in [`Service::APIS`]; of a replica's connections, 0 is the one to the database
/// and 1 the one to the broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub(crate) enum Fault {
    /// A part is killed; the supervisor starts it again.
    Kill { part: String },
    /// A part is shut down in order; the supervisor starts it again.
    Stop { part: String },
    /// PostgreSQL is shut down by its mode `immediate`: it leaves its recovery to the next start.
    StopImmediately,
    /// A part is suspended, with all its processes.
    Freeze { part: String, ms: u64 },
    /// A replica's connections are reset, and new ones too.
    Cut { replica: usize, connection: usize, ms: u64 },
    /// All that a replica's connections carry is late.
    SlowDown { replica: usize, connection: usize, delay_ms: u64, ms: u64 },
    /// A replica's connections stay open and carry nothing.
    Silence { replica: usize, connection: usize, ms: u64 },
    /// A replica is killed, or started if it doesn't run.
    Replica { replica: usize },
    /// What a replica writes to files, its log and models, is refused as by a full disk.
    FullDisk { replica: usize, ms: u64 },
    /// What PostgreSQL writes to files is refused as by a full disk.
    FullDatabaseDisk { ms: u64 },
    /// A part's disk takes few writes a second. The services have their logs and models there.
    SlowDisk { part: String, writes_per_s: u32, ms: u64 },
    /// A replica's clock jumps, and jumps back after a while. What measures durations goes on.
    Clock { replica: usize, ahead_s: i64, ms: u64 },
    /// A queue gets many unreadable messages.
    Fill { service: String },
}

impl Fault {
    fn draw(random: &mut Rng) -> Self {
        let replica = random.usize(..Service::APIS.len());
        let connection = random.usize(..2);
        let service = Service::APIS[replica].name().to_owned();
        let part = |name: &str| name.to_owned();
        match random.u32(..100) {
            0..12 => Self::Kill { part: service },
            12..16 => {
                let slow = [service, part("postgres"), part("rabbitmq")];
                let part = slow[random.usize(..slow.len())].clone();
                Self::SlowDisk { part, writes_per_s: random.u32(5..50), ms: random.u64(500..12_000) }
            }
            16..22 => Self::FullDisk { replica, ms: random.u64(500..12_000) },
            22..24 => Self::FullDatabaseDisk { ms: random.u64(500..4_000) },
            24..32 => Self::Freeze { part: service, ms: random.u64(500..12_000) },
            32..36 => {
                let others = ["postgres", "rabbitmq", "elasticsearch", "shipper"];
                Self::Freeze { part: part(others[random.usize(..others.len())]), ms: random.u64(500..8_000) }
            }
            36..48 => Self::Cut { replica, connection, ms: random.u64(50..6_000) },
            48..55 => {
                let (delay_ms, ms) = (random.u64(5..400), random.u64(500..6_000));
                Self::SlowDown { replica, connection, delay_ms, ms }
            }
            55..61 => Self::Silence { replica, connection, ms: random.u64(500..12_000) },
            61..66 => Self::Clock { replica, ahead_s: random_jump(random), ms: random.u64(500..12_000) },
            66..76 => Self::Replica { replica },
            76..81 => Self::Fill { service: Service::APIS[1 + replica % 2].name().to_owned() },
            81..86 => Self::Kill { part: part("shipper") },
            86..88 => Self::Kill { part: part("elasticsearch") },
            88..91 => Self::Kill { part: part("rabbitmq") },
            91..94 => Self::Stop { part: part("rabbitmq") },
            94..96 => Self::Stop { part: part("postgres") },
            96..98 => Self::StopImmediately,
            _ => Self::Kill { part: part("postgres") },
        }
    }
}

/// Seconds of one to five minutes, forwards or backwards.
fn random_jump(random: &mut Rng) -> i64 {
    let seconds = random.i64(60..300);
    if random.bool() { seconds } else { -seconds }
}

/// The steps of a seed, without an end. One in five has two faults.
pub(crate) fn of_seed(seed: u64, gap_ms: u64) -> impl Iterator<Item = Step> + Send + Sync {
    let mut random = Rng::with_seed(seed);
    std::iter::repeat_with(move || {
        let pause_ms = random.u64(gap_ms / 2..gap_ms * 3 / 2 + 1);
        let faults = 1 + usize::from(random.u8(..5) == 0);
        Step { pause_ms, faults: (0..faults).map(|_| Fault::draw(&mut random)).collect() }
    })
}

/// The steps of a file: one JSON object per line.
pub(crate) fn read(path: &Path) -> Result<Vec<Step>> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let lines = BufReader::new(file).lines();
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect::<Result<_>>().context("reading a plan of faults")
}

/// Adds a step to a file.
pub(crate) fn write(file: &mut File, step: &Step) -> Result<()> {
    writeln!(file, "{}", serde_json::to_string(step)?).context("writing the plan of faults")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_plan_which_is_read_as_it_was_written() {
        let steps: Vec<_> = of_seed(7, 2_000).take(300).collect();
        assert_eq!(steps, of_seed(7, 2_000).take(300).collect::<Vec<_>>());
        assert_ne!(steps, of_seed(8, 2_000).take(300).collect::<Vec<_>>());
        assert!(steps.iter().any(|step| step.faults.len() == 2));

        let path = std::env::temp_dir().join(format!("alexandrite-plan-{}.jsonl", std::process::id()));
        let mut file = File::create(&path).unwrap();
        steps.iter().for_each(|step| write(&mut file, step).unwrap());
        let again = read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(again, steps);
    }
}
