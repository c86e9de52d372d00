//! The subcommands: migrations, the health check of a container, accounts and keys, dead letters.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    cli::{AccountCommand, Command, DeadLetterCommand, KeyCommand},
    definition::Definition,
    settings::Settings,
};
use crate::{
    auth::accounts::{self, AccountError},
    journal::Journal,
    messaging::dead_letters::{self, Selection},
    state::Core,
    telemetry,
};

pub(super) async fn run<S: Definition>(command: &Command, settings: &Settings<S>) -> anyhow::Result<()> {
    let output = match command {
        Command::Healthcheck => return healthcheck(settings.core.server.listen_addr).await,
        Command::DeadLetters(command) => return dead_letters::<S>(command, settings).await,
        Command::Migrate => {
            migrated(settings).await?;
            json!({"migrated": true})
        }
        Command::Account(command) => account::<S>(command, &migrated(settings).await?).await?,
        Command::Key(command) => key::<S>(command, &migrated(settings).await?).await?,
    };
    writeln!(std::io::stdout(), "{output}")?;
    Ok(())
}

/// What the settings name, with the tables up to date.
async fn migrated<S: Definition>(settings: &Settings<S>) -> anyhow::Result<Core> {
    telemetry::without_output(S::SERVICE.name());
    let core = settings.core.open(S::SERVICE, Journal::left_to_services())?;
    core.database.migrate(S::migrations()).await.context("DATABASE_URL: the database can't be used")?;
    Ok(core)
}

async fn account<S: Definition>(command: &AccountCommand, core: &Core) -> anyhow::Result<Value> {
    let units = &core.units;
    Ok(match command {
        AccountCommand::Add { role, login, if_missing } => {
            ensure!(!role.has_keys() && S::ROLES.contains(role), "{} has no accounts for the role {role}", S::SERVICE);
            let password = password_from_standard_input()?;
            match accounts::create(units, &core.auth.hasher, login, password, *role, None).await {
                Err(AccountError::LoginTaken) if *if_missing => json!({"login": login, "made": false}),
                result => json!({"login": login, "made": true, "account_id": result?}),
            }
        }
        AccountCommand::Disable { login } => {
            let at = accounts::disable(units, login).await?;
            json!({"login": login, "disabled_at": at.format(&time::format_description::well_known::Rfc3339)?})
        }
        AccountCommand::Enable { login } => {
            json!({"login": login, "account_id": accounts::enable(units, login).await?})
        }
        AccountCommand::Role { login, role } => {
            ensure!(
                !role.has_keys() && S::ASSIGNED.contains(role),
                "{} doesn't give accounts the role {role}",
                S::SERVICE
            );
            json!({"login": login, "account_id": accounts::set_role(units, login, *role).await?, "role": role})
        }
    })
}

async fn key<S: Definition>(command: &KeyCommand, core: &Core) -> anyhow::Result<Value> {
    let units = &core.units;
    Ok(match command {
        KeyCommand::Add { role, name, rotate } => {
            ensure!(role.has_keys() && S::ROLES.contains(role), "{} has no keys for the role {role}", S::SERVICE);
            let (account_id, key) = accounts::create_key(units, name, *role, *rotate).await?;
            json!({"account_id": account_id, "key": key.expose()})
        }
        KeyCommand::Withdraw { name } => {
            json!({"name": name, "withdrawn": accounts::withdraw_keys(units, name).await?})
        }
    })
}

async fn dead_letters<S: Definition>(command: &DeadLetterCommand, settings: &Settings<S>) -> anyhow::Result<()> {
    let messaging = S::messaging(&settings.own);
    let messaging = messaging.with_context(|| format!("{} has no queue, so it has no dead letters", S::SERVICE))?;
    let authorities = &settings.core.server.ca_file;
    let letters = match command {
        DeadLetterCommand::List => dead_letters::list(S::SERVICE, messaging, authorities).await?,
        DeadLetterCommand::Replay { message, .. } => {
            let selection = message.map_or(Selection::All, Selection::Message);
            dead_letters::replay(S::SERVICE, messaging, authorities, selection).await?
        }
    };
    for letter in &letters {
        writeln!(std::io::stdout(), "{}", serde_json::to_string(letter)?)?;
    }
    Ok(())
}

fn password_from_standard_input() -> anyhow::Result<SecretString> {
    let mut text = String::new();
    std::io::stdin().take(4096).read_to_string(&mut text).context("the password on standard input")?;
    Ok(text.trim_end_matches(['\r', '\n']).into())
}

/// Asks the service at this address whether it is ready. A request by hand: an HTTP client would be in the program for
/// this alone.
///
/// # Errors
///
/// If it isn't ready, or doesn't respond within five seconds.
pub async fn healthcheck(listen: SocketAddr) -> anyhow::Result<()> {
    let host = if listen.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { listen.ip() };
    let request = async {
        let mut stream = TcpStream::connect((host, listen.port())).await?;
        stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await?;
        anyhow::Ok(response)
    };
    let response = tokio::time::timeout(Duration::from_secs(5), request).await.context("no response within 5 s")??;
    if !response.starts_with(b"HTTP/1.1 200") {
        bail!("not ready: {}", String::from_utf8_lossy(&response));
    }
    Ok(())
}
