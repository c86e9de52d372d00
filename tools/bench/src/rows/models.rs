//! Reading and measuring models as the MES does, against trimesh, a common library for this.
//!
//! Both run in a new process for each file, which reports its time and its peak memory.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use catalogue::Service;
use common::{authorities::Authorities, model_store::ModelStore};
use local::test_programs::{OLDEST_PYTHON, python_packages};
use mesh::{Format, Limits, Measures, solids};

use super::command::run;
use crate::{
    process::memory,
    progress::say,
    table::{Goal, Row, Spread},
};

/// Makes a sphere of 1,301,880 triangles, whose binary STL has 62 MiB.
const SEGMENTS: u32 = 1142;
const BINARY_STL: &str = "binary.stl";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rows/with_trimesh.py");
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/requirements.txt");

/// A file with the sphere.
struct Model {
    what: &'static str,
    path: PathBuf,
    mebibytes: f64,
    /// How many times as fast as trimesh the MES should be.
    goal: f64,
}

/// The figures of a process that measured a model.
struct Sample {
    seconds: f64,
    /// The peak, in MiB, without the memory before reading the file.
    memory: f64,
    volume: f64,
}

/// A sample of the MES's code and one of trimesh.
struct Round {
    ours: Sample,
    theirs: Sample,
}

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    let folder = std::env::current_exe()?.with_file_name("bench-models");
    fs::create_dir_all(&folder)?;
    let python = python_packages(&folder, Path::new(REQUIREMENTS), OLDEST_PYTHON)?.join("python");
    let (mut rows, mut memory) = (Vec::new(), Vec::new());
    for model in models(&folder)? {
        say(format_args!("  {}", model.what));
        let round = |_| {
            let ours = own_sample(&model.path)?;
            let theirs = sample(Command::new(&python).arg(SCRIPT).arg(&model.path))?;
            let same = (ours.volume - theirs.volume).abs() < 1e-5 * ours.volume;
            ensure!(same, "the volume is {} mm³, but by trimesh {} mm³", ours.volume, theirs.volume);
            Ok(Round { ours, theirs })
        };
        let samples = (0..rounds).map(round).collect::<Result<Vec<_>>>()?;
        rows.push(model.time(&samples));
        memory.push(model.memory(&samples));
    }
    let most = memory.into_iter().max_by(|(one, _), (other, _)| one.total_cmp(other));
    rows.extend(most.map(|(_, row)| row));
    rows.push(welding(&folder, rounds)?);
    Ok(rows)
}

/// The row of a file whose corners differ by rounding, beside the same file without that.
fn welding(folder: &Path, rounds: usize) -> Result<Row> {
    let exact = folder.join(BINARY_STL);
    let rounded = write_once(folder, "rounded.stl", || Ok(with_rounding(fs::read(&exact)?)))?;
    say("  binary STL that is closed by welding only");
    let round = |_| Ok((own_sample(&exact)?.seconds, own_sample(&rounded)?.seconds));
    let samples = (0..rounds).map(round).collect::<Result<Vec<_>>>()?;
    let times = Spread::of(&samples, |(exact, rounded)| rounded / exact);
    Ok(Row {
        what: "the same model as binary STL whose corners differ by their last place".into(),
        measured: format!("{:.0} ms", Spread::of(&samples, |(_, rounded)| *rounded).median * 1000.0),
        against: format!("without that: {:.0} ms", Spread::of(&samples, |(exact, _)| *exact).median * 1000.0),
        figure: format!("{times:.1} times as long"),
        goal: Goal::at_most(3.0, "", times.median),
    })
}

/// A binary STL in which the last place of half of the coordinates is another.
fn with_rounding(mut file: Vec<u8>) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(1);
    for triangle in file[84..].chunks_exact_mut(50) {
        for coordinate in triangle[12..48].chunks_exact_mut(4) {
            coordinate[0] ^= u8::from(random.bool());
        }
    }
    file
}

impl Model {
    fn time(&self, rounds: &[Round]) -> Row {
        let (ours, theirs) = (|round: &Round| round.ours.seconds, |round: &Round| round.theirs.seconds);
        let times = Spread::of(rounds, |round| theirs(round) / ours(round));
        Row {
            what: format!("reading and measuring a model, {}", self.what),
            measured: format!("{:.0} ms", Spread::of(rounds, ours).median * 1000.0),
            against: format!("trimesh: {:.1} s", Spread::of(rounds, theirs).median),
            figure: format!("{times:.0} times as fast"),
            goal: Goal::at_least(self.goal, "", times.median),
        }
    }

