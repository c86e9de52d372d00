//! A day: first as usual, then one incident after the other.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, SystemTime},
};

use common::domain::OrderStatus;
use local::{
    Options, System, SystemFile,
    incident::{Incident, Ongoing},
};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use testkit::{
    eventually_within, secrets,
    site::{OrderActions as _, Site, ring},
    solids,
};
use time::OffsetDateTime;

use super::{
    elastalert::{Alert, ElastAlert, Notes},
    mail::{Mail, MailServer},
    ordinary::{Writer, ordinary},
    python,
};

/// Longer than the longest time that a rule looks at, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(360);
/// What the rules for sharp rises have to have seen before they compare.
const COMPARABLE: Duration = Duration::from_secs(120);

/// What comes from outside, and is over at once.
const FLOODS: [Incident; 6] = [
    Incident::LoginAttack,
    Incident::RequestFlood,
    Incident::Scan,
    Incident::LoginFlood,
    Incident::UploadFlood,
    Incident::SlowConnections,
];

/// What ElastAlert complains of: the mail that could not be sent at first.
const NO_MAIL_SERVER: &str =
    "Error while running alert email: Error connecting to SMTP host: [Errno 111] Connection refused";

/// What came of it.
pub(crate) struct Day {
    /// The end of what happens every day.
    pub(crate) incidents_began: SystemTime,
    /// Per rule that has to send a mail, when its cause began.
    pub(crate) causes: BTreeMap<&'static str, SystemTime>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) mails: Vec<Mail>,
    /// Whether the first alert came before there was a mail server.
    pub(crate) unsent_at_first: bool,
    /// Accounts and addresses of everybody who had a part in it.
    pub(crate) people: Vec<String>,
}

impl Day {
    /// The one alert of this rule.
    #[track_caller]
    pub(crate) fn one_alert(&self, rule: &str) -> &Alert {
        let alerts: Vec<_> = self.alerts.iter().filter(|alert| alert.rule == rule).collect();
        let [alert] = alerts[..] else { panic!("not one alert of {rule}: {alerts:#?}") };
        alert
    }

    /// Asserts that this rule has sent one mail, which says all of this.
    #[track_caller]
    pub(crate) fn one_mail(&self, rule: &str, says: &[&str]) {
        assert!(self.one_alert(rule).sent, "the mail of {rule} was not sent");
        let section = rule.trim_end_matches("-api").trim_end_matches("-shop").trim_end_matches("-crm");
        let section = section.trim_end_matches("-mes");
        let mails: Vec<_> = self.mails.iter().filter(|mail| mail.runbook() == section).collect();
        let [Mail { text }] = mails[..] else { panic!("not one mail of {rule}: {mails:#?}") };
        for words in says {
            assert!(text.contains(words), "{words:?} isn't in {text}");
        }
        for part in ["Threshold: ", "What to do: ", "Dashboard: http://kibana.example.org/app/dashboards#/view/"] {
            assert!(text.contains(part), "{part:?} isn't in {text}");
        }
        assert!(!text.contains("${") && !text.contains("{{"), "something was not filled in: {text}");
    }
}

