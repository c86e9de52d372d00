//! The architecture's invariants, as `docs/architecture/README.md` states them, held against the sources.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Sources by their paths below a folder.
type Sources = BTreeMap<String, String>;

const PAGE: &str = include_str!("../../docs/architecture/README.md");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the repository").to_owned()
}

/// The layers that the page lists in a block of code with this label, the lowest first.
fn layers(label: &str) -> Vec<Vec<&'static str>> {
    let (_, block) = PAGE.split_once(&format!("```{label}\n")).expect("the page has the layers");
    let (block, _) = block.split_once("```").expect("the block ends");
    block.lines().map(|line| line.split_whitespace().collect()).collect()
}

const UNIT_TESTS: &str = "\n#[cfg(test)]\nmod tests";

/// The code of a source: comments, texts and the unit tests at its end are left out.
fn code(source: &str) -> String {
    without_texts(source.split(UNIT_TESTS).next().unwrap_or_default())
}

/// A source without comments and texts.
fn without_texts(source: &str) -> String {
    let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut code = String::new();
    for line in lines {
        // A text may name anything; every second part between quotes is one.
        code.extend(line.split('"').step_by(2));
        code.push('\n');
    }
    code
}

/// Sources without comments, texts and unit tests.
fn sources(folder: &Path) -> Sources {
    whole_sources(folder).into_iter().map(|(name, source)| (name, code(&source))).collect()
}

/// Sources as they are.
fn whole_sources(folder: &Path) -> Sources {
    let mut found = Sources::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|end| end == "rs") {
                let name = entry.strip_prefix(folder).expect("it is below").to_string_lossy().into_owned();
                found.insert(name, fs::read_to_string(&entry).expect("a source"));
            }
        }
    }
    found
}

/// A crate's manifest, or that of the workspace.
fn manifest(folder: &Path) -> toml::Table {
    fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest").parse().expect("a manifest is TOML")
}

/// The folders of the workspace's crates.
fn members() -> Vec<PathBuf> {
    let members = manifest(&root())["workspace"]["members"].as_array().expect("members").clone();
    members.iter().map(|member| root().join(member.as_str().expect("a folder"))).collect()
}

/// Paths like `crate::a::b` or `super::a::{b, c}` in a source, with groups taken apart.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let before = code[..start].chars().next_back();
        if before.is_some_and(|character| character.is_alphanumeric() || "_$:".contains(character)) {
            continue;
        }
        expand(&code[start..], "", &mut found);
    }
    found
}