    /// The memory as a multiple of the file, and its row.
    fn memory(&self, rounds: &[Round]) -> (f64, Row) {
        let times = Spread::of(rounds, |round| round.ours.memory / self.mebibytes);
        let row = Row {
            what: format!("memory for it, most for {}, of {:.0} MiB", self.what, self.mebibytes),
            measured: format!("{:.0} MiB", Spread::of(rounds, |round| round.ours.memory).median),
            against: format!("trimesh: {:.0} MiB", Spread::of(rounds, |round| round.theirs.memory).median),
            figure: format!("{times:.1} times the file"),
            goal: Goal::at_most(4.0, "", times.median),
        };
        (times.median, row)
    }
}

/// Measures a file as the MES does; returns the line that [`sample`] reads.
pub(crate) async fn measure_file(file: &Path) -> Result<String> {
    const TIMEOUT: Duration = Duration::from_secs(10);
    let name = file.file_name().context("not a file")?.to_string_lossy();
    let format = file.extension().and_then(|extension| Format::from_extension(extension.to_str()?));
    let format = format.with_context(|| format!("{} is not a model", file.display()))?;
    let folder = file.parent().context("a file without a folder")?.display();
    let (url, none) = (format!("file://{folder}"), Authorities::default());
    let store = ModelStore::open(&url, Service::MesApi, u64::MAX, 1, TIMEOUT, &none)?;
    let own = i32::try_from(std::process::id())?;
    let (before, began) = (memory(own, "VmRSS")?, Instant::now());
    let bytes = store.read(&name).await?;
    let measured = tokio::task::spawn_blocking(move || mesh::measure(format, &bytes, &Limits::default()));
    let Measures { volume_mm3, .. } = measured.await??;
    let (seconds, peak) = (began.elapsed().as_secs_f64(), memory(own, "VmHWM")?);
    Ok(format!("{seconds} {} {volume_mm3}", peak - before))
}

/// Runs a process that measures a model as the MES does.
fn own_sample(model: &Path) -> Result<Sample> {
    sample(Command::new(std::env::current_exe()?).arg("measure").arg(model))
}

/// Runs a process that measures a model.
fn sample(command: &mut Command) -> Result<Sample> {
    let output = run(command)?;
    let figures = output.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>();
    match figures.as_deref() {
        Ok(&[seconds, memory, volume]) => Ok(Sample { seconds, memory, volume }),
        _ => anyhow::bail!("{command:?} printed {output}"),
    }
}

/// Writes the sphere in each format, unless the file exists.
fn models(folder: &Path) -> Result<Vec<Model>> {
    let sphere = std::cell::LazyCell::new(|| solids::sphere(10.0, SEGMENTS));
    type Writer = fn(&solids::Solid) -> Vec<u8>;
    let formats: [(_, _, Writer, _); 4] = [
        ("binary STL", BINARY_STL, solids::Solid::to_binary_stl, 20.0),
        ("ASCII STL", "ascii.stl", solids::Solid::to_ascii_stl, 10.0),
        ("OBJ", "sphere.obj", solids::Solid::to_obj, 10.0),
        ("3MF", "sphere.3mf", solids::Solid::to_3mf, 10.0),
    ];
    let model = |(what, name, write, goal): (_, &str, Writer, _)| {
        let path = write_once(folder, name, || Ok(write(&sphere)))?;
        let mebibytes = fs::metadata(&path)?.len() as f64 / f64::from(1 << 20);
        Ok(Model { what, path, mebibytes, goal })
    };
    formats.into_iter().map(model).collect()
}

/// Writes a file, unless it exists.
fn write_once(folder: &Path, name: &str, content: impl FnOnce() -> Result<Vec<u8>>) -> Result<PathBuf> {
    let path = folder.join(name);
    if !path.exists() {
        // Only a complete file gets the final name.
        let draft = path.with_extension("draft");
        fs::write(&draft, content()?)?;
        fs::rename(&draft, &path)?;
    }
    Ok(path)
}
