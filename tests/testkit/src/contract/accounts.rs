//! What accounts do about themselves: their password, their sessions.

use catalogue::Action;
use common::{auth::accounts, domain::Role, service::Definition};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    Client, Response, eventually,
    records::{actions, assert_fields, records_with, valid_records_of},
    service::{PASSWORD, RunningService, start},
};

const NEW_PASSWORD: &str = "another ring to bind them";

async fn change(client: &Client, old: &str, new: &str) -> Response {
    let body = json!({"old_password": old, "new_password": new});
    Response::to(client.request(Method::PUT, "/accounts/me/password").json(&body)).await
}

/// A new password ends all other sessions, and only the new one is good from then on.
pub async fn a_new_password_ends_all_other_sessions<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (account, login) = service.account(role).await;
    let (here, there) =
        (service.anonymous().log_in(&login, PASSWORD).await, service.anonymous().log_in(&login, PASSWORD).await);
    let response = change(&here, PASSWORD, NEW_PASSWORD).await;
    let records = valid_records_of(&response);
    assert_eq!((response.status, response.bytes.len()), (204, 0));
    assert_eq!(actions(&records), ["account.password_changed", "http.request"]);
    assert_fields(
        &records[0],
        &json!({"event.action": "account.password_changed", "event.outcome": "success", "event.category": "iam",
                "event.type": "change", "user.id": account, "source.ip": "127.0.0.0"}),
    );
    there.get("/orders").await.expect_problem(401, "unauthenticated");
    here.get("/orders").await.expect(200);
    let credentials = |password| json!({"login": login, "password": password});
    service.anonymous().post_json("/sessions", credentials(PASSWORD)).await.expect_problem(401, "wrong_credentials");
    service.anonymous().post_json("/sessions", credentials(NEW_PASSWORD)).await.expect(201);
}

/// A login and a change of the password that have verified the old one don't survive another change that commits first.
pub async fn what_has_verified_the_old_password_fails_after_its_change<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (account, login) = service.account(role).await;
    let client = service.anonymous().log_in(&login, PASSWORD).await;
    let mut other = service.tables().begin().await.expect("a transaction");
    let update = sqlx::query("UPDATE accounts SET password_hash = 'of another password' WHERE id = $1").bind(account);
    update.execute(&mut *other).await.expect("the other change");

    let log_in = service.anonymous().post_json("/sessions", json!({"login": login, "password": PASSWORD}));
    let commit_once_both_wait = async {
        eventually("both to wait for the other change", async || {
            let waiting = "SELECT count(*) FROM pg_stat_activity
                           WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(service.tables()).await.expect("a count");
            if waiting == 2 { Ok(()) } else { Err(waiting) }
        })
        .await;
        other.commit().await.expect("the other change");
    };
    let (log_in, changed, ()) = tokio::join!(log_in, change(&client, PASSWORD, NEW_PASSWORD), commit_once_both_wait);

    log_in.expect_problem(401, "wrong_credentials");
    changed.expect_problem(401, "wrong_credentials");
    let sessions = "SELECT count(*) FROM sessions WHERE account_id = $1";
    let sessions: i64 = sqlx::query_scalar(sessions).bind(account).fetch_one(service.tables()).await.expect("a count");
    assert_eq!(sessions, 1, "the session of before is left");
    let hash = "SELECT password_hash FROM accounts WHERE id = $1";
    let hash: String = sqlx::query_scalar(hash).bind(account).fetch_one(service.tables()).await.expect("a hash");
    assert_eq!(hash, "of another password");
}

/// A password is changed only with the old one, to one that isn't weak; guessing is recorded and has to wait.
pub async fn a_password_is_changed_only_with_the_old_one<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (_, login) = service.account(role).await;
    let client = service.anonymous().log_in(&login, PASSWORD).await;
    change(&client, PASSWORD, "password123").await.expect_problem(422, "weak_password");
    change(service.anonymous(), PASSWORD, NEW_PASSWORD).await.expect_problem(401, "unauthenticated");
    change(&service.carrier().await, PASSWORD, NEW_PASSWORD).await.expect_problem(401, "unauthenticated");
    for number in 1..=5 {
        let response = change(&client, "not the password", NEW_PASSWORD).await;
        let records = valid_records_of(&response);
        response.expect_problem(401, "wrong_credentials");
        let action = if number < 3 { "auth.login_failed" } else { "auth.login_failed_repeatedly" };
        assert_eq!(actions(&records), [action, "http.request"]);
        assert_eq!(records[0]["user.id"], client.account().to_string());
    }
    change(&client, PASSWORD, NEW_PASSWORD).await.expect_problem(429, "too_many_attempts");
    // Who has got hold of a session doesn't keep the owner out.
    service.anonymous().log_in(&login, PASSWORD).await;
}

