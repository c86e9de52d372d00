//! The shop's statements for one order as scripts of pgbench.

use std::{fs, path::PathBuf};

use anyhow::Result;
use sqlx::{Connection as _, PgConnection};
use testkit::Client;

use crate::{
    journal::{self, PRUNE},
    testbed::Testbed,
};

/// The scripts.
pub(crate) struct OrderScript {
    /// The session's look-up, and the statement that creates an order, its history and its record's row in the journal.
    pub(crate) create: PathBuf,
    /// The same without the journal.
    pub(crate) create_without_journal: PathBuf,
    /// Prunes written records.
    pub(crate) prune: PathBuf,
}

impl OrderScript {
    /// Writes them as the shop runs them for one order of this customer at a time. They also make what the shop passes as
    /// parameters (an id by time, a record's line); without that they would do less work.
    pub(crate) async fn write(testbed: &Testbed, customer: &Client) -> Result<Self> {
        let folder = testbed.folder("pgbench")?;
        let account = customer.account();
        let mut database = PgConnection::connect(&testbed.databases()?.shop).await?;
        let session = "SELECT encode(token_sha256, 'hex') FROM sessions WHERE account_id = $1";
        let token: String = sqlx::query_scalar(session).bind(account).fetch_one(&mut database).await?;
        let create = |journal: &str| {
            format!(
                "SELECT accounts.id, role, used_at FROM sessions JOIN accounts ON accounts.id = account_id \
                 WHERE token_sha256 = '\\x{token}'::bytea AND disabled_at IS NULL AND expires_at > now();\n\
                 \\set number random(0, 9223372036854775806)\n\
                 WITH created AS (\
                   INSERT INTO orders (id, status, status_since, customer_id, material, quantity, comment, created_at, updated_at) \
                   VALUES ('A-' || nextval('order_number'), 'INITIATED', now(), '{account}', 'gold_585', 1, 'For her birthday, please.', now(), now()) \
                   RETURNING id, created_at\
                 ), number AS MATERIALIZED (\
                   SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '7000' || lpad(to_hex(:number::bigint), 16, '0'))::uuid AS id\
                 ), noted AS (\
                   INSERT INTO order_history (order_id, status, at, actor, service, event_id) \
                   SELECT created.id, 'INITIATED', created_at, 'customer:{account}', 'shop-api', number.id FROM created, number\
                 ){journal} SELECT id, created_at FROM created;\n"
            )
        };
        let write = |name: &str, text: &str| -> Result<PathBuf> {
            let file = folder.join(name);
            fs::write(&file, text).map(|()| file).map_err(Into::into)
        };
        let kept = journal::row("number.id", "created.id", "FROM created, number");
        Ok(Self {
            create: write("create.sql", &create(&format!(", kept AS ({kept})")))?,
            create_without_journal: write("create-without-journal.sql", &create(""))?,
            prune: write("prune.sql", &format!("{PRUNE};\n"))?,
        })
    }
}
