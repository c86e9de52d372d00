//! The manifests of `deploy/kubernetes`: rendered by kustomize, held against Kubernetes' own schemas, and looked at for
//! what no schema knows.

mod network;
mod pods;
mod tools;

use std::{collections::BTreeSet, fs};

use common::service::Settings;
use serde_json::Value;
use shop_api::ShopApi;

use crate::{
    network::DEFAULT_DENY,
    tools::{keeps_to_the_schemas, manifests, of_kind, rendered, workspace},
};

/// The oldest Kubernetes that has all that the manifests ask for, and the newest that there is.
const VERSIONS: [&str; 2] = ["1.30.0", "1.37.0"];

#[test]
fn the_manifests_keep_to_the_schemas_of_kubernetes() {
    let rendered = rendered();
    for version in VERSIONS {
        assert!(keeps_to_the_schemas(&rendered, version), "not for Kubernetes {version}");
    }
    let misspelt = rendered.replace("terminationGracePeriodSeconds", "terminationGraceSeconds");
    assert!(!keeps_to_the_schemas(&misspelt, VERSIONS[0]), "a field that there isn't goes unnoticed");
}

#[test]
fn every_selector_selects_the_pods_of_its_own_name_and_no_others() {
    let manifests = manifests();
    let pods: Vec<_> = of_kind(&manifests, &["Deployment", "Job"]).collect();
    let selected = |selector: &Value| -> Vec<&str> {
        let selector = selector.as_object().filter(|labels| !labels.is_empty()).expect("a selector");
        let labels = |pod: &&&Value| {
            let labels = &pod["spec"]["template"]["metadata"]["labels"];
            selector.iter().all(|(name, value)| labels[name] == *value)
        };
        pods.iter().filter(labels).filter_map(|pod| pod["metadata"]["name"].as_str()).collect()
    };
    let mut seen = 0;
    for manifest in &manifests {
        let spec = &manifest["spec"];
        let spread = spec["template"]["spec"]["topologySpreadConstraints"].as_array().into_iter().flatten();
        let mut selectors: Vec<_> = spread.map(|constraint| &constraint["labelSelector"]["matchLabels"]).collect();
        match manifest["kind"].as_str() {
            Some("Service") => selectors.push(&spec["selector"]),
            // The one that denies everything is for every pod.
            Some("NetworkPolicy") if manifest["metadata"]["name"] == DEFAULT_DENY => {}
            Some("NetworkPolicy") => selectors.push(&spec["podSelector"]["matchLabels"]),
            Some("Deployment" | "PodDisruptionBudget") => selectors.push(&spec["selector"]["matchLabels"]),
            _ => {}
        }
        for selector in selectors {
            assert_eq!(selected(selector), [&manifest["metadata"]["name"]], "{manifest}");
            seen += 1;
        }
    }
    // Support's page has one replica, which no budget protects.
    assert_eq!(seen, 3 * 6 + 2 + 5, "a selector is missing");
}

#[test]
fn every_setting_is_one_of_the_documented_ones() {
    let documented = fs::read_to_string(workspace().join("docs/settings.md")).expect("the settings");
    let manifests = manifests();
    let mut set: BTreeSet<&str> = BTreeSet::new();
    for manifest in of_kind(&manifests, &["ConfigMap", "Secret"]) {
        set.extend(manifest["data"].as_object().expect("data").keys().map(String::as_str));
    }
    assert!(set.contains("DATABASE_URL") && set.contains("LISTEN_ADDR"), "{set:?}");
    let unknown: Vec<_> = set.iter().filter(|name| !documented.contains(&format!("`{name}`"))).collect();
    assert!(unknown.is_empty(), "not in docs/settings.md: {unknown:?}");
}

/// Otherwise all clients would count as one address, and limits for an address would hold for all of them together.
#[test]
fn no_service_starts_until_it_knows_its_proxies() {
    let manifests = manifests();
    let settings = of_kind(&manifests, &["ConfigMap"]).next().expect("the settings");
    let proxies = settings["data"]["TRUSTED_PROXIES"].as_str().expect("a placeholder");
    let error = Settings::<ShopApi>::from_flags(["--trusted-proxies", proxies]).err().expect("it is wrong");
    assert!(error.to_string().contains("TRUSTED_PROXIES"), "{error}");
}

