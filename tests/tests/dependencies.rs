//! What dependencies bring in, held against `.cargo/deny.toml`: the checks of `cargo deny check licenses bans sources` without
//! that program, which takes minutes to build.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

const POLICY: &str = include_str!("../../.cargo/deny.toml");
/// How Cargo names the registry that it asks without being told of another one, wherever that is reached.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The part of cargo-deny's settings that this file checks; another one would have to be checked, too.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    graph: Graph,
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Graph {
    targets: Vec<String>,
    all_features: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Licenses {
    allow: Vec<String>,
    private: Private,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Private {
    ignore: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Bans {
    multiple_versions: Level,
    wildcards: Level,
    allow_wildcard_paths: bool,
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sources {
    unknown_registry: Level,
    unknown_git: Level,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "lowercase")]
enum Level {
    Allow,
    Deny,
}

/// What `cargo metadata` returns, as far as it matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

#[derive(Deserialize, Clone)]
struct Package {
    id: String,
    name: String,
    /// SPDX expression.
    license: Option<String>,
    /// None for a package of the workspace.
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize, Clone)]
struct Dependency {
    name: String,
    req: String,
    path: Option<String>,
}

fn policy() -> Policy {
    let policy: Policy = toml::from_str(POLICY).expect("settings that are checked here");
    // What the functions below take for granted.
    assert!(policy.graph.all_features && policy.licenses.private.ignore && policy.bans.allow_wildcard_paths);
    assert_eq!(policy.bans.multiple_versions, Level::Allow);
    for level in [&policy.bans.wildcards, &policy.sources.unknown_registry, &policy.sources.unknown_git] {
        assert_eq!(*level, Level::Deny);
    }
    policy
}

/// Every package that any of the policy's targets takes with any features.
fn packages(policy: &Policy) -> Vec<Package> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--all-features"]);
    cargo.args(policy.graph.targets.iter().flat_map(|target| ["--filter-platform", target]));
    let output = cargo.output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let Metadata { packages, resolve } = serde_json::from_slice(&output.stdout).expect("its format 1");
    let taken: BTreeSet<String> = resolve.nodes.into_iter().map(|node| node.id).collect();
    packages.into_iter().filter(|package| taken.contains(&package.id)).collect()
}

/// What is wrong with packages, a line each.
fn violations(policy: &Policy, packages: &[Package]) -> Vec<String> {
    let allowed = |name: &String| Licensee::parse(name).expect("an SPDX identifier");
    let allowed: Vec<Licensee> = policy.licenses.allow.iter().map(allowed).collect();
    let banned: BTreeMap<&str, &str> = policy.bans.deny.iter().map(|ban| (&*ban.name, &*ban.reason)).collect();
    let mut found = Vec::new();
    for Package { name, license, source, dependencies, .. } in packages {
        if let Some(reason) = banned.get(&**name) {
            found.push(format!("{name}: {reason}"));
        }
        let wild = dependencies.iter().filter(|dependency| dependency.req == "*" && dependency.path.is_none());
        found.extend(wild.map(|dependency| format!("{name}: any version of {}", dependency.name)));

        let Some(source) = source else { continue };
        if source != REGISTRY {
            found.push(format!("{name}: from {source}"));
        }
        match license.as_ref().map(|text| Expression::parse_mode(text, ParseMode::LAX)) {
            None => found.push(format!("{name}: no licence")),
            Some(Err(error)) => found.push(format!("{name}: {error}")),
            Some(Ok(terms)) if !terms.evaluate(|term| allowed.iter().any(|licence| licence.satisfies(term))) => {
                found.push(format!("{name}: {terms}"));
            }
            Some(Ok(_)) => {}
        }
    }
    found
}

#[test]
fn dependencies_have_allowed_licences_and_come_from_the_one_registry() {
    let policy = policy();
    let packages = packages(&policy);
    assert!(packages.iter().filter(|package| package.source.is_some()).count() > 100);
    assert_eq!(violations(&policy, &packages), Vec::<String>::new());
}

#[test]
fn a_licence_a_source_a_crate_or_a_version_that_is_not_allowed_is_named() {
    let policy = policy();
    let package = Package {
        id: "serde".to_owned(),
        name: "serde".to_owned(),
        license: Some("MIT OR Apache-2.0".to_owned()),
        source: Some(REGISTRY.to_owned()),
        dependencies: Vec::new(),
    };
    let with = |change: &dyn Fn(&mut Package)| {
        let mut changed = package.clone();
        change(&mut changed);
        violations(&policy, &[changed])
    };
    assert!(with(&|_| {}).is_empty());
    assert!(with(&|package| package.license = Some("GPL-3.0-only OR MIT".to_owned())).is_empty());

    assert_eq!(with(&|package| package.license = None), ["serde: no licence"]);
    assert_eq!(
        with(&|package| package.license = Some("MIT AND GPL-3.0-only".to_owned())),
        ["serde: MIT AND GPL-3.0-only"]
    );
    assert_eq!(with(&|package| package.license = Some("ours".to_owned())).len(), 1);
    let source = "git+https://example.org/serde";
    assert_eq!(with(&|package| package.source = Some(source.to_owned())), [format!("serde: from {source}")]);
    assert_eq!(with(&|package| package.name = "openssl-sys".to_owned()), ["openssl-sys: rustls is used throughout"]);
    let wild = Dependency { name: "other".to_owned(), req: "*".to_owned(), path: None };
    assert_eq!(with(&|package| package.dependencies.push(wild.clone())), ["serde: any version of other"]);
}
