//! TLS to every other server: PostgreSQL, RabbitMQ and Elasticsearch with their own, and the tests' S3 and OTLP receiver
//! behind one. With the right certificate everything works; with a wrong one nothing is sent, and the log says why.

mod front;

use std::{
    fs,
    path::{Path, PathBuf},
};

use local::{Kind, Options, System, SystemFile};
use serde_json::Value;
use testkit::{
    certificates::{Authority, Certificate},
    eventually, host_in,
    log::{self, Record},
    service::PASSWORD,
    site::Site,
    solids,
    support_page::PageClient,
};
use time::{Duration, OffsetDateTime};

use crate::{
    s3::server::{KEY, KEY_ID, Server},
    support::{
        process::{Process, fails_to_start},
        site::OrderActions as _,
        spans::Receiver,
    },
};

/// A whole system that speaks TLS, and what its servers have in common with the wrong ones.
struct Secured {
    system: System,
    receiver: Receiver,
    authority: Authority,
    folder: PathBuf,
}

/// What is wrong with a server, and what the log has to say of it.
#[derive(Clone, Copy, Debug)]
enum Defect {
    /// Its certificate is for another name than that in the URL.
    Name,
    /// Its certificate was valid until an hour ago.
    Expired,
    /// An authority that isn't trusted has issued its certificate.
    Unknown,
}

impl Defect {
    const ALL: [Self; 3] = [Self::Name, Self::Expired, Self::Unknown];

