//! How large the services are: each program, and each container image.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::build;
use crate::{say, table::Row};

const SERVICES: [&str; 3] = ["shop-api", "crm-api", "mes-api"];

/// Megabytes that something may have.
struct Goal {
    megabytes: f64,
    text: &'static str,
}

pub(super) async fn measure() -> Result<Vec<Row>> {
    let programs = tokio::task::block_in_place(programs)?;
    let mut rows = vec![row("the largest service's program", &programs, &Goal { megabytes: 25.0, text: "≤ 25 MB" })];
    match tokio::task::block_in_place(images)? {
        Some(images) => {
            rows.push(row("the largest service's image", &images, &Goal { megabytes: 60.0, text: "≤ 60 MB" }));
        }
        None => say("  no images were measured: no container engine has them"),
    }
    Ok(rows)
}

fn row(what: &str, sizes: &[f64], goal: &Goal) -> Row {
    let largest = sizes.iter().copied().fold(0.0, f64::max);
    let each: Vec<_> = SERVICES.iter().zip(sizes).map(|(service, size)| format!("{service} {size:.1} MB")).collect();
    Row {
        what: what.to_owned(),
        measured: each.join(", "),
        against: String::new(),
        figure: format!("{largest:.1} MB"),
        goal: goal.text,
        reached: largest <= goal.megabytes,
    }
}

/// The programs' sizes as the images have them: of the release profile, without symbols.
fn programs() -> Result<Vec<f64>> {
    let here = env::current_exe()?;
    let target = here.parent().and_then(Path::parent).context("this program is in a target folder")?;
    build::all("release")?;
    let size = |service: &&str| {
        let stripped = here.with_file_name(format!("bench-{service}"));
        let mut strip = Command::new("strip");
        strip.arg("--strip-all").arg("-o").arg(&stripped).arg(target.join("release").join(service));
        ensure!(strip.status().context("starting strip, of binutils")?.success(), "stripping {service} failed");
        let bytes = fs::metadata(&stripped)?.len();
        fs::remove_file(&stripped)?;
        Ok(bytes as f64 / 1e6)
    };
    SERVICES.iter().map(size).collect()
}

/// The images' sizes, where a container engine runs that has all of them.
fn images() -> Result<Option<Vec<f64>>> {
    let size = |service: &&str| {
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
    SERVICES.iter().map(size).collect()
}
