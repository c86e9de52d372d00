//! `doctor`: what the system needs from this machine, what is missing, and how to get it.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::commands::up::ports::PortFlags;
use crate::host::{folders::Folders, os_user::OsUser, ports, ports::Reserved};
use crate::parts::{elasticsearch, needs, needs::Need, postgres_programs, shipper};
use crate::terminal::{print, table};

/// The space for a system with its logs of some days.
const DISK_MIB: u64 = 2048;

/// Prints the table; fails if something is missing that `cargo run` can't get.
pub(crate) async fn doctor(data: &Path) -> Result<()> {
    let mut table = table::with_header(["need", "state", "what", "how to get it"]);
    let mut missing = Vec::new();
    for need in Need::ALL {
        match need.found() {
            Some(found) => table.add_row([need.name(), "there", &found, ""]),
            None => {
                let advice = needs::remedy(need).await.map(str::to_owned).unwrap_or_else(|error| {
                    missing.push(need.name());
                    error.to_string()
                });
                table.add_row([need.name(), "missing", "", &advice])
            }
        };
    }
    let folders = Folders::new(data, OsUser::find()?);
    for distribution in [postgres_programs::server()?, elasticsearch::distribution()] {
        let content = distribution.content(&folders.shared);
        if content.exists() {
            table.add_row([&distribution.title, "there", &content.display().to_string(), ""]);
        } else {
            table.add_row([&distribution.title, "missing", "", "`cargo run` fetches it with Maven"]);
        }
    }
    for (_, choice) in PortFlags::default().choices() {
        let name = format!("port {}", choice.default);
        match Reserved::take(choice.default)? {
            Some(_) => table.add_row([&name, "free", choice.flag, ""]),
            None => table.add_row([
                &name,
                "taken",
                &ports::holder(choice.default),
                &format!("another one, or {}", choice.flag),
            ]),
        };
    }
    let refused = shipper::errors(&folders).display().to_string();
    match shipper::refused(&folders) {
        0 => table.add_row(["records in Elasticsearch", "all taken", "", ""]),
        _ => table.add_row(["records in Elasticsearch", "some refused", &refused, "docs/logging.md says what to do"]),
    };
    table.add_row(["user of the parts", "", &folders.user.name, ""]);
    let free = folders.free_mib()?;
    let state = if free < DISK_MIB { "low" } else { "there" };
    let advice = if free < DISK_MIB { "another place with --data" } else { "" };
    table.add_row(["disk", state, &format!("{free} MiB free in {}", folders.parts.display()), advice]);
    print::out(&table);
    ensure!(missing.is_empty(), "`cargo run` can't get this: {}", missing.join(", "));
    Ok(())
}
