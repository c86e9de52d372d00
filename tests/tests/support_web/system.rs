//! Someone at the page without a browser, and the system with the page.

use local::{Kind, Login, System, SystemFile};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect::Policy};
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

/// Someone with cookies, who follows no redirection.
#[derive(Clone)]
pub(crate) struct Visitor {
    client: Client,
    address: String,
    pub(crate) cookie: Option<String>,
}

/// A response, read.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) set_cookie: String,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Visitor {
    pub(crate) fn at(address: &str) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().expect("a client");
        Self { client, address: address.to_owned(), cookie: None }
    }

    /// Someone new.
    pub(crate) async fn stranger() -> Self {
        Self::at(address().await)
    }

    /// A support employee who is logged in.
    pub(crate) async fn employee() -> Self {
        let mut visitor = Self::stranger().await;
        let page = visitor.log_in(&support().await).await;
        assert_eq!((page.status, page.location.as_str()), (303, "/"), "{page:?}");
        visitor
    }

    async fn send(&self, request: RequestBuilder) -> Page {
        let request = match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        };
        read(request.send().await.expect("a response")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Page {
        let request = self.client.get(format!("{}{path}", self.address));
        self.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let body: Vec<_> = form.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        let request = self.client.post(format!("{}{path}", self.address));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"));
        self.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    /// Logs in, and keeps the cookie.
    pub(crate) async fn log_in(&mut self, account: &Login) -> Page {
        let page = self.post("/login", &[("login", &account.login), ("password", &account.password)], &[]).await;
        if let Some((cookie, _)) = page.set_cookie.split_once(';') {
            self.cookie = Some(cookie.to_owned());
        }
        page
    }

    /// A page that has to be there.
    pub(crate) async fn read(&self, path: &str) -> String {
        let page = self.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {page:?}");
        page.text
    }
}

async fn read(response: Response) -> Page {
    let headers = response.headers().clone();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (location, set_cookie) = (text("location"), text("set-cookie"));
    Page {
        status: response.status().as_u16(),
        location,
        set_cookie,
        headers,
        text: response.text().await.expect("text"),
    }
}

pub(crate) fn percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
