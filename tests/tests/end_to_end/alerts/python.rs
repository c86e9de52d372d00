//! A Python of the tests' own, with what `elk/alerts/requirements.txt` names.

use std::{
    fs,
    path::{Path, PathBuf},
};

use local::test_programs::python_packages;

/// The oldest Python that ElastAlert runs with.
const OLDEST: (u8, u8) = (3, 12);

/// The variable that lets Python keep what it has compiled for its next start, and not beside the sources, of which some are
/// the repository's.
pub(crate) const CACHE: (&str, &str) =
    ("PYTHONPYCACHEPREFIX", concat!(env!("CARGO_TARGET_TMPDIR"), "/alerts/compiled"));

/// The folder of the alerts' configuration.
pub(crate) fn alerts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../elk/alerts").canonicalize().expect("the folder of the alerts")
}

/// How many rules there are.
pub(crate) fn rules() -> usize {
    let files = fs::read_dir(alerts().join("rules")).expect("the rules").flatten();
    files.filter(|file| file.path().extension().is_some_and(|end| end == "yaml")).count()
}

/// The folder of the programs; installed when it is first asked for.
pub(crate) fn programs() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alerts");
    python_packages(&folder, &alerts().join("requirements.txt"), OLDEST).expect("what the alerts need")
}
