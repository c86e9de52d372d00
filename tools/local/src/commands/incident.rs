//! `demo --incident`: starts an incident and says where to see it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::host::stop::StopRequests;
use crate::incident::Incident;
use crate::system::system_file::SystemFile;
use crate::terminal::print;

/// Prints all incidents with a summary.
pub(crate) fn list() {
    for incident in Incident::ALL {
        print::out(format_args!("{:18} {}", incident.name(), incident.summary()));
    }
}

/// Starts the incident. One that goes on ends after `lasting`, or at a request to stop.
pub(crate) async fn run(
    data: &Path,
    name: &str,
    count: Option<usize>,
    lasting: Duration,
    requests: &mut StopRequests,
) -> Result<()> {
    let Some(incident) = Incident::of_name(name) else {
        list();
        bail!("there is no incident {name:?}");
    };
    let system = SystemFile::read(data)?;
    print::out(incident.summary());
    let ongoing = tokio::select! {
        begun = incident.begin(&system, count) => begun?,
        name = requests.next() => bail!("stopped by {name}"),
    };
    ongoing.done.iter().for_each(print::out);
    look_for(incident, &ongoing.orders);
    if ongoing.goes_on() {
        print::out(format_args!("This goes on for {} s; Ctrl-C ends it earlier.", lasting.as_secs()));
        tokio::select! {
            () = tokio::time::sleep(lasting) => {}
            _ = requests.next() => {}
        }
    }
    ongoing.end().await?.iter().for_each(print::out);
    Ok(())
}

fn look_for(incident: Incident, orders: &[String]) {
    let signs = incident.signs();
    print::out(format_args!(
        "\nLook for\n  records    event.action {}\n  alert      {}\n  dashboard  {}\n  what to do docs/runbook.md#{}",
        signs.events.join(", "),
        signs.alerts.join(", "),
        signs.dashboard,
        signs.runbook,
    ));
    if let Some(order) = orders.first() {
        print::out(format_args!("  trail      cargo run -- trail {order}"));
    }
    print::out("");
}
