//! Migrations are expand-then-contract: while services are being replaced, old and new ones work on the same tables, so a
//! migration that the old ones can't live with needs a reason to come now.
//!
//! A file that takes something away begins with `-- contract: <why no version uses it any more>`.

use std::{fs, path::Path};

/// What the services before this migration would stumble over.
fn taken_away(migration: &str) -> Vec<String> {
    let without_comments: Vec<_> = migration.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let text = without_comments.join(" ").to_uppercase();
    let statements = text.split(';').map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "));
    statements.filter(|statement| takes_away(statement)).collect()
}

fn takes_away(statement: &str) -> bool {
    let has = |words: &str| statement.contains(words);
    let drops = ["DROP TABLE", "DROP SEQUENCE", "DROP VIEW", "DROP TYPE", "DROP FUNCTION", "TRUNCATE", "DELETE FROM"];
    let narrows = [" RENAME ", " DROP COLUMN ", " SET NOT NULL", " TYPE ", " SET DATA TYPE ", " DROP DEFAULT"];
    let adds_what_old_writers_leave_out = has(" ADD COLUMN ") && has(" NOT NULL") && !has(" DEFAULT ");
    let refuses_what_is_there = has(" ADD CONSTRAINT ") && !has(" NOT VALID");
    let changes = narrows.iter().any(|words| has(words)) || adds_what_old_writers_leave_out || refuses_what_is_there;
    drops.iter().any(|words| statement.starts_with(words)) || (statement.starts_with("ALTER TABLE") && changes)
}

#[test]
fn no_migration_takes_away_what_services_before_it_use() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut seen = 0;
    for folder in ["common", "shop-orders", "mes-api"] {
        for file in fs::read_dir(workspace.join(folder).join("migrations")).unwrap() {
            let path = file.unwrap().path();
            let migration = fs::read_to_string(&path).unwrap();
            seen += 1;
            if !migration.starts_with("-- contract: ") {
                assert_eq!(taken_away(&migration), [""; 0], "{}", path.display());
            }
        }
    }
    assert!(seen >= 4, "{seen} migrations");
}

#[test]
fn taking_away_is_noticed_and_adding_is_not() {
    for statement in [
        "DROP TABLE orders",
        "ALTER TABLE orders DROP COLUMN comment",
        "alter table orders\n    rename column comment to wish",
        "ALTER TABLE orders ALTER COLUMN quantity TYPE bigint",
        "ALTER TABLE orders ALTER COLUMN comment SET NOT NULL",
        "ALTER TABLE orders ADD COLUMN colour text NOT NULL",
        "ALTER TABLE orders ADD CONSTRAINT short CHECK (length(comment) < 5)",
    ] {
        assert_eq!(taken_away(&format!("-- first\nSELECT 1; {statement};")).len(), 1, "{statement}");
    }
    for statement in [
        "CREATE TABLE colours (name text NOT NULL)",
        "ALTER TABLE orders ADD COLUMN colour text",
        "ALTER TABLE orders ADD COLUMN colour text NOT NULL DEFAULT 'gold'",
        "CREATE INDEX orders_of_colour ON orders (colour)",
        "-- DROP TABLE orders",
    ] {
        assert_eq!(taken_away(statement), [""; 0], "{statement}");
    }
}
