//! The sizes of the services' programs and container images.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};
use catalogue::Service;

use super::command::{build, run};
use crate::{
    progress::say,
    table::{Goal, Row},
};

pub(super) fn measure() -> Result<Vec<Row>> {
    let programs = programs()?;
    let mut rows = vec![row("the largest service's program", &programs, 25.0)];
    match images()? {
        Some(images) => rows.push(row("the largest service's image", &images, 60.0)),
        None => say("  images are not measured: no container engine has them"),
    }
    Ok(rows)
}

fn row(what: &str, sizes: &[f64], goal: f64) -> Row {
    let largest = sizes.iter().copied().fold(0.0, f64::max);
    let each: Vec<_> =
        Service::APIS.iter().zip(sizes).map(|(service, size)| format!("{service} {size:.1} MB")).collect();
    Row {
        what: what.to_owned(),
        measured: each.join(", "),
        against: String::new(),
        figure: format!("{largest:.1} MB"),
        goal: Goal::at_most(goal, " MB", largest),
    }
}

/// The programs' sizes in MB, in the release profile and without symbols, as the images have them.
fn programs() -> Result<Vec<f64>> {
    let here = env::current_exe()?;
    let target = here.parent().and_then(Path::parent).context("this program is not in a target folder")?;
    build("release")?;
    let size = |service: Service| {
        let stripped = here.with_file_name(format!("bench-{service}"));
        let mut strip = Command::new("strip");
        run(strip.arg("--strip-all").arg("-o").arg(&stripped).arg(target.join("release").join(service.name())))?;
        let bytes = fs::metadata(&stripped)?.len();
        fs::remove_file(&stripped)?;
        Ok(bytes as f64 / 1e6)
    };
    Service::APIS.into_iter().map(size).collect()
}

/// The images' sizes in MB, if a container engine has all of them.
fn images() -> Result<Option<Vec<f64>>> {
    let size = |service: Service| {
        let mut docker = Command::new("docker");
        let image = format!("alexandrite/{service}:{}", env!("CARGO_PKG_VERSION"));
        docker.args(["image", "inspect", "--format", "{{.Size}}", &image]);
        let Ok(output) = docker.stderr(Stdio::null()).output() else { return Ok(None) };
        if !output.status.success() {
            return Ok(None);
        }
        let bytes: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
        Ok(Some(bytes / 1e6))
    };
    Service::APIS.into_iter().map(size).collect()
}