    const fn cause(self) -> &'static str {
        match self {
            Self::Name => "certificate not valid for name \"localhost\"",
            Self::Expired => "certificate expired",
            Self::Unknown => "UnknownIssuer",
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_reached_by_tls_with_a_right_certificate_and_refused_with_a_wrong_one() {
    let secured = Secured::start().await;
    secured.an_order_is_priced_and_its_spans_arrive().await;
    secured.every_connection_to_the_databases_is_encrypted().await;
    secured.support_logs_in().await;
    for defect in Defect::ALL {
        tokio::join!(
            secured.postgresql_is_refused(defect),
            secured.rabbitmq_is_refused(defect),
            secured.s3_and_the_receiver_are_refused(defect),
            secured.elasticsearch_is_refused(defect),
        );
    }
    secured.system.stop().expect("the system stops");
    fs::remove_dir_all(&secured.folder).expect("the folder is there");
}

impl Secured {
    async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("alexandrite-tls-{}", uuid::Uuid::now_v7().simple()));
        fs::create_dir_all(folder.join("models")).expect("a folder");
        let authority = Authority::create();
        let certificate = authority.issues(OffsetDateTime::now_utc() + Duration::days(1));
        authority.write(&certificate, &folder);
        let (store, receiver) = (Server::start(&folder).await, Receiver::start().await);
        let store = front::start(&certificate, host_in(&store.url())).await;
        let spans = front::start(&certificate, host_in(&receiver.address)).await;
        let settings = [
            ("MODEL_STORE_URL", "s3://models".to_owned()),
            ("AWS_ENDPOINT", format!("https://{store}")),
            ("AWS_ACCESS_KEY_ID", KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", KEY.to_owned()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("https://{spans}")),
            ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let only = vec![Kind::Services, Kind::SupportWeb];
        let options = Options { only, certificates: Some(folder.clone()), settings, ..Options::default() };
        let started = tokio::task::spawn_blocking(move || System::start(&options)).await.expect("no panic");
        Self { system: started.expect("the system starts"), receiver, authority, folder }
    }

    fn file(&self) -> &SystemFile {
        self.system.file()
    }

    /// A setting of a running service.
    fn setting(&self, service: &str, name: &str) -> &str {
        &self.file().environments[service][name]
    }

    /// The same URL of a server with this defect.
    async fn with(&self, defect: Defect, url: &str) -> String {
        let now = OffsetDateTime::now_utc();
        let certificate: Certificate = match defect {
            // The certificate of the server itself is for its address only.
            Defect::Name => return url.replacen("127.0.0.1", "localhost", 1),
            Defect::Expired => self.authority.issues(now - Duration::hours(1)),
            Defect::Unknown => Authority::create().issues(now + Duration::days(1)),
        };
        let host = host_in(url);
        url.replacen(host, &front::start(&certificate, host).await.to_string(), 1)
    }

    async fn an_order_is_priced_and_its_spans_arrive(&self) {
        let site = Site::of(self.file());
        let ada = site.customer().await;
        let order = ada.submit_new().await;
        site.seller().await.wait_for(&order, common::domain::OrderStatus::PriceCalculated).await;
        for (service, span) in [("shop-api", "POST /orders/{id}/status"), ("mes-api", "price.calculate")] {
            eventually(span, async || self.receiver.find(service, span, |_| true).map(drop)).await;
        }
    }

    async fn every_connection_to_the_databases_is_encrypted(&self) {
        let administrator = self.file().postgres_admin.as_deref().expect("PostgreSQL runs");
        let mut connection =
            <sqlx::PgConnection as sqlx::Connection>::connect(administrator).await.expect("PostgreSQL");
        let encrypted: Vec<bool> = sqlx::query_scalar(
            "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename IN ('shop', 'mes')",
        )
        .fetch_all(&mut connection)
        .await
        .expect("the connections");
        assert!(encrypted.len() > 2 && encrypted.iter().all(|encrypted| *encrypted), "{encrypted:?}");
    }

    async fn support_logs_in(&self) {
        let page = self.file().support_web.as_deref().expect("the page runs");
        assert_eq!(self.log_in_at(page).await, 303);
    }

    /// The status of a login of Support's at a page.
    async fn log_in_at(&self, page: &str) -> u16 {
        let support = self.file().accounts.support.as_ref().expect("there is one");
        PageClient::of(page).log_in(support).await.status
    }

    async fn postgresql_is_refused(&self, defect: Defect) {
        let database = self.with(defect, self.setting("shop-api", "DATABASE_URL")).await;
        let (log, _) = fails_to_start(self.file(), "shop-api", &[("DATABASE_URL", database)]).await;
        has_logged(&log, defect, "service.lifecycle").await;
    }

    async fn rabbitmq_is_refused(&self, defect: Defect) {
        let broker = self.with(defect, self.setting("crm-api", "AMQP_URL")).await;
        let crm = Process::start(self.file(), "crm-api", &[("AMQP_URL", broker)]).await;
        has_logged(crm.log(), defect, "connecting to the broker").await;
    }

    async fn s3_and_the_receiver_are_refused(&self, defect: Defect) {
        let store = self.with(defect, self.setting("shop-api", "AWS_ENDPOINT")).await;
        let spans = self.with(defect, self.setting("shop-api", "OTEL_EXPORTER_OTLP_ENDPOINT")).await;
        let shop = [("AWS_ENDPOINT", store), ("OTEL_EXPORTER_OTLP_ENDPOINT", spans)];
        let shop = Process::start(self.file(), "shop-api", &shop).await;
        let login = format!("ada-{defect:?}").to_lowercase();
        let ada = shop.client().register(&login, PASSWORD).await;
        let order = ada.create().await;
        let model = solids::cube(5.0).to_binary_stl();
        let response = ada.put_bytes(&format!("/orders/{order}/model?filename=ring.stl"), model).await;
        assert_eq!(response.status, 503, "{}", response.json);
        has_logged(shop.log(), defect, "model_store_unavailable").await;
        has_logged(shop.log(), defect, "TonicTracesClient").await;
    }

    async fn elasticsearch_is_refused(&self, defect: Defect) {
        let elasticsearch = self.with(defect, self.setting("support-web", "ELASTICSEARCH_URL")).await;
        let page = Process::start(self.file(), "support-web", &[("ELASTICSEARCH_URL", elasticsearch)]).await;
        assert_eq!(self.log_in_at(page.client().base()).await, 503);
        has_logged(page.log(), defect, "Elasticsearch can't be reached").await;
    }
}

/// Waits for a record that names the cause, and this as well.
async fn has_logged(log: &Path, defect: Defect, what: &str) {
    eventually(&format!("a record of {what} for {}", defect.cause()), async || {
        let records: Vec<String> = log::records(log).iter().map(text).collect();
        let found = records.iter().any(|record| record.contains(what) && record.contains(defect.cause()));
        if found { Ok(()) } else { Err(records.join("\n")) }
    })
    .await;
}

/// The values of a record, as people read them.
fn text(record: &Record) -> String {
    let value = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    record.values().map(value).collect::<Vec<_>>().join(" ")
}
