//! What a run leaves behind if it breaks a promise: the history and the plan, which are there already, and beside them the
//! counts, the logs, both databases, and the trails of the orders that examples name.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Result, ensure};
use catalogue::field;
use serde_json::Value;
use testkit::search::{Search, matching};
use tokio::process::Command;

use crate::{
    checker::Tally,
    run::{Run, say},
};

/// Collects everything in a folder.
pub(crate) async fn collect(run: &Run, tally: &Tally, folder: &Path) -> Result<()> {
    fs::write(folder.join("counts.txt"), tally.to_string())?;
    let logs = folder.join("logs");
    fs::create_dir_all(&logs)?;
    for file in fs::read_dir(&run.file.logs)?.flatten().filter(|file| file.path().is_file()) {
        fs::copy(file.path(), logs.join(file.file_name()))?;
    }
    let search = Search::as_support(&run.file);
    for order in orders_in(&tally.examples) {
        let records = search.documents(&matching(&[(field::ORDER_ID, &order)])).await;
        let trail: String = records.into_iter().map(|found| format!("{}\n", Value::Object(found.record))).collect();
        fs::write(folder.join(format!("{order}.trail.jsonl")), trail)?;
    }
    let databases = run.file.running_databases()?;
    let pg_dump = local::postgres_client("pg_dump").await?;
    for (name, url) in [("shop", &databases.shop), ("mes", &databases.mes)] {
        let file = folder.join(format!("{name}.sql"));
        let dumped = Command::new(&pg_dump).arg("--dbname").arg(url).arg("--file").arg(file).output().await?;
        ensure!(dumped.status.success(), "dumping {name}: {}", String::from_utf8_lossy(&dumped.stderr));
    }
    say(format!("what the run leaves is in {}", folder.display()));
    Ok(())
}

/// The orders' ids in texts.
fn orders_in(texts: &[String]) -> BTreeSet<String> {
    let is_id = |word: &&str| {
        word.strip_prefix("A-")
            .or(word.strip_prefix("P-"))
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
    };
    let words =
        texts.iter().flat_map(|text| text.split(|character: char| !character.is_alphanumeric() && character != '-'));
    words.filter(is_id).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_found_by_their_ids() {
        let texts = ["A-100000: SHIPPED".to_owned(), r#"(order: "P-7") in A-x or A-"#.to_owned()];
        assert_eq!(orders_in(&texts), BTreeSet::from(["A-100000".to_owned(), "P-7".to_owned()]));
    }
}
