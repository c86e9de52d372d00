//! The system that all tests of this binary share.

use local::{Kind, System, SystemFile};
use tokio::sync::{Mutex, MutexGuard};

use super::site::Site;

/// The whole system, started by the first test that asks. It stops when the test process ends.
pub(crate) async fn system() -> &'static System {
    let started = tokio::task::spawn_blocking(|| System::shared(&Kind::ALL));
    started.await.expect("the system starts")
}

/// Held by tests that can't bear it if Elasticsearch is away for a while, and by the one that makes it so.
pub(crate) async fn without_interruption() -> MutexGuard<'static, ()> {
    static ELASTICSEARCH: Mutex<()> = Mutex::const_new(());
    ELASTICSEARCH.lock().await
}

/// Where everything of it is.
pub(crate) async fn file() -> &'static SystemFile {
    system().await.file()
}

/// Its services with the people who use them.
pub(crate) async fn site() -> Site {
    Site::of(file().await)
}
