//! The services with their models in S3: real processes, and a server that checks every signature.

pub(crate) mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use local::{Kind, Login, Options, System};
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};
use server::{KEY, KEY_ID, Mood, Server};
use testkit::{Client, Response, eventually, service::PASSWORD, solids};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

/// As large as a model may be.
const LARGEST: usize = 64 * 1024 * 1024;
/// Parts that S3 gets a model in are 5 MiB, and few of them are on their way at once.
const MEMORY_FOR_A_MODEL_KIB: u64 = 40 * 1024;
/// A store that says nothing is waited for 10 s, and then a little to tidy up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The services, their S3, and two who use them.
struct Site {
    system: System,
    store: Server,
    folder: PathBuf,
    customer: Client,
    seller: Client,
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_kept_in_s3_and_its_failures_are_told_soon_and_without_a_secret() {
    let site = Site::start().await;
    site.models_of_any_size_come_back_and_get_a_price().await;
    site.another_upload_replaces_the_model().await;
    site.memory_stays_flat().await;
    site.an_upload_that_breaks_off_leaves_no_part().await;

    site.fails(Server::serving(&site.folder, "another key"), 500, "model_store_error", "SignatureDoesNotMatch").await;
    site.fails(Mood::Broken, 503, "model_store_unavailable", "error sending request").await;
    site.fails(Mood::Silent, 503, "model_store_unavailable", "timed out").await;
    site.store.becomes(Server::serving(&site.folder, KEY));
    site.healthy("ok").await;
    site.a_missing_bucket_is_no_store().await;
    site.upload(&site.new_order().await, solids::cube(5.0).to_binary_stl()).await.expect(200);
    site.a_lost_model_is_missing().await;
    site.system.stop().expect("the system stops");
    fs::remove_dir_all(&site.folder).expect("the folder is there");
}

impl Site {
    async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("alexandrite-s3-{}", uuid::Uuid::now_v7().simple()));
        fs::create_dir_all(folder.join("models")).expect("a folder");
        let store = Server::start(&folder).await;
        let settings = [
            ("MODEL_STORE_URL", "s3://models/prod"),
            ("AWS_ENDPOINT", &store.url()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", KEY),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let options = Options { only: vec![Kind::Services], settings, ..Options::default() };
        let started = tokio::task::spawn_blocking(move || System::start(&options)).await.expect("no panic");
        let system = started.expect("the system starts");
        let file = system.file();
        let client = |address: &Option<String>| Client::new(address.as_deref().expect("the services run"));
        let Some(Login { login, password }) = &file.accounts.seller else { panic!("there is no seller") };
        let customer = client(&file.shop_api).register("ada", PASSWORD).await;
        let seller = client(&file.crm_api).log_in(login, password).await;
        Self { system, store, folder, customer, seller }
    }

    fn bucket(&self) -> PathBuf {
        self.folder.join("models")
    }

    /// The models in the bucket, and the parts of models that may lie anywhere.
    fn files(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        fn below(folder: &Path) -> Vec<PathBuf> {
            let items = fs::read_dir(folder).into_iter().flatten().flatten().map(|item| item.path());
            items.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
        }
        let parts = below(&self.folder).into_iter().filter(|path| path.to_string_lossy().contains(".upload"));
        (below(&self.bucket().join("prod")), parts.collect())
    }

    async fn new_order(&self) -> String {
        let order = self.customer.post_json("/orders", json!({"material": "gold_585", "quantity": 1})).await;
        order.expect(201)["id"].as_str().expect("an order has a number").to_owned()
    }

    async fn upload(&self, order: &str, model: Vec<u8>) -> Response {
        self.customer.put_bytes(&format!("/orders/{order}/model?filename=ring.stl"), model).await
    }

    async fn download(&self, order: &str) -> Response {
        self.seller.get(&format!("/orders/{order}/model")).await
    }

    async fn submit(&self, order: &str) {
        let submitted = json!({"status": "SUBMITTED"});
        self.customer.post_json(&format!("/orders/{order}/status"), submitted).await.expect(200);
    }

    async fn models_of_any_size_come_back_and_get_a_price(&self) {
        // One part, and several.
        for model in [solids::cube(10.0).to_binary_stl(), solids::sphere(5.0, 400).to_binary_stl()] {
            let order = self.new_order().await;
            self.upload(&order, model.clone()).await.expect(200);
            assert!(self.download(&order).await.bytes == model, "another model came back");
            self.submit(&order).await;
            eventually("the price", async || {
                let order = self.customer.get(&format!("/orders/{order}")).await.expect(200);
                if order["price"].is_object() { Ok(()) } else { Err(order) }
            })
            .await;
        }
    }

    async fn another_upload_replaces_the_model(&self) {
        let order = self.new_order().await;
        let (before, _) = self.files();
        self.upload(&order, solids::cube(3.0).to_binary_stl()).await.expect(200);
        let model = solids::cube(4.0).to_binary_stl();
        self.upload(&order, model.clone()).await.expect(200);
        assert!(self.download(&order).await.bytes == model, "another model came back");
        let (after, _) = self.files();
        assert_eq!(after.len(), before.len() + 1, "the old model stays: {after:?}");
    }

    async fn memory_stays_flat(&self) {
        // Its length says that it is an STL file; nothing more is asked of it until a price is.
        let triangles = (LARGEST - 84) / 50;
        let mut model = vec![0; 84 + triangles * 50];
        model[80..84].copy_from_slice(&u32::try_from(triangles).expect("few enough").to_le_bytes());
        let order = self.new_order().await;
        let before = ["shop-api", "crm-api"].map(|service| (service, self.memory(service)));
        for _ in 0..3 {
            self.upload(&order, model.clone()).await.expect(200);
            assert!(self.download(&order).await.bytes == model, "another model came back");
        }
        for (service, before) in before {
            let grown = self.memory(service).saturating_sub(before);
            assert!(grown < MEMORY_FOR_A_MODEL_KIB, "{service} took {grown} KiB more");
        }
    }

    /// The most memory that a service has had, in KiB.
    fn memory(&self, service: &str) -> u64 {
        let pid = self.system.pid(service).expect("the service runs");
        testkit::memory(pid, "VmHWM").expect("the service runs")
    }

    async fn an_upload_that_breaks_off_leaves_no_part(&self) {
        let order = self.new_order().await;
        let (before, _) = self.files();
        let shop = Url::parse(self.customer.base()).expect("a URL");
        let addresses = shop.socket_addrs(|| None).expect("an address");
        let mut connection = TcpStream::connect(&*addresses).await.expect("the shop");
        let head = format!(
            "PUT /orders/{order}/model?filename=ring.stl HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {}\r\n\
             Content-Length: {LARGEST}\r\n\r\n",
            self.customer.token()
        );
        connection.write_all(head.as_bytes()).await.expect("it is sent");
        connection.write_all(&vec![0; LARGEST / 3]).await.expect("it is sent");
        eventually("parts in the store", async || self.files().1.pop().ok_or("there are none")).await;
        drop(connection);
        eventually("the parts to go", async || {
            let (_, parts) = self.files();
            if parts.is_empty() { Ok(()) } else { Err(format!("{parts:?}")) }
        })
        .await;
        assert_eq!(self.files().0, before);
    }

    /// Lets S3 be like that: an upload fails soon, Support reads why and nothing that is secret, and so says readiness.
    async fn fails(&self, mood: Mood, status: u16, error_type: &str, cause: &str) {
        self.store.becomes(mood);
        let order = self.new_order().await;
        let asked = Instant::now();
        let response = self.upload(&order, solids::cube(5.0).to_binary_stl()).await;
        assert!(asked.elapsed() < PATIENCE, "{cause} took {:?}", asked.elapsed());
        assert_eq!(response.status, status, "{}", response.json);
        self.healthy("degraded").await;

        let id = response.header("x-request-id").expect("every response names its request");
        let records = self.records(id);
        let errors: Vec<_> = records.iter().filter(|record| record["level"] == 50).collect();
        let [error] = errors[..] else { panic!("{} errors instead of one: {records:?}", errors.len()) };
        assert_eq!(error["error.type"], error_type, "{error:?}");
        let message = error["error.message"].as_str().expect("a message");
        assert!(message.contains(cause), "{message}");
        for record in &records {
            assert_eq!(catalogue::record::violations(record), [""; 0], "{record:?}");
            let record = Value::from(record.clone()).to_string();
            let secret = [KEY_ID, KEY, "AWS4-HMAC", "StringToSign"].into_iter().find(|secret| record.contains(secret));
            assert_eq!(secret, None, "{record}");
        }
    }

    async fn a_missing_bucket_is_no_store(&self) {
        let (bucket, aside) = (self.bucket(), self.folder.join("aside"));
        fs::rename(&bucket, &aside).expect("the bucket is there");
        self.healthy("degraded").await;
        fs::rename(&aside, &bucket).expect("the bucket was aside");
        self.healthy("ok").await;
    }

    async fn healthy(&self, status: &str) {
        eventually(&format!("the shop to be {status}"), async || {
            let health = self.customer.request(Method::GET, "/health/ready");
            let health = Response::to(health).await.expect(200);
            if health["status"] == status { Ok(()) } else { Err(health) }
        })
        .await;
    }

    /// What the shop has logged about a request.
    fn records(&self, id: &str) -> Vec<Map<String, Value>> {
        let log = fs::read_to_string(self.system.file().logs.join("shop-api.log")).expect("a log");
        let records = log.lines().map(|line| serde_json::from_str::<Map<String, Value>>(line).expect("a record"));
        records.filter(|record| record.get("http.request.id").is_some_and(|found| found == id)).collect()
    }

    async fn a_lost_model_is_missing(&self) {
        let order = self.new_order().await;
        let (before, _) = self.files();
        self.upload(&order, solids::cube(5.0).to_binary_stl()).await.expect(200);
        let (after, _) = self.files();
        let model = after.iter().find(|path| !before.contains(path)).expect("a new model");
        fs::remove_file(model).expect("it is there");
        self.download(&order).await.expect_problem(500, "internal_error");
        let log = fs::read_to_string(self.system.file().logs.join("crm-api.log")).expect("a log");
        assert!(log.contains("\"model_missing\""), "{log}");
    }
}