/// Sessions are listed for their owner, and ended one by one.
pub async fn own_sessions_are_listed_and_ended<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (_, login) = service.account(role).await;
    let (old, new) =
        (service.anonymous().log_in(&login, PASSWORD).await, service.anonymous().log_in(&login, PASSWORD).await);
    let stranger = service.logged_in(role).await;
    let listed = async |client: &Client| {
        let list = client.get("/accounts/me/sessions").await.expect(200);
        list["items"].as_array().expect("a list").clone()
    };
    let sessions = listed(&new).await;
    let current: Vec<_> = sessions.iter().map(|session| session["is_current"].as_bool()).collect();
    assert_eq!(current, [Some(true), Some(false)]);
    let path = |session: &Value| format!("/accounts/me/sessions/{}", session["id"].as_str().expect("an id"));
    stranger.delete(&path(&sessions[1])).await.expect_problem(404, "session_not_found");
    new.delete("/accounts/me/sessions/none").await.expect_problem(404, "session_not_found");
    old.get("/orders").await.expect(200);

    let response = new.delete(&path(&sessions[1])).await;
    assert_eq!(actions(&valid_records_of(&response)), ["auth.logged_out", "http.request"]);
    assert_eq!(response.status, 204);
    old.get("/orders").await.expect_problem(401, "unauthenticated");
    new.delete(&path(&sessions[1])).await.expect_problem(404, "session_not_found");
    assert_eq!(listed(&new).await.len(), 1);
    new.delete(&path(&sessions[0])).await.expect(204);
    new.get("/orders").await.expect_problem(401, "unauthenticated");
}

/// The actions of an account's records, once there are so many; what commands change is recorded by the service.
async fn recorded(account: &str, count: usize) -> Vec<String> {
    eventually("the records of the account", async || {
        let records = records_with("user.id", account);
        records.iter().for_each(crate::records::assert_valid);
        let found: Vec<_> = actions(&records).into_iter().filter(|action| action.starts_with("account.")).collect();
        let found: Vec<_> = found.into_iter().map(str::to_owned).collect();
        if found.len() < count { Err(format!("{found:?}")) } else { Ok(found) }
    })
    .await
}

/// What a command changes is recorded by a running service, once for each change.
pub async fn what_a_command_changes_is_recorded_by_the_service<S: Definition>(role: Role) {
    let service = start::<S>(&[]).await;
    let (account, login) = service.account(role).await;
    let units = service.units();
    for _ in 0..2 {
        accounts::disable(&units, &login).await.expect("it is disabled");
    }
    for _ in 0..2 {
        accounts::enable(&units, &login).await.expect("it is enabled");
    }
    let mut expected = vec!["account.registered", "account.disabled", "account.enabled"];
    let writes = |action: Action| action.written_by().contains(&S::SERVICE);
    if writes(Action::AccountRoleChanged) {
        for _ in 0..2 {
            accounts::set_role(&units, &login, Role::Customer).await.expect("it has another role");
        }
        expected.push("account.role_changed");
    }
    // Both are changed before either is waited for: a service takes over what a command has left after ten seconds.
    let owner = if writes(Action::AccountKeyCreated) {
        let (owner, _) = accounts::create_key(&units, "a partner", Role::Partner, false).await.expect("a key");
        accounts::create_key(&units, "a partner", Role::Partner, true).await.expect("another key");
        assert_eq!(accounts::withdraw_keys(&units, "a partner").await.expect("no key"), 1);
        Some(owner)
    } else {
        None
    };
    assert_eq!(recorded(&account.to_string(), expected.len()).await, expected);
    if let Some(owner) = owner {
        let expected = ["registered", "key_created", "key_withdrawn", "key_created", "key_withdrawn"];
        let expected = expected.map(|change| format!("account.{change}"));
        assert_eq!(recorded(&owner.to_string(), expected.len()).await, expected);
    }
}

/// A session that is over is recorded, once.
pub async fn a_session_that_is_over_is_recorded_once<S: Definition>(role: Role) {
    let service: RunningService = start::<S>(&["--session-idle-minutes", "10"]).await;
    let (idle, old, open) =
        (service.logged_in(role).await, service.logged_in(role).await, service.logged_in(role).await);
    for (change, session) in [
        ("UPDATE sessions SET used_at = now() - interval '11 minutes' WHERE account_id = $1", &idle),
        ("UPDATE sessions SET expires_at = now() WHERE account_id = $1", &old),
    ] {
        sqlx::query(change).bind(session.account()).execute(service.tables()).await.expect("a change");
    }
    // A service tidies up when it starts.
    let _replicas = (
        service.replica::<S>(&["--session-idle-minutes", "10"]).await,
        service.replica::<S>(&["--session-idle-minutes", "10"]).await,
    );
    let expired = |client: &Client| {
        let records = records_with("user.id", &client.account().to_string());
        records.iter().filter(|record| record["event.action"] == "auth.session_expired").count()
    };
    eventually("both to be recorded", async || match (expired(&idle), expired(&old)) {
        (1.., 1..) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!((expired(&idle), expired(&old), expired(&open)), (1, 1, 0));
    open.get("/orders").await.expect(200);
}

/// A key's first use is recorded, and so is each key that is refused.
pub async fn a_keys_first_use_and_its_refusal_are_recorded<S: Definition>(_: Role) {
    let service = start::<S>(&[]).await;
    let partner = service.with_key(Role::Partner).await;
    let of_request = |response: &Response| {
        let records = valid_records_of(response);
        actions(&records).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let uses = futures::future::join_all((0..5).map(|_| partner.get("/orders"))).await;
    let first = uses.iter().filter(|response| of_request(response).contains(&"auth.key_first_used".to_owned()));
    assert_eq!(first.count(), 1);
    let guess = service.anonymous().holding("alxkey_guessed", None).get("/orders").await;
    assert_eq!(of_request(&guess), ["auth.key_refused", "http.request"]);
    assert_eq!(valid_records_of(&guess)[0]["level"], 40);
}
