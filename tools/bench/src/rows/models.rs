//! Reading and measuring models as the MES does, against trimesh, which many a shop does this with.
//!
//! Either measures a file in a process of its own, which then says how long it took and how much memory it had at most.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use catalogue::Service;
use common::model_store::ModelStore;
use mesh::{Format, Limits, Measures, solids};

use crate::{
    process::{Memory, memory},
    say,
    table::{Row, Spread},
};

/// Makes a sphere of 1,301,880 triangles, whose binary STL has 62 MiB.
const SEGMENTS: u32 = 1142;
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rows/with_trimesh.py");
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/requirements.txt");

/// One of the files with the sphere.
struct Model {
    what: &'static str,
    path: PathBuf,
    mebibytes: f64,
    /// How many times as fast as trimesh we are to be.
    times: f64,
    goal: &'static str,
}

/// What a process said that measured a model.
struct Once {
    seconds: f64,
    /// What the process had at most, in MiB, beyond what it had before.
    memory: f64,
    volume: f64,
}

pub(super) async fn measure(rounds: usize) -> Result<Vec<Row>> {
    let folder = std::env::current_exe()?.with_file_name("bench-models");
    fs::create_dir_all(&folder)?;
    let python = python(&folder)?;
    let models = models(&folder)?;
    let (mut rows, mut memory) = (Vec::new(), Vec::new());
    for model in &models {
        say(format_args!("  {}", model.what));
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let our = once(Command::new(std::env::current_exe()?).arg("measure").arg(&model.path))?;
            let their = once(Command::new(&python).arg(SCRIPT).arg(&model.path))?;
            let same = (our.volume - their.volume).abs() < 1e-5 * our.volume;
            ensure!(same, "trimesh measures {} mm³ where we measure {} mm³", their.volume, our.volume);
            ours.push(our);
            theirs.push(their);
        }
        rows.push(model.time(&ours, &theirs));
        memory.push(model.memory(&ours, &theirs));
    }
    let most = memory.into_iter().max_by(|(one, _), (other, _)| one.total_cmp(other));
    rows.extend(most.map(|(_, row)| row));
    Ok(rows)
}

impl Model {
    fn time(&self, ours: &[Once], theirs: &[Once]) -> Row {
        let seconds = |measured: &[Once]| measured.iter().map(|once| once.seconds).collect::<Vec<_>>();
        let (ours, theirs) = (seconds(ours), seconds(theirs));
        let times = Spread::of_ratios(&theirs, &ours);
        Row {
            what: format!("reading and measuring a model, {}", self.what),
            measured: format!("{:.0} ms", Spread::of(ours).median * 1000.0),
            against: format!("trimesh: {:.1} s", Spread::of(theirs).median),
            figure: format!("{times:.0} times as fast"),
            goal: self.goal,
            reached: times.median >= self.times,
        }
    }

    /// How many times the file its memory is, and the line that says so.
    fn memory(&self, ours: &[Once], theirs: &[Once]) -> (f64, Row) {
        let memory = |measured: &[Once]| Spread::of(measured.iter().map(|once| once.memory)).median;
        let times = Spread::of(ours.iter().map(|once| once.memory / self.mebibytes));
        let row = Row {
            what: format!("memory for it, most for {}, of {:.0} MiB", self.what, self.mebibytes),
            measured: format!("{:.0} MiB", memory(ours)),
            against: format!("trimesh: {:.0} MiB", memory(theirs)),
            figure: format!("{times:.1} times the file"),
            goal: "≤ 4",
            reached: times.median <= 4.0,
        };
        (times.median, row)
    }
}

/// Measures a file as the MES does, and gives the line that [`once`] reads.
pub(crate) async fn measure_once(file: &Path) -> Result<String> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let (name, format) = (file.file_name().context("a file")?.to_string_lossy(), format_of(file)?);
    let folder = file.parent().context("a folder")?.display();
    let store = ModelStore::open(&format!("file://{folder}"), Service::MesApi, PATIENCE)?;
    let own = i32::try_from(std::process::id())?;
    let (before, began) = (memory(own, Memory::Now)?, Instant::now());
    let bytes = store.read(&name, u64::MAX).await?;
    let measured = tokio::task::spawn_blocking(move || mesh::measure(format, &bytes, &Limits::default()));
    let Measures { volume_mm3, .. } = measured.await??;
    let (seconds, most) = (began.elapsed().as_secs_f64(), memory(own, Memory::Most)?);
    Ok(format!("{seconds} {} {volume_mm3}", most - before))
}

fn format_of(file: &Path) -> Result<Format> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("stl") => Ok(Format::Stl),
        Some("obj") => Ok(Format::Obj),
        Some("3mf") => Ok(Format::ThreeMf),
        _ => anyhow::bail!("{} is no model", file.display()),
    }
}

/// Runs a process that measures a model.
fn once(command: &mut Command) -> Result<Once> {
    let said = run(command)?;
    let figures = said.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>();
    match figures.as_deref() {
        Ok(&[seconds, memory, volume]) => Ok(Once { seconds, memory, volume }),
        _ => anyhow::bail!("{command:?} said {said}"),
    }
}

/// The same sphere in every format. Files that are there stay.
fn models(folder: &Path) -> Result<Vec<Model>> {
    let made = std::cell::LazyCell::new(|| solids::sphere(10.0, SEGMENTS));
    type Writer = fn(&solids::Solid) -> Vec<u8>;
    let formats: [(_, _, Writer, _, _); 4] = [
        ("binary STL", "binary.stl", solids::Solid::to_binary_stl, 20.0, "≥ 20"),
        ("ASCII STL", "ascii.stl", solids::Solid::to_ascii_stl, 10.0, "≥ 10"),
        ("OBJ", "sphere.obj", solids::Solid::to_obj, 10.0, "≥ 10"),
        ("3MF", "sphere.3mf", solids::Solid::to_3mf, 10.0, "≥ 10"),
    ];
    let model = |(what, name, write, times, goal): (_, &str, Writer, _, _)| {
        let path = folder.join(name);
        if !path.exists() {
            // Half a file, of a run that was cut off, isn't taken for a whole one.
            let draft = path.with_extension("draft");
            fs::write(&draft, write(&made))?;
            fs::rename(&draft, &path)?;
        }
        let mebibytes = fs::metadata(&path)?.len() as f64 / f64::from(1 << 20);
        Ok(Model { what, path, mebibytes, times, goal })
    };
    formats.into_iter().map(model).collect()
}

/// A Python of our own with trimesh, installed again when the requirements change.
fn python(folder: &Path) -> Result<PathBuf> {
    let wanted = fs::read_to_string(REQUIREMENTS)?;
    let (environment, installed) = (folder.join("python"), folder.join("installed.txt"));
    let python = environment.join("bin/python");
    if fs::read_to_string(&installed).ok().as_ref() != Some(&wanted) {
        say("  installing trimesh");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS];
        run(Command::new(&python).args(pip))?;
        fs::write(installed, wanted)?;
    }
    Ok(python)
}

/// What a command says.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
