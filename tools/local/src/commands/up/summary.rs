//! The summary that `up` prints when everything is ready.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use catalogue::Service;

use crate::host::folders::workspace;
use crate::parts::{elasticsearch, kind::Kind};
use crate::system::accounts::Login;
use crate::system::system_file::{FILE, SystemFile};
use crate::terminal::print;

/// Prints addresses, accounts, where the logs are, and what to try. Its first word is `ready`.
pub(super) fn print(file: &SystemFile, data: &Path, kinds: &[Kind], took: Duration) {
    let mut text = format!("\nready after {:.1} s\n\n", took.as_secs_f64());
    addresses(&mut text, file);
    accounts(&mut text, file);
    let paths = [("all of this, for programs", data.join(FILE)), ("logs", file.logs.clone())];
    section(&mut text, "Files", paths.map(|(name, path)| (name, Some(path.display().to_string()))));
    if file.shop_api.is_some() && file.elasticsearch.is_some() {
        text.push_str(&to_try(file, data));
    }
    if kinds.contains(&Kind::Elasticsearch) {
        let _ = writeln!(text, "Note: {}\n", elasticsearch::NO_RETENTION);
    }
    text.push_str("Ctrl-C stops everything. The same command goes on with the same data; --fresh starts over.\n");
    print::out(text);
}

fn addresses(text: &mut String, file: &SystemFile) {
    let docs =
        |address: &Option<String>| address.as_ref().map(|address| format!("{address}   (for people: {address}/docs)"));
    let databases = file.databases.as_ref();
    let lines = [
        (Service::ShopApi.name(), docs(&file.shop_api)),
        (Service::CrmApi.name(), docs(&file.crm_api)),
        (Service::MesApi.name(), docs(&file.mes_api)),
        ("Support's page", file.support_web.clone()),
        ("Elasticsearch", file.elasticsearch.clone()),
        ("RabbitMQ", file.amqp.clone()),
        ("PostgreSQL, shop", databases.map(|databases| databases.shop.clone())),
        ("PostgreSQL, mes", databases.map(|databases| databases.mes.clone())),
    ];
    section(text, "Addresses", lines);
}

fn accounts(text: &mut String, file: &SystemFile) {
    let login =
        |login: &Option<Login>| login.as_ref().map(|Login { login, password }| format!("{login:16} {password}"));
    let accounts = &file.accounts;
    let lines = [
        ("seller (CRM)", login(&accounts.seller)),
        ("operator (MES)", login(&accounts.operator)),
        ("second operator (MES)", login(&accounts.second_operator)),
        ("support (page, logs)", login(&accounts.support)),
        ("auditor (Elasticsearch)", login(&accounts.auditor)),
        ("employee without a role", login(&accounts.employee_without_role)),
        ("administrator", login(&accounts.administrator)),
        ("partner's key (MES)", file.partner_key.clone()),
        ("carrier's key (CRM)", file.carrier_key.clone()),
    ];
    if lines.iter().any(|(_, login)| login.is_some()) {
        section(text, "Accounts", lines);
    }
}

/// The lines that have a value.
fn section<const COUNT: usize>(text: &mut String, title: &str, lines: [(&str, Option<String>); COUNT]) {
    let _ = writeln!(text, "{title}");
    for (name, value) in lines.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        let _ = writeln!(text, "  {name:26} {value}");
    }
    text.push('\n');
}

fn to_try(file: &SystemFile, data: &Path) -> String {
    let default = data == workspace().join("target/local");
    let data = if default { String::new() } else { format!(" --data {}", data.display()) };
    let (shop, elasticsearch) = (file.shop_api.as_deref(), file.elasticsearch.as_deref());
    let support = file.accounts.support.as_ref().map(|login| format!("{}:{}", login.login, login.password));
    format!(
        "Try, in another terminal\n\
         \x20 cargo run -- demo{data}                  an order through all its statuses, and its trail\n\
         \x20 cargo run -- trail A-100000{data}        the trail of any order\n\
         \x20 cargo run -- metrics{data}               how much and how fast, of all services\n\
         \x20 curl {}/health/ready\n\
         \x20 curl -u {} '{}/alexandrite-*/_search?q=level:50&sort=time:desc'\n\n",
        shop.unwrap_or_default(),
        support.unwrap_or_default(),
        elasticsearch.unwrap_or_default(),
    )
}
