//! Support's page as a client without a browser reads it.

use local::Login;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, RequestBuilder, Response, header::HeaderMap, redirect::Policy};

use crate::plain_http;

/// A client of Support's page that keeps the session's cookie, and follows no redirection.
#[derive(Clone, Debug)]
pub struct PageClient {
    http: Client,
    address: String,
    /// The session's cookie, as it is sent.
    pub cookie: Option<String>,
}

/// A response, read.
#[derive(Debug)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// Where a redirection leads; empty if there is none.
    pub location: String,
    /// The first cookie that is set; empty if there is none.
    pub set_cookie: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl PageClient {
    /// A client without a session, of the page at this base address, such as `http://127.0.0.1:8084`.
    ///
    /// # Panics
    ///
    /// If no client can be made.
    #[must_use]
    pub fn of(address: &str) -> Self {
        let http = plain_http().redirect(Policy::none()).build().expect("a client");
        Self { http, address: address.to_owned(), cookie: None }
    }

    /// What is at this path.
    ///
    /// # Panics
    ///
    /// If there is no response, here and in all others.
    pub async fn get(&self, path: &str) -> Page {
        self.get_with(path, &[]).await
    }

    /// What is at this path for a request with these headers.
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Page {
        self.send(self.http.get(format!("{}{path}", self.address)), headers).await
    }

    /// Sends a form.
    pub async fn post(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let body: Vec<_> = form.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        let request = self.http.post(format!("{}{path}", self.address));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"));
        self.send(request, headers).await
    }

    /// Logs in, and keeps the cookie.
    pub async fn log_in(&mut self, account: &Login) -> Page {
        let page = self.post("/login", &[("login", &account.login), ("password", &account.password)], &[]).await;
        if let Some((cookie, _)) = page.set_cookie.split_once(';') {
            self.cookie = Some(cookie.to_owned());
        }
        page
    }

    /// The text of a page that has to be there.
    ///
    /// # Panics
    ///
    /// If it isn't.
    pub async fn read(&self, path: &str) -> String {
        let page = self.get(path).await;
        assert_eq!(page.status, 200, "{path}: {page:?}");
        page.text
    }

    async fn send(&self, request: RequestBuilder, headers: &[(&str, &str)]) -> Page {
        let cookie = self.cookie.as_deref().map(|cookie| ("cookie", cookie));
        let headers = headers.iter().copied().chain(cookie);
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        read(request.send().await.expect("a response")).await
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

/// A value of a form or a query.
#[must_use]
pub fn percent(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
