//! What goes on beside the orders' lives: reads from all replicas, walks through lists, and sessions that come and go.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use futures::future::join;
use local::Login;

use crate::{
    history::Call,
    run::Run,
    user::{Failure, User},
};

/// Reads an order again and again, by several users, as long as this is awaited. Returns only a failure.
pub(crate) async fn read(users: &[&User], order: &str) -> Result<(), Failure> {
    let call = Call::Read { order: order.to_owned() };
    loop {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(10..400))).await;
        let user = users[fastrand::usize(..users.len())];
        user.try_once(&call).await.map_err(|error| Failure::Unexpected(format!("{error:#}")))?;
    }
}

/// Walks through the list of all orders, page by page, until the run is over.
pub(crate) async fn walk(run: &Arc<Run>, user: &User, name: &str) -> Result<()> {
    for number in 0.. {
        if !run.goes_on_after(Duration::from_millis(fastrand::u64(200..2_000))).await {
            break;
        }
        let (walk, limit) = (format!("{name} {number}"), fastrand::u32(20..=200));
        let mut after = None;
        loop {
            let Ok(page) = user.send(&Call::List { walk: walk.clone(), limit, after }).await else { break };
            after = page.json["next"].as_str().map(str::to_owned);
            if after.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// Opens sessions, uses them while one of the requests ends them, and uses them once more, until the run is over.
pub(crate) async fn use_sessions(run: &Arc<Run>, user: &User, login: &Login) -> Result<()> {
    for number in 0.. {
        if !run.goes_on_after(Duration::from_millis(fastrand::u64(500..3_000))).await {
            break;
        }
        // No login succeeds while the service is away for long.
        let Ok(session) = User::log_in(user.client.clone(), &user.models, login).await else { continue };
        let (by_use, by_end) =
            (Call::UseSession { session: number.to_string() }, Call::EndSession { session: number.to_string() });
        let uses = async {
            for _ in 0..fastrand::u8(2..8) {
                session.try_once(&by_use).await?;
            }
            anyhow::Ok(())
        };
        let end = async {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(..50))).await;
            // Without a response it is unknown whether it ended, which the history says.
            let _ = session.send(&by_end).await;
        };
        join(uses, end).await.0?;
        for _ in 0..4 {
            session.try_once(&by_use).await?;
        }
    }
    Ok(())
}
