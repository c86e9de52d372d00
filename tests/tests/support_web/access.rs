//! Who gets to the page, for how long, and what is recorded of that.

use std::{collections::BTreeSet, fs};

use catalogue::{Action, field, record::violations};
use local::Login;
use reqwest::Method;
use serde_json::{Map, Value};
use testkit::{eventually, search::Search, support_page::Page};
use tokio::sync::Mutex;

use crate::system::{self, employee, employee_with_own_session, file, stranger, support};

#[tokio::test]
async fn without_a_session_every_path_but_the_login_and_health_leads_to_the_login() {
    let stranger = stranger().await;
    for path in ["/", "/orders/A-200001", "/search?q=1", "/errors", "/stuck", "/alerts", "/nothing", "/login/x"] {
        let page = stranger.get(path).await;
        assert_eq!(page.status, 303, "{path}: {page:?}");
        assert!(page.location.starts_with("/login"), "{path}: {page:?}");
    }
    assert_eq!(stranger.get("/orders/A-200001").await.location, "/login?next=%2Forders%2FA-200001");
    assert_eq!(stranger.post("/logout", &[], &[]).await.location, "/login");
    for path in ["/login", "/login/page.css", "/login/page.js", "/login/icon.svg", "/health/live", "/health/ready"] {
        assert_eq!(stranger.get(path).await.status, 200, "{path}");
    }
    let form = stranger.get("/login?next=%2Ferrors").await.text;
    for part in ["name=\"login\"", "name=\"password\"", "value=\"/errors\""] {
        assert!(form.contains(part), "{part} in {form}");
    }
}

#[tokio::test]
async fn only_the_role_support_and_the_right_password_open_a_session() {
    let known = &file().await.accounts;
    for account in [&known.employee_without_role, &known.administrator] {
        let page = stranger().await.log_in(account.as_ref().expect("there is one")).await;
        assert_eq!((page.status, page.set_cookie.as_str()), (403, ""), "{page:?}");
        assert!(page.text.contains("name=\"password\""), "{}", page.text);
    }
    for login in ["nobody", "a:b", "", "support\u{202e}", "<script>"] {
        let wrong = Login { login: login.to_owned(), password: "wrong".to_owned() };
        let page = stranger().await.log_in(&wrong).await;
        assert_eq!((page.status, page.set_cookie.as_str()), (401, ""), "{page:?}");
        assert!(page.text.contains("name=\"password\""), "{}", page.text);
    }
    let page = stranger().await.log_in(&support().await).await;
    for part in ["session=", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(page.set_cookie.contains(part), "{}", page.set_cookie);
    }
    assert!(!page.set_cookie.contains("Secure"));
    let Login { login, password } = support().await;
    let form = [("login", login.as_str()), ("password", password.as_str()), ("next", "//evil.example/")];
    let page = stranger().await.post("/login", &form, &[("x-forwarded-proto", "https")]).await;
    assert!(page.set_cookie.starts_with("__Host-session="), "{}", page.set_cookie);
    assert!(page.set_cookie.contains("Secure"), "{}", page.set_cookie);
    assert_eq!(page.headers["strict-transport-security"], "max-age=31536000; includeSubDomains");
    assert_eq!(page.location, "/");
}

#[tokio::test]
async fn a_login_that_fails_again_and_again_has_to_wait() {
    let wrong = Login { login: "somebody-who-forgot".to_owned(), password: "wrong".to_owned() };
    let (failures, page) = until_throttled(&wrong).await;
    assert!(failures >= 5, "{failures}");
    assert!(page.headers.contains_key("retry-after"), "{page:?}");
    assert_eq!(employee_with_own_session().await.get("/").await.status, 200, "others don't wait");
}

/// Fails to log in until there is a wait, which a slow machine may have waited already. Returns how often.
async fn until_throttled(wrong: &Login) -> (usize, Page) {
    for failures in 0..20 {
        let page = stranger().await.log_in(wrong).await;
        if page.status == 429 {
            return (failures, page);
        }
        assert_eq!(page.status, 401, "{page:?}");
    }
    panic!("20 logins failed without a wait");
}

#[tokio::test]
async fn a_session_ends_with_the_log_out() {
    let employee = employee_with_own_session().await;
    let copy = employee.clone();
    assert_eq!(employee.get("/stuck").await.status, 200);
    let page = employee.post("/logout", &[], &[]).await;
    assert_eq!((page.status, page.location.as_str()), (303, "/login"));
    assert!(page.set_cookie.contains("Max-Age=0"), "{page:?}");
    assert_eq!(page.headers["clear-site-data"], "\"cache\", \"storage\"");
    assert_eq!(copy.get("/stuck").await.status, 303);
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    let employee = employee_with_own_session().await;
    let page = employee.post("/logout", &[], &[("origin", "https://evil.example")]).await;
    assert_eq!(page.status, 403);
    let page = employee.post("/logout", &[], &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(page.status, 403);
    assert_ne!(employee.get("/stuck").await.status, 303, "the session is still open");
}

#[tokio::test]
async fn a_link_from_another_site_leads_on_to_the_page() {
    let page = stranger().await.get_with("/orders/A-200001", &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("url=/orders/A-200001"), "{}", page.text);
    let page = stranger().await.get_with("//evil.example/", &[("sec-fetch-site", "cross-site")]).await;
    assert!(!page.text.contains("evil"), "{}", page.text);
}

#[tokio::test]
async fn a_page_loads_its_own_files_only_and_is_kept_nowhere() {
    let page = employee().await.get("/orders/A-200001").await;
    let header = |name: &str| page.headers[name].to_str().expect("text");
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("referrer-policy"), "same-origin");
    assert_eq!(header("cross-origin-opener-policy"), "same-origin");
    assert!(page.text.len() <= 100 * 1024, "{} bytes", page.text.len());
    assert!(!page.text.contains(" style=") && !page.text.contains(" onclick="), "the policy forbids these");
}