/// Takes the path at the beginning of `text` apart.
fn expand(text: &str, prefix: &str, found: &mut Vec<String>) {
    let end = text.find(|character: char| !(character.is_alphanumeric() || "_:".contains(character)));
    let end = end.unwrap_or(text.len());
    let path = format!("{prefix}{}", &text[..end]);
    if !text[end..].starts_with('{') {
        found.push(path.trim_end_matches("::self").trim_end_matches(':').to_owned());
        return;
    }
    let mut depth = 0;
    let mut start = end + 1;
    for (place, character) in text[end..].char_indices() {
        let place = end + place;
        match character {
            '{' => depth += 1,
            '}' | ',' if depth == 1 => {
                let item = text[start..place].trim();
                if !item.is_empty() {
                    expand(item, &path, found);
                }
                start = place + 1;
                if character == '}' {
                    return;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
}

/// The module that a file is, such as `["http", "router"]`; a `mod.rs` is its folder's.
fn module(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let mut parts: Vec<_> = path.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

/// The file that a path of this file leads to: the longest beginning of the path that is a module.
fn target(file: &str, path: &str, files: &BTreeMap<Vec<String>, &str>) -> Option<String> {
    let mut at = module(file);
    let mut parts = path.split("::").peekable();
    if parts.next_if_eq(&"crate").is_some() {
        at.clear();
    } else {
        while parts.next_if_eq(&"super").is_some() {
            at.pop();
        }
    }
    at.extend(parts.map(str::to_owned));
    (0..=at.len()).rev().find_map(|length| files.get(&at[..length]).map(|file| (*file).to_owned()))
}

/// Which files of a crate import from which.
fn imports(sources: &Sources) -> BTreeMap<String, BTreeSet<String>> {
    let files: BTreeMap<_, _> = sources.keys().map(|file| (module(file), file.as_str())).collect();
    let of = |(file, code): (&String, &String)| {
        let mut targets: BTreeSet<_> =
            paths(code).iter().filter_map(|path| target(file, path, &files)).filter(|target| target != file).collect();
        // What a module re-exports, it imports from its child.
        let lines = code.lines().filter_map(|line| line.trim_start().strip_prefix("pub use "));
        targets.extend(lines.filter_map(|path| {
            let mut child = module(file);
            child.push(path.split("::").next()?.to_owned());
            files.get(&child).map(|child| (*child).to_owned())
        }));
        (file.clone(), targets)
    };
    sources.iter().map(of).collect()
}

/// A circle of files, if there is one.
fn circle(imports: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit<'a>(
        file: &'a str,
        imports: &'a BTreeMap<String, BTreeSet<String>>,
        path: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<String>> {
        if let Some(start) = path.iter().position(|before| *before == file) {
            return Some(path[start..].iter().map(|file| (*file).to_owned()).collect());
        }
        if !done.insert(file) {
            return None;
        }
        path.push(file);
        let found = imports.get(file)?.iter().find_map(|next| visit(next, imports, path, done));
        path.pop();
        found
    }
    let mut done = BTreeSet::new();
    imports.keys().find_map(|file| visit(file, imports, &mut Vec::new(), &mut done))
}

/// Imports of a module from one that isn't below it.
fn upward(sources: &Sources, layers: &[Vec<&str>]) -> Vec<String> {
    let rank = |module: &str| layers.iter().position(|layer| layer.contains(&module));
    let room = |file: &str| file.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
    let mut found = Vec::new();
    for (file, code) in sources.iter().filter(|(file, _)| *file != "lib.rs") {
        let from = room(file);
        let own = rank(&from).unwrap_or_else(|| panic!("{from} is in no layer of docs/architecture"));
        for path in paths(code) {
            let Some(to) = path.strip_prefix("crate::").and_then(|path| path.split("::").next()) else { continue };
            if to != from && rank(to).is_some_and(|rank| rank >= own) {
                found.push(format!("{file} imports {path}"));
            }
        }
    }
    found
}

/// Words that a source must not have, in files that `is_one` picks.
fn forbidden(sources: &Sources, is_one: impl Fn(&str) -> bool, words: &[&str]) -> Vec<String> {
    let in_file = |(file, code): (&String, &String)| {
        let found = words.iter().filter(|word| {
            // Not in the middle of another word, as in `model_store::`.
            code.match_indices(**word).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        });
        found.map(|word| format!("{file} has {word}")).collect::<Vec<_>>()
    };
    sources.iter().filter(|(file, _)| is_one(file)).flat_map(in_file).collect()
}

fn is_route(file: &str) -> bool {
    file.starts_with("routes/")
}

fn is_command(file: &str) -> bool {
    file.ends_with("commands.rs")
}

const IN_ROUTES: &[&str] = &["sqlx", "units", "UnitOfWork", "store::", "database"];
const IN_COMMANDS: &[&str] = &["axum", "sqlx"];

#[test]
fn no_layer_of_common_knows_one_above_it() {
    let common = sources(&root().join("common/src"));
    assert!(common.len() > 50, "{} sources", common.len());
    assert_eq!(upward(&common, &layers("layers-of-common")), [""; 0]);
}

#[test]
fn no_crate_has_a_circle_of_files() {
    for layer in layers("layers-of-crates") {
        for name in layer {
            let found = circle(&imports(&sources(&root().join(name).join("src"))));
            assert_eq!(found, None, "in {name}");
        }
    }
}

#[test]
fn no_crate_depends_on_one_above_it() {
    let layers = layers("layers-of-crates");
    let packages: BTreeMap<String, usize> = layers
        .iter()
        .enumerate()
        .flat_map(|(rank, names)| names.iter().map(move |name| (package(name), rank)))
        .collect();
    for (rank, name) in layers.iter().enumerate().flat_map(|(rank, names)| names.iter().map(move |name| (rank, name))) {
        let manifest = manifest(&root().join(name));
        for dependency in
            manifest.get("dependencies").and_then(toml::Value::as_table).into_iter().flat_map(|of| of.keys())
        {
            assert!(packages.get(dependency).is_none_or(|below| *below < rank), "{name} depends on {dependency}");
        }
    }
    // The package of the tests has no sources.
    let members = members().len() - 1;
    assert_eq!(layers.iter().map(Vec::len).sum::<usize>(), members, "a crate is in no layer of docs/architecture");
}

/// A crate's package, which is called like its folder.
fn package(folder: &str) -> String {
    folder.rsplit('/').next().unwrap_or(folder).to_owned()
}

#[test]
fn routes_have_no_sql_and_no_transaction_and_commands_have_no_http() {
    for service in ["shop-api", "crm-api", "mes-api", "shop-orders"] {
        let sources = sources(&root().join(service).join("src"));
        assert_eq!(forbidden(&sources, is_route, IN_ROUTES), [""; 0], "in {service}");
        assert_eq!(forbidden(&sources, is_command, IN_COMMANDS), [""; 0], "in {service}");
        assert!(sources.keys().any(|file| is_command(file)), "{service} has no commands");
    }
}

#[test]
fn orders_are_changed_by_their_stores_only() {
    for crate_of_orders in ["common", "shop-api", "crm-api", "mes-api", "shop-orders"] {
        let folder = root().join(crate_of_orders).join("src");
        for file in sources(&folder).into_keys().filter(|file| !file.contains("store")) {
            let source = fs::read_to_string(folder.join(&file)).expect("a source");
            let source = source.lines().filter(|line| !line.trim_start().starts_with("//"));
            let source = source.collect::<Vec<_>>().join("\n");
            for statement in ["UPDATE orders", "INSERT INTO orders", "DELETE FROM orders", "INTO order_history"] {
                assert!(!source.contains(statement), "{crate_of_orders}: {file} has {statement}");
            }
        }
    }
}

/// Whether a source has a query that is checked when it is compiled, by `query!` or one of its relatives.
fn has_checked_query(code: &str) -> bool {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices("!(").any(|(end, _)| {
        code[..end].rsplit(|character| !is_name(character)).next().is_some_and(|name| name.starts_with("query"))
    })
}

/// `prepare` compiles the libraries of these crates, without their tests, and nothing else.
const WITH_QUERIES: [&str; 3] = ["common", "mes-api", "shop-orders"];

#[test]
fn queries_that_are_checked_are_where_prepare_sees_them() {
    for member in members() {
        let is_one = WITH_QUERIES.iter().any(|name| member == root().join(name));
        for folder in ["src", "tests", "benches"].into_iter().filter(|folder| member.join(folder).exists()) {
            for (file, source) in whole_sources(&member.join(folder)) {
                let is_library = is_one && folder == "src" && file != "main.rs" && !file.starts_with("bin/");
                let unit_tests = source.split_once(UNIT_TESTS).map_or("", |(_, tests)| tests);
                let unseen: &str = if is_library { unit_tests } else { &source };
                assert!(!has_checked_query(&without_texts(unseen)), "{}/{folder}/{file}", member.display());
            }
        }
    }
}

/// The sources of a crate's targets that `cargo test` doesn't build.
fn untested(folder: &Path) -> Sources {
    let manifest = manifest(folder);
    let is_untested = |target: &&toml::Value| target.get("test").and_then(toml::Value::as_bool) == Some(false);
    let mut found = Sources::new();
    if manifest.get("lib").filter(is_untested).is_some() {
        found.extend(whole_sources(&folder.join("src")));
    }
    let programs = manifest.get("bin").and_then(toml::Value::as_array).into_iter().flatten();
    for program in programs.filter(is_untested) {
        let path = program["path"].as_str().expect("a program has its path");
        found.insert(path.to_owned(), fs::read_to_string(folder.join(path)).expect("a source"));
    }
    found
}

fn has_test(code: &str) -> bool {
    ["#[test]", "::test]", "::test(", "cfg(test)", "proptest!"].iter().any(|word| code.contains(word))
}

#[test]
fn what_is_not_built_for_tests_has_none() {
    let mut count = 0;
    for folder in members() {
        for (file, source) in untested(&folder) {
            let code = without_texts(&source);
            assert!(!has_test(&code), "{}: {file} has tests, and `test = false` in Cargo.toml", folder.display());
            count += 1;
        }
    }
    assert!(count > 20, "{count} sources");
}

#[test]
fn planted_violations_are_found() {
    let planted = |sources: &[(&str, &str)]| -> Sources {
        sources.iter().map(|(file, text)| ((*file).to_owned(), code(text))).collect()
    };
    let layers = [vec!["domain"], vec!["http"]];
    let good = planted(&[
        ("domain/mod.rs", "mod order;\npub use order::Order;"),
        ("domain/order.rs", "// crate::http is above\nconst TEXT: &str = \"crate::http\";"),
        ("http/mod.rs", "use crate::domain::Order;"),
    ]);
    assert_eq!(upward(&good, &layers), [""; 0]);
    assert_eq!(circle(&imports(&good)), None);

    let bad = planted(&[("domain/order.rs", "use crate::{\n    http::{Json, Path},\n};"), ("http/mod.rs", "")]);
    assert_eq!(upward(&bad, &layers).len(), 2);
    let bad =
        planted(&[("domain/mod.rs", "mod order;\npub use order::Order;"), ("domain/order.rs", "use super::Order;")]);
    assert_eq!(circle(&imports(&bad)), Some(vec!["domain/mod.rs".to_owned(), "domain/order.rs".to_owned()]));

    let bad = planted(&[
        ("routes/orders.rs", "let order = store::find(&mut connection, &id).await?;"),
        ("routes/models.rs", "use common::model_store::ModelStore;"),
        ("orders/commands.rs", "use axum::Json;"),
    ]);
    assert_eq!(forbidden(&bad, is_route, IN_ROUTES), ["routes/orders.rs has store::"]);
    assert_eq!(forbidden(&bad, is_command, IN_COMMANDS), ["orders/commands.rs has axum"]);

    for (bad, good) in [("sqlx::query!(TEXT)", "sqlx::query(TEXT)"), ("query_as!(Row, TEXT)", "is_query!(row)")] {
        assert!(has_checked_query(&code(bad)) && !has_checked_query(&code(good)), "{bad}, {good}");
    }
    for bad in ["#[test]", "#[tokio::test]", "#[tokio::test(flavor = \"multi_thread\")]", "#[cfg(test)]\nmod tests {"] {
        assert!(has_test(&without_texts(bad)), "{bad}");
    }
    assert!(!has_test(&without_texts("// #[test] is not here\nconst TEXT: &str = \"#[test]\";")));
}