#[test]
fn every_host_of_the_ingress_is_reached_by_tls_and_leads_to_one_of_the_services() {
    let manifests = manifests();
    let services: Vec<_> = of_kind(&manifests, &["Service"]).map(|service| &service["metadata"]["name"]).collect();
    let ingress = &of_kind(&manifests, &["Ingress"]).next().expect("an ingress")["spec"];
    let rules = ingress["rules"].as_array().expect("rules");
    let with_tls = &ingress["tls"][0];
    assert!(with_tls["secretName"].is_string(), "{with_tls}");
    let hosts: Vec<_> = rules.iter().map(|rule| rule["host"].clone()).collect();
    assert_eq!(with_tls["hosts"], Value::from(hosts));
    let backends = rules.iter().map(|rule| &rule["http"]["paths"][0]["backend"]["service"]["name"]);
    assert_eq!(backends.map(Value::to_string).collect::<BTreeSet<_>>().len(), services.len());
    assert!(rules.iter().all(|rule| services.contains(&&rule["http"]["paths"][0]["backend"]["service"]["name"])));
}

#[test]
fn the_ingress_lets_the_largest_model_through() {
    const LARGEST: u64 = 64 * 1024 * 1024;
    let documented = fs::read_to_string(workspace().join("docs/settings.md")).expect("the settings");
    assert!(documented.contains(&format!("| `UPLOAD_LIMIT_BYTES` | {LARGEST} ")));
    let manifests = manifests();
    let ingress = of_kind(&manifests, &["Ingress"]).next().expect("an ingress");
    let limit = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"].as_str();
    let mebibytes = limit.and_then(|limit| limit.strip_suffix('m')).expect("a limit in MiB");
    assert!(mebibytes.parse::<u64>().expect("a whole number") * 1024 * 1024 > LARGEST, "{mebibytes}");
}

#[test]
fn the_readme_names_every_part_of_the_base() {
    let folder = workspace().join("deploy/kubernetes");
    let readme = fs::read_to_string(folder.join("README.md")).expect("the README");
    let table: String = readme.lines().filter(|line| line.starts_with("| `base/")).collect();
    let parts = fs::read_dir(folder.join("base")).expect("the base").map(|part| part.expect("a part").path());
    for part in parts.filter(|part| part.is_dir()) {
        let name = part.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(table.contains(&format!("`{name}`")) || table.contains(&format!("`base/{name}`")), "{name}");
    }
}

#[test]
fn a_replica_that_is_stopped_gets_all_the_time_that_it_may_take() {
    let manifests = manifests();
    let settings = of_kind(&manifests, &["ConfigMap"]).next().expect("the settings");
    let deadline: u64 = settings["data"]["SHUTDOWN_SECONDS"].as_str().and_then(|text| text.parse().ok()).expect("set");
    let deployments: Vec<_> = of_kind(&manifests, &["Deployment"]).collect();
    assert_eq!(deployments.len(), 4);
    for deployment in deployments {
        let pod = &deployment["spec"]["template"]["spec"];
        let pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().expect("a pause");
        let grace = pod["terminationGracePeriodSeconds"].as_u64().expect("a grace period");
        // Requests get the deadline, and then background work gets it once more.
        assert!(grace > pause + 2 * deadline, "{grace} s are too short");
    }
}

#[test]
fn metrics_have_a_port_of_their_own_that_no_service_leads_to() {
    let manifests = manifests();
    let settings = of_kind(&manifests, &["ConfigMap"]).next().expect("the settings");
    let address = settings["data"]["METRICS_ADDR"].as_str().expect("an address");
    for deployment in of_kind(&manifests, &["Deployment"]) {
        let template = &deployment["spec"]["template"];
        let ports = template["spec"]["containers"][0]["ports"].as_array().expect("ports");
        let port = ports.iter().find(|port| port["name"] == "metrics").expect("a port")["containerPort"].to_string();
        assert_eq!(template["metadata"]["annotations"]["prometheus.io/port"], port.as_str());
        assert!(address.ends_with(&format!(":{port}")), "{address}");
    }
    for service in of_kind(&manifests, &["Service"]) {
        assert_eq!(service["spec"]["ports"].as_array().map(Vec::len), Some(1));
        assert_eq!(service["spec"]["ports"][0]["targetPort"], "http");
    }
}