/// What happens every day, then one incident after the other, until every rule has seen all of it.
pub(crate) async fn live() -> Day {
    let started = tokio::task::spawn_blocking(|| {
        python::programs();
        // As many as prices are slow at the same time.
        let settings = vec![("PRICE_WORKERS".to_owned(), "4".to_owned())];
        System::start(&Options { settings, ..Options::default() })
    });
    let system = started.await.expect("no panic").expect("the system starts");
    let file = system.file();
    let mut mail_server = MailServer::at(&system.data().join("mail"));
    let _elastalert = ElastAlert::start(file, mail_server.port, &file.logs.join("elastalert"));
    let (notes, site) = (Notes::of(file), Site::of(file));

    as_usual(&site).await;
    // What rises is compared with the hour before. It is made up.
    Writer::of(file).write(ordinary(OffsetDateTime::now_utc(), 0..4_000)).await;

    let incidents_began = SystemTime::now();
    let mut causes = BTreeMap::new();
    let mut cause = |rule| {
        causes.insert(rule, SystemTime::now());
    };

    cause("dead-letter");
    begin(Incident::PoisonedMessage, file, None).await;
    let unsent_at_first = !notes.wait_for("dead-letter").await.sent;
    mail_server.start();

    // Alerts take a minute or two to come. What can be told apart goes on meanwhile.
    cause(only_alert(Incident::VerboseLog));
    let verbose = begin(Incident::VerboseLog, file, None).await;
    for incident in FLOODS {
        incident.signs().alerts.iter().for_each(|rule| cause(rule));
        begin(incident, file, None).await;
    }
    cause("records-unreadable");
    fs::write(file.logs.join("noise-api.log"), "a library prints on its own\n").expect("a line");
    cause("prices-failing");
    begin(Incident::BadModels, file, None).await;
    cause("service-errors");
    without_store(file, async || upload_in_vain(&site).await).await;

    cause("prices-slow");
    slow_prices(&site, file).await;
    let end_when_known = async |ongoing: Ongoing, incident| {
        notes.wait_for(only_alert(incident)).await;
        ongoing.end().await.expect("it is over");
    };
    cause(only_alert(Incident::BrokerStopped));
    let stopped = begin(Incident::BrokerStopped, file, None).await;
    tokio::join!(end_when_known(verbose, Incident::VerboseLog), end_when_known(stopped, Incident::BrokerStopped));
    cause("order-stuck");
    cause("service-silent-mes-api");
    let stuck = begin(Incident::StuckOrder, file, None).await;
    cause(only_alert(Incident::ShipperStopped));
    let stopped = begin(Incident::ShipperStopped, file, None).await;
    end_when_known(stopped, Incident::ShipperStopped).await;

    // A burst that is too much for a busy machine makes errors of its own: those of the shop are known by then.
    eventually_within(PATIENCE, "rises to be comparable, and the shop's errors to be known", async || {
        let (alerts, looks) = (notes.alerts().await, notes.looks().await);
        let looked = |rule: &str| looks.get(rule).and_then(|(first, last)| last.duration_since(*first).ok());
        let comparable = |rule| looked(rule).is_some_and(|looked| looked >= COMPARABLE);
        let comparable = comparable("order-burst") && comparable("service-errors-rising-crm-api");
        let known = alerts.iter().any(|alert| alert.rule == "service-errors");
        if comparable && known { Ok(()) } else { Err(format!("{looks:?} {alerts:?}")) }
    })
    .await;
    cause("order-burst");
    begin(Incident::OrderBurst, file, Some(200)).await;
    cause("service-errors-rising-crm-api");
    let order = site.customer().await.create_with_model().await;
    without_store(file, async || look_in_vain(&site, &order).await).await;

    let over = SystemTime::now();
    eventually_within(PATIENCE, "every rule to have seen all of it, and the mails", async || {
        let (alerts, looks) = (notes.alerts().await, notes.looks().await);
        let missing = causes.keys().find(|rule| !alerts.iter().any(|alert| alert.rule == **rule && alert.sent));
        let behind = looks.iter().find(|(_, (_, last))| *last < over);
        if missing.is_none() && behind.is_none() { Ok(()) } else { Err(format!("{missing:?} {behind:?}")) }
    })
    .await;
    // As often as it tried before there was one.
    let mut failures = notes.failures().await;
    failures.dedup();
    assert_eq!(failures, [NO_MAIL_SERVER], "what ElastAlert could not do");
    let day = Day {
        incidents_began,
        causes,
        alerts: notes.alerts().await,
        mails: mail_server.mails(),
        unsent_at_first,
        people: notes.people().await,
    };
    stuck.end().await.expect("the order gets its price");
    day
}

/// The rule of an incident that sets off one.
fn only_alert(incident: Incident) -> &'static str {
    let [rule] = incident.signs().alerts else { panic!("{} has not one alert", incident.name()) };
    rule
}

