//! A real browser: Chromium by its driver, each test with a profile of its own; and axe-core, which looks at a page as
//! people see it who don't see, or use no mouse.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use local::Login;
use serde_json::{Value, json};
use testkit::eventually;

use crate::system::{address, support};

const AXE: &str = "axe-core@4.14.1";
/// So that a picture shows most of a page.
const HEIGHT: u32 = 1600;
/// Chromium's windows are no narrower; a telephone is.
const NARROWEST: u32 = 500;

/// The driver's process. When this is dropped, its browser is closed, and then it is killed: a driver that is just killed
/// leaves its browser behind.
struct Driver {
    child: Child,
    /// Its address, as `127.0.0.1:9515`.
    host: String,
    /// The browser's path in it.
    session: String,
}

impl Driver {
    fn start() -> Self {
        let program = local::test_programs::browser_driver().expect("Chromium and its driver");
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).arg("--port=0");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the driver starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let port = output.lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let host = format!("127.0.0.1:{}", port.expect("the driver says its port"));
        Self { child, host, session: String::new() }
    }

    fn address(&self) -> String {
        format!("http://{}{}", self.host, self.session)
    }

    /// The response comes when the browser has ended; the driver leaves the connection open.
    fn close_browser(&self) -> io::Result<()> {
        let mut driver = TcpStream::connect(&self.host)?;
        driver.set_read_timeout(Some(Duration::from_secs(20)))?;
        write!(driver, "DELETE {} HTTP/1.1\r\nHost: {}\r\n\r\n", self.session, self.host)?;
        let read = driver.read(&mut [0; 64])?;
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Err(error) = self.close_browser() {
            eprintln!("closing a browser: {error}");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser with a window of its own. What it is asked is WebDriver's own form (<https://www.w3.org/TR/webdriver2/>); the
/// clients that there are bring in more than these few calls.
pub(crate) struct Browser {
    http: reqwest::Client,
    driver: Driver,
}

/// What a window is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) width: u32,
    pub(crate) dark: bool,
}

/// The name of an element's id in the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Browser {
    pub(crate) async fn open(window: Window) -> Self {
        // On this thread, which lives as long as the test: the driver ends with the thread that started it.
        let driver = Driver::start();
        let size = format!("--window-size={},{HEIGHT}", window.width);
        // Root, as in containers, has no sandbox.
        let mut arguments = vec!["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", &size];
        if window.dark {
            arguments.push("--blink-settings=preferredColorScheme=0");
        }
        let mut options = json!({ "args": arguments });
        if window.width < NARROWEST {
            let metrics = json!({ "width": window.width, "height": HEIGHT, "pixelRatio": 1.0 });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let mut browser = Self { http: testkit::plain_http().build().expect("a client"), driver };
        let opened = browser.tell("session", wanted).await;
        browser.driver.session = format!("/session/{}", opened["sessionId"].as_str().expect("an id"));
        browser
    }

    /// Sends a command and returns its value; it has to succeed.
    async fn tell(&self, command: &str, body: Value) -> Value {
        self.try_to(command, body).await.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    async fn try_to(&self, command: &str, body: Value) -> Result<Value, String> {
        let request = self.http.post(format!("{}/{command}", self.driver.address())).json(&body);
        read(request).await
    }

    async fn ask(&self, command: &str) -> Value {
        let request = self.http.get(format!("{}/{command}", self.driver.address()));
        read(request).await.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    pub(crate) async fn go(&self, path: &str) {
        self.tell("url", json!({ "url": format!("{}{path}", address().await) })).await;
    }

    pub(crate) async fn back(&self) {
        self.tell("back", json!({})).await;
    }

    /// The element of this selector, once it is there.
    async fn element(&self, selector: &str) -> String {
        let found = eventually(selector, async || {
            self.try_to("element", json!({ "using": "css selector", "value": selector })).await
        });
        found.await[ELEMENT].as_str().expect("an element has an id").to_owned()
    }

    /// Waits until there is an element of this selector.
    pub(crate) async fn wait_for(&self, selector: &str) {
        self.element(selector).await;
    }

    pub(crate) async fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.tell(&format!("element/{element}/value"), json!({ "text": text })).await;
    }

    /// Presses keys, which go to what has the focus.
    pub(crate) async fn press(&self, text: &str) {
        let keys = text.chars().flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })));
        let keys: Vec<Value> = keys.collect();
        self.tell("actions", json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": keys }] })).await;
    }

    pub(crate) async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.tell(&format!("element/{element}/click"), json!({})).await;
    }

    /// Fills the login's form in and sends it.
    pub(crate) async fn log_in(&self, account: &Login) {
        self.write("#login", &account.login).await;
        self.write("#password", &account.password).await;
        self.click("main button").await;
        self.wait_for("footer button").await;
    }

    /// A browser of a support employee who is logged in.
    pub(crate) async fn of_employee(window: Window) -> Self {
        let browser = Self::open(window).await;
        browser.go("/").await;
        browser.log_in(&support().await).await;
        browser
    }

    pub(crate) async fn path(&self) -> String {
        self.run("return location.pathname").await.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn text(&self, selector: &str) -> String {
        let element = self.element(selector).await;
        self.ask(&format!("element/{element}/text")).await.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn run(&self, script: &str) -> Value {
        self.tell("execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// What axe-core has to say against the page, by the rules of WCAG 2.2 AA.
    pub(crate) async fn violations(&self) -> Vec<String> {
        let axe = tokio::task::spawn_blocking(|| fs::read_to_string(&*AXE_FILE).expect("axe-core")).await;
        self.run(&axe.expect("it can be read")).await;
        let script = "const done = arguments[0]; axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', \
                      'wcag21aa', 'wcag22aa', 'best-practice']}).then(found => done(found.violations.map(one => one.id \
                      + ': ' + one.nodes.map(node => node.html + ' ' + node.failureSummary).join(' | '))));";
        let found = self.tell("execute/async", json!({ "script": script, "args": [] })).await;
        let found = found.as_array().expect("a list").iter();
        found.map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Keeps a picture of the page in `target/support-web`, for people to look at.
    pub(crate) async fn keep_picture(&self, name: &str) {
        let picture = self.ask("screenshot").await;
        let picture = STANDARD.decode(picture.as_str().unwrap_or_default()).expect("a picture");
        let folder = workspace().join("target/support-web");
        fs::create_dir_all(&folder).expect("a folder");
        File::create(folder.join(format!("{name}.png"))).and_then(|mut file| file.write_all(&picture)).expect("a file");
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<Value, String> {
    let response = request.send().await.map_err(|error| error.to_string())?;
    let succeeded = response.status().is_success();
    let mut body: Value = response.json().await.map_err(|error| error.to_string())?;
    let value = body["value"].take();
    if succeeded { Ok(value) } else { Err(value.to_string()) }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// axe-core's script, installed when it is first needed.
static AXE_FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = workspace().join("target/tools").join(AXE.replace('@', "-"));
    if !folder.exists() {
        // Made beside its place: a folder that is there is whole.
        let fresh = folder.with_added_extension(std::process::id().to_string());
        fs::create_dir_all(&fresh).expect("a folder");
        let mut npm = Command::new(local::test_programs::npm().expect("there is npm"));
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(&fresh).arg(AXE);
        let output = npm.output().expect("npm starts");
        assert!(output.status.success(), "{npm:?}: {}", String::from_utf8_lossy(&output.stderr));
        // Another process may have been faster.
        let _ = fs::rename(&fresh, &folder).or_else(|_| fs::remove_dir_all(&fresh));
    }
    folder.join("node_modules/axe-core/axe.min.js")
});
