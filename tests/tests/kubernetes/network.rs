//! The network policies allow the connections that the README lists, and no others.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use crate::{
    pods::pods,
    tools::{manifests, of_kind, workspace},
};

/// The policy that denies every pod everything.
pub(crate) const DEFAULT_DENY: &str = "default-deny";

/// Every connection that a policy allows: pod, way, other end, port.
type Edges = BTreeSet<[String; 4]>;

/// The connections that the README lists.
fn documented_edges() -> Edges {
    let readme = fs::read_to_string(workspace().join("deploy/kubernetes/README.md")).expect("the README");
    let (_, table) = readme.split_once("|---|---|---|---|---|\n").expect("the table");
    let mut edges = Edges::new();
    for row in table.lines().take_while(|line| line.starts_with('|')) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
        let [pods, way, end, ports, _] = &cells[..] else { panic!("{row}") };
        for pod in pods.split(", ") {
            let edge = |port: &str| [pod, way, end, port].map(str::to_owned);
            edges.extend(ports.split(", ").map(edge));
        }
    }
    edges
}

/// The connections that the policies allow. Each is of the pod of its own name, which another test holds.
fn allowed_edges(manifests: &[Value]) -> Edges {
    let mut edges = Edges::new();
    for policy in of_kind(manifests, &["NetworkPolicy"]) {
        let name = policy["metadata"]["name"].as_str().expect("a name");
        for (rules, way, ends) in [("ingress", "in", "from"), ("egress", "out", "to")] {
            for rule in policy["spec"][rules].as_array().into_iter().flatten() {
                let others =
                    rule[ends].as_array().map_or_else(|| vec!["any".to_owned()], |ends| ends.iter().map(end).collect());
                let ports = rule["ports"].as_array().unwrap_or_else(|| panic!("{name} allows all ports: {rule}"));
                for (other, port) in others.iter().flat_map(|other| ports.iter().map(move |port| (other, port))) {
                    edges.insert([name.to_owned(), way.to_owned(), other.clone(), port_of(port)]);
                }
            }
        }
    }
    edges
}

fn end(peer: &Value) -> String {
    let peer = peer.as_object().filter(|peer| peer.len() == 1).expect("one way to say who it is");
    let selector = peer["namespaceSelector"]["matchLabels"].as_object().expect("labels of namespaces");
    let labels = selector.iter().map(|(name, value)| format!("{name}={}", value.as_str().expect("text")));
    format!("namespaces with {}", labels.collect::<Vec<_>>().join(" "))
}

fn port_of(port: &Value) -> String {
    assert!(port["endPort"].is_null(), "{port}");
    match port["port"].as_str() {
        Some(name) => name.to_owned(),
        None => format!("{}/{}", port["port"].as_u64().expect("a port"), port["protocol"].as_str().unwrap_or("TCP")),
    }
}

#[test]
fn everything_is_denied_but_the_connections_that_the_readme_lists() {
    let manifests = manifests();
    let policies: Vec<_> = of_kind(&manifests, &["NetworkPolicy"]).collect();
    for policy in &policies {
        assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]), "{policy}");
    }
    let deny = policies.iter().find(|policy| policy["metadata"]["name"] == DEFAULT_DENY).expect("a default");
    assert_eq!(deny["spec"], json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    // The overlay puts all of it into one namespace, or a pod would be out of the default's reach.
    let outside: Vec<_> = manifests.iter().filter(|manifest| manifest["kind"] != "Namespace").collect();
    assert!(outside.iter().all(|manifest| manifest["metadata"]["namespace"] == "alexandrite"));

    let (documented, allowed) = (documented_edges(), allowed_edges(&manifests));
    let missing: Vec<_> = documented.difference(&allowed).collect();
    let surplus: Vec<_> = allowed.difference(&documented).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "only in the README: {missing:?}, only allowed: {surplus:?}");
    let with_edges: BTreeSet<_> = allowed.iter().map(|[pod, ..]| pod.as_str()).collect();
    assert_eq!(with_edges, pods(&manifests).into_iter().map(|(name, _)| name).collect());
}