async fn begin(incident: Incident, file: &SystemFile, count: Option<usize>) -> Ongoing {
    incident.begin(file, count).await.unwrap_or_else(|error| panic!("{}: {error:#}", incident.name()))
}

/// Orders from creation to delivery, a partner's order, a model with a hole, and people who mistype their passwords.
async fn as_usual(site: &Site) {
    let seller = site.seller().await;
    let (login, password) = (secrets::new("customer"), secrets::new("password"));
    let ada = site.shop.register(&login, &password).await;
    for _ in 0..3 {
        let order = ada.submit_new().await;
        seller.wait_for(&order, OrderStatus::PriceCalculated).await;
        site.make_and_ship(&order).await;
        seller.wait_for(&order, OrderStatus::Shipped).await;
        site.carrier().post_json("/deliveries", json!({"order_id": order})).await.expect(200);
    }
    let order = site.partner().order_as_partner().await;
    seller.wait_for(&order, OrderStatus::PriceCalculated).await;

    let mut open = solids::cube(4.0);
    open.triangles.pop();
    let order = ada.create().await;
    ada.upload(&order, "open.stl", open.to_binary_stl()).await;
    ada.advance(&order, OrderStatus::Submitted).await;

    for typed in ["capslock", "an old one", "another one's"] {
        let credentials = json!({"login": login, "password": typed});
        site.shop.post_json("/sessions", credentials).await.expect_problem(401, "wrong_credentials");
    }
    site.shop.log_in(&login, &password).await;
    let unknown = json!({"login": "ada@exmaple.org", "password": typed_by_mistake()});
    site.shop.post_json("/sessions", unknown).await.expect_problem(401, "wrong_credentials");
}

fn typed_by_mistake() -> String {
    secrets::new("password")
}

/// Three orders whose prices take a database that needs ten seconds to write one down.
async fn slow_prices(site: &Site, file: &SystemFile) {
    const SLOW: &str = "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS \
                        $$ BEGIN PERFORM pg_sleep(10.5); RETURN NEW; END $$;
                        CREATE TRIGGER dawdle BEFORE UPDATE ON orders FOR EACH ROW \
                        WHEN (NEW.price_status = 'CALCULATED') EXECUTE FUNCTION dawdle()";
    const QUICK: &str = "DROP TRIGGER dawdle ON orders; DROP FUNCTION dawdle()";
    let address = &file.databases.as_ref().expect("PostgreSQL runs").mes;
    let mut tables = PgConnection::connect(address).await.expect("a connection");
    sqlx::raw_sql(SLOW).execute(&mut tables).await.expect("a slow database");
    let customer = site.customer().await;
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(customer.submit_new().await);
    }
    for order in &orders {
        customer.wait_for(order, OrderStatus::PriceCalculated).await;
    }
    sqlx::raw_sql(QUICK).execute(&mut tables).await.expect("a quick database");
}

/// Something that happens while the store of models is gone.
async fn without_store(file: &SystemFile, happens: impl AsyncFnOnce()) {
    let store = file.model_store_folder.as_deref().expect("there is a folder of models");
    let away = store.with_extension("away");
    fs::rename(store, &away).expect("the store can be moved");
    fs::write(store, "").expect("a file in its place");
    happens().await;
    fs::remove_file(store).expect("the file goes");
    fs::rename(away, store).expect("the store comes back");
}

/// More errors than the threshold, and fewer than a sharp rise.
async fn upload_in_vain(site: &Site) {
    let customer = site.customer().await;
    let order = customer.create().await;
    for _ in 0..12 {
        let path = format!("/orders/{order}/model?filename=ring.stl");
        assert!(customer.put_bytes(&path, ring()).await.status >= 500);
    }
}

/// A sharp rise.
async fn look_in_vain(site: &Site, order: &str) {
    let seller = site.seller().await;
    for _ in 0..40 {
        assert!(seller.get(&format!("/orders/{order}/model")).await.status >= 500);
    }
}
