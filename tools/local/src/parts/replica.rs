//! Further processes of a service, beside the one that the runner started.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use nix::unistd::Uid;

/// A command for a further process of a service, by the program that a running system has of it. It runs as the user of
/// the others, with whom it shares the folder of models, and is killed should this program be.
///
/// # Errors
///
/// The program isn't there.
pub fn beside(program: &Path) -> io::Result<Command> {
    let owner = fs::metadata(program)?;
    let mut command = Command::new("/usr/bin/setpriv");
    if Uid::effective().is_root() {
        let (user, group) = (owner.uid().to_string(), owner.gid().to_string());
        command.args(["--clear-groups", "--reuid", &user, "--regid", &group]);
    }
    command.args(["--pdeathsig", "KILL"]).arg(program);
    Ok(command)
}
