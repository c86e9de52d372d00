//! A service's REST interface as its users see it.

use reqwest::{
    Body, ClientBuilder, Method, RequestBuilder,
    header::{CONTENT_TYPE, HeaderMap},
    multipart::Form,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::wait::eventually;

/// What builds clients for servers without TLS. The certificates that the system trusts, more than a hundred, are not read
/// for them.
pub fn plain_http() -> ClientBuilder {
    reqwest::Client::builder().tls_certs_only([])
}

/// A client of a service.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    account: Option<Uuid>,
}

impl Client {
    /// A client without an account, of the service with this base address, such as `http://127.0.0.1:8081`.
    ///
    /// # Panics
    ///
    /// If no client can be made.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let http = plain_http().build().expect("a client");
        Self { http, base: base.to_owned(), token: None, account: None }
    }

    /// The owner of this token or key, who has this account.
    #[must_use]
    pub fn holding(&self, token: &str, account: Option<Uuid>) -> Self {
        Self { token: Some(token.to_owned()), account, ..self.clone() }
    }

    /// The account with this login.
    ///
    /// # Panics
    ///
    /// If the service doesn't open a session.
    pub async fn log_in(&self, login: &str, password: &str) -> Self {
        let credentials = json!({"login": login, "password": password});
        let session = self.in_turn("/sessions", credentials).await;
        let token = session["token"].as_str().expect("a session has a token");
        self.holding(token, session["account_id"].as_str().and_then(|id| id.parse().ok()))
    }

    /// A new customer of the shop, registered and logged in over REST.
    ///
    /// # Panics
    ///
    /// If the service doesn't take the customer.
    pub async fn register(&self, login: &str, password: &str) -> Self {
        self.in_turn("/customers", json!({"login": login, "password": password})).await;
        self.log_in(login, password).await
    }

    /// Asks again while the service has more passwords to hash than it can, which it says on a busy machine.
    async fn in_turn(&self, path: &str, credentials: Value) -> Value {
        let response = eventually("a turn to have a password hashed", async || {
            let response = self.post_json(path, credentials.clone()).await;
            if response.json["code"] == "busy" { Err(response.json) } else { Ok(response) }
        });
        response.await.expect(201)
    }

    /// The account's number.
    ///
    /// # Panics
    ///
    /// If the client has no account.
    #[must_use]
    pub fn account(&self) -> Uuid {
        self.account.expect("this client has no account")
    }

    /// The service's base URL, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The token or key that goes with every request.
    ///
    /// # Panics
    ///
    /// If the client has no account.
    #[must_use]
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("this client has no token")
    }

    /// A request that can still be changed; [`Response::to`] sends it.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// `GET`
    pub async fn get(&self, path: &str) -> Response {
        Response::to(self.request(Method::GET, path)).await
    }

    /// `GET` of texts in a language, such as `ru`
    pub async fn get_in(&self, language: &str, path: &str) -> Response {
        Response::to(self.request(Method::GET, path).header("Accept-Language", language)).await
    }

    /// `POST` with a JSON body
    pub async fn post_json(&self, path: &str, body: Value) -> Response {
        Response::to(self.request(Method::POST, path).json(&body)).await
    }

    /// `POST` without a body
    pub async fn post(&self, path: &str) -> Response {
        Response::to(self.request(Method::POST, path)).await
    }

    /// `POST` of a `multipart/form-data` body
    pub async fn post_form(&self, path: &str, form: Form) -> Response {
        Response::to(self.request(Method::POST, path).multipart(form)).await
    }

    /// `PUT` without a body
    pub async fn put(&self, path: &str) -> Response {
        Response::to(self.request(Method::PUT, path)).await
    }

    /// `PUT` of bytes as they are
    pub async fn put_bytes(&self, path: &str, bytes: impl Into<Body>) -> Response {
        let request = self.request(Method::PUT, path).header(CONTENT_TYPE, "application/octet-stream");
        Response::to(request.body(bytes)).await
    }

    /// `DELETE`
    pub async fn delete(&self, path: &str) -> Response {
        Response::to(self.request(Method::DELETE, path)).await
    }
}

/// What a service answered.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Vec<u8>,
    /// The body as JSON, or null if it isn't.
    pub json: Value,
}

impl Response {
    /// Sends a request and reads the whole response.
    ///
    /// # Panics
    ///
    /// If no response comes.
    pub async fn to(request: RequestBuilder) -> Self {
        Self::try_to(request).await.expect("a response")
    }

    /// The same, for a service that may be away.
    ///
    /// # Errors
    ///
    /// If no response comes.
    pub async fn try_to(request: RequestBuilder) -> Result<Self, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?.to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Self { status, headers, bytes, json })
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Asserts the status and returns the JSON body.
    ///
    /// # Panics
    ///
    /// If it is another status.
    #[track_caller]
    #[expect(clippy::must_use_candidate, reason = "often only the status counts")]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self.json
    }

    /// Asserts that it is a whole problem document (RFC 9457) with this status and code, and returns it.
    ///
    /// # Panics
    ///
    /// If it is anything else.
    #[track_caller]
    #[expect(clippy::must_use_candidate, reason = "often only status and code count")]
    pub fn expect_problem(self, status: u16, code: &str) -> Value {
        let problem = &self.json;
        assert_eq!((self.status, problem["code"].as_str()), (status, Some(code)), "{problem}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["status"], status);
        for member in ["type", "title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "no {member} in {problem}");
        }
        assert!(self.header("x-request-id").is_some());
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        let trace = problem["trace_id"].as_str().unwrap_or_default();
        let is_trace = trace.len() == 32 && trace.bytes().all(|digit| digit.is_ascii_hexdigit());
        assert!(is_trace && trace.bytes().any(|digit| digit != b'0'), "no trace in {problem}");
        self.json
    }
}
