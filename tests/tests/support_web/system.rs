//! The system with the page, and who reads it without a browser.

use local::{Kind, Login, System, SystemFile};
use testkit::support_page::PageClient;
use tokio::sync::OnceCell;

use crate::logs;

/// The system of all tests here, with made-up records.
pub(crate) async fn system() -> &'static System {
    static READY: OnceCell<()> = OnceCell::const_new();
    let started = tokio::task::spawn_blocking(|| System::shared(&[Kind::SupportWeb]));
    let system = started.await.expect("the system starts");
    READY.get_or_init(|| logs::make_up(system.file())).await;
    system
}

pub(crate) async fn file() -> &'static SystemFile {
    system().await.file()
}

/// The page's address.
pub(crate) async fn address() -> &'static str {
    file().await.support_web.as_deref().expect("the page runs")
}

/// The account of a support employee.
pub(crate) async fn support() -> Login {
    file().await.accounts.support.clone().expect("there is one")
}

/// Someone without a session.
pub(crate) async fn stranger() -> PageClient {
    PageClient::of(address().await)
}

/// A support employee who is logged in. All have one session: an address may not log in as often as there are tests.
pub(crate) async fn employee() -> PageClient {
    static COOKIE: OnceCell<Option<String>> = OnceCell::const_new();
    let mut employee = stranger().await;
    employee.cookie = COOKIE.get_or_init(async || employee_with_own_session().await.cookie).await.clone();
    employee
}

/// A support employee with a session that may be ended.
pub(crate) async fn employee_with_own_session() -> PageClient {
    let mut employee = stranger().await;
    let page = employee.log_in(&support().await).await;
    assert_eq!((page.status, page.location.as_str()), (303, "/"), "{page:?}");
    employee
}