#[tokio::test]
async fn a_disabled_account_sees_no_further_page() {
    let account = new_employee("leaver").await;
    let mut leaver = stranger().await;
    assert_eq!(leaver.log_in(&account).await.status, 303);
    assert_eq!(leaver.get("/").await.status, 200);
    remove("users", "leaver:").await;
    eventually("the page to close", async || match leaver.get("/").await.status {
        303 => Ok(()),
        status => Err(status),
    })
    .await;
    assert_eq!(leaver.log_in(&account).await.status, 401);
}

#[tokio::test]
async fn an_account_that_loses_its_role_sees_no_further_page() {
    let account = new_employee("mover").await;
    let mut mover = stranger().await;
    assert_eq!(mover.log_in(&account).await.status, 303);
    remove("users_roles", "support:mover").await;
    let page = eventually("the page to close", async || {
        let page = mover.get("/orders/A-200001").await;
        if page.status == 200 { Err("it is open") } else { Ok(page) }
    })
    .await;
    assert_eq!(page.status, 403);
    assert!(page.text.contains("name=\"password\"") && !page.text.contains("MANUFACTURING"), "{}", page.text);
}

/// Adds an account with the role to Elasticsearch's files, with the password of Support.
pub(crate) async fn new_employee(login: &str) -> Login {
    let support = support().await;
    change("users", |users| {
        let hash = users.lines().find_map(|line| line.strip_prefix("support:")).expect("Support's password");
        format!("{users}{login}:{hash}\n")
    })
    .await;
    change("users_roles", |roles| format!("{roles}support:{login}\n")).await;
    let account = Login { login: login.to_owned(), ..support };
    let logs = Search::new(file().await.elasticsearch.as_deref().expect("Elasticsearch runs"), &account);
    eventually("Elasticsearch to see the new account", async || {
        let (_, answer) = logs.call(Method::GET, "_security/_authenticate", None).await;
        if answer["roles"][0] == "support" { Ok(()) } else { Err(answer) }
    })
    .await;
    account
}

/// Takes a line out of one of Elasticsearch's files.
async fn remove(name: &str, beginning: &str) {
    change(name, |text| {
        let lines = text.lines().filter(|line| !line.starts_with(beginning));
        lines.map(|line| format!("{line}\n")).collect()
    })
    .await;
}

/// Changes one of the files of accounts, which Elasticsearch looks at every five seconds; one test at a time.
async fn change(name: &str, new: impl Fn(&str) -> String) {
    static TURN: Mutex<()> = Mutex::const_new(());
    let _turn = TURN.lock().await;
    let path = system::system().await.data().join("elasticsearch/config").join(name);
    let before = fs::read_to_string(&path).expect("Elasticsearch's file");
    fs::write(&path, new(&before)).expect("it can be written");
}

#[tokio::test]
async fn what_happens_at_the_page_is_recorded_like_everything_else() {
    let mut employee = employee_with_own_session().await;
    employee.read("/orders/A-200002").await;
    employee.post("/logout", &[], &[]).await;
    let wrong = Login { login: "a-secret-login".to_owned(), password: "a-secret-password".to_owned() };
    until_throttled(&wrong).await;
    employee.log_in(file().await.accounts.employee_without_role.as_ref().expect("there is one")).await;
    let log = fs::read_to_string(file().await.logs.join("support-web.log")).expect("a log");
    let records: Vec<Map<String, Value>> =
        log.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect();
    for record in &records {
        assert_eq!(violations(record), [""; 0], "{record:?}");
    }
    let seen: BTreeSet<&str> = records.iter().filter_map(|record| record[field::EVENT_ACTION].as_str()).collect();
    for action in Action::ALL.into_iter().filter(|action| action.written_by().contains(&catalogue::Service::SupportWeb))
    {
        assert!(seen.contains(action.name()), "{action} was not recorded");
    }
    let looked_up = records.iter().find(|record| {
        record[field::EVENT_ACTION] == Action::OrderLookedUp.name() && record[field::ORDER_ID] == "A-200002"
    });
    assert!(looked_up.expect("it is recorded").contains_key(field::USER_ID));
    let Login { password, .. } = support().await;
    for secret in ["a-secret", password.as_str(), "session="] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
