//! Pods keep to the standard "restricted", and read one secret.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::tools::{manifests, of_kind};

/// The kinds that make pods from a template at `spec.template`.
const WITH_PODS: [&str; 5] = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"];

/// Each pod's name and specification. A kind that holds its pods elsewhere fails the test.
pub(crate) fn pods<'a>(manifests: &'a [Value]) -> Vec<(&'a str, &'a Value)> {
    assert_eq!(of_kind(manifests, &["Pod", "CronJob", "ReplicationController"]).count(), 0, "these are not looked at");
    let name_and_pod = |manifest: &'a Value| {
        (manifest["metadata"]["name"].as_str().expect("a name"), &manifest["spec"]["template"]["spec"])
    };
    let found: Vec<_> = of_kind(manifests, &WITH_PODS).map(name_and_pod).collect();
    let names: BTreeSet<_> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!((names.len(), found.len()), (6, 6), "{names:?}");
    found
}

/// What in a pod's specification is against the standard "restricted", as its fields
/// (<https://kubernetes.io/docs/concepts/security/pod-security-standards/>).
fn against_restricted(pod: &Value) -> Vec<String> {
    const VOLUMES: [&str; 8] =
        ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    let mut want = |holds: bool, what: String| {
        if !holds {
            found.push(what);
        }
    };
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        want(pod[field].is_null() || pod[field] == false, field.to_owned());
    }
    for volume in list(&pod["volumes"]) {
        let kinds = volume.as_object().expect("a volume").keys().filter(|key| *key != "name");
        want(
            kinds.clone().count() == 1 && kinds.clone().all(|kind| VOLUMES.contains(&kind.as_str())),
            volume.to_string(),
        );
    }
    let of_pod = &pod["securityContext"];
    want(list(&of_pod["sysctls"]).is_empty(), "sysctls".to_owned());
    let containers = ["containers", "initContainers", "ephemeralContainers"].map(|kind| list(&pod[kind])).concat();
    want(!containers.is_empty(), "containers".to_owned());
    for container in containers {
        let own = &container["securityContext"];
        // A container's own word counts before its pod's.
        let of = |field: &str| if own[field].is_null() { &of_pod[field] } else { &own[field] };
        let mut want = |holds: bool, what: &str| want(holds, format!("{}: {what}", container["name"]));
        want(own["privileged"].is_null() || own["privileged"] == false, "privileged");
        want(own["allowPrivilegeEscalation"] == false, "allowPrivilegeEscalation");
        want(own["procMount"].is_null() || own["procMount"] == "Default", "procMount");
        want(of("runAsNonRoot") == true, "runAsNonRoot");
        want(*of("runAsUser") != 0, "runAsUser");
        want(
            ["RuntimeDefault", "Localhost"].iter().any(|kind| of("seccompProfile")["type"] == *kind),
            "seccompProfile",
        );
        want(of("seLinuxOptions").is_null() && of("windowsOptions").is_null(), "options of other systems");
        let apparmor = &of("appArmorProfile")["type"];
        want(apparmor.is_null() || apparmor == "RuntimeDefault" || apparmor == "Localhost", "appArmorProfile");
        want(list(&own["capabilities"]["drop"]).contains(&"ALL".into()), "capabilities.drop");
        want(list(&own["capabilities"]["add"]).iter().all(|added| added == "NET_BIND_SERVICE"), "capabilities.add");
        let ports = list(&container["ports"]);
        want(ports.iter().all(|port| port["hostPort"].is_null() || port["hostPort"] == 0), "hostPort");
    }
    found
}

#[test]
fn every_pod_keeps_to_the_restricted_standard_and_the_namespace_enforces_it() {
    let manifests = manifests();
    let namespace = of_kind(&manifests, &["Namespace"]).next().expect("a namespace");
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    for (name, pod) in pods(&manifests) {
        assert_eq!(against_restricted(pod), [""; 0], "{name}");
        for container in pod["containers"].as_array().expect("containers") {
            assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{name}");
        }
    }
}

#[test]
fn a_pod_against_the_restricted_standard_is_noticed() {
    let manifests = manifests();
    let pod = pods(&manifests)[0].1;
    let container = "/containers/0/securityContext";
    for (pointer, field, value, noticed) in [
        ("", "hostNetwork", json!(true), 1),
        ("", "volumes", json!([{"name": "root", "hostPath": {"path": "/"}}]), 1),
        ("", "volumes", json!([{"name": "models", "emptyDir": {}}]), 0),
        ("", "initContainers", json!([{"name": "first"}]), 2),
        ("/securityContext", "runAsNonRoot", Value::Null, 1),
        ("/securityContext", "runAsUser", json!(0), 1),
        ("/securityContext", "seccompProfile", json!({"type": "Unconfined"}), 1),
        (container, "runAsNonRoot", json!(false), 1),
        (container, "allowPrivilegeEscalation", Value::Null, 1),
        (container, "privileged", json!(true), 1),
        (container, "capabilities", json!({"drop": ["NET_RAW"]}), 1),
        (container, "capabilities", json!({"drop": ["ALL"], "add": ["SYS_ADMIN"]}), 1),
        ("/containers/0/ports/0", "hostPort", json!(80), 1),
    ] {
        let mut changed = pod.clone();
        changed.pointer_mut(pointer).expect("it is there")[field] = value;
        let found = against_restricted(&changed);
        assert_eq!(found.len(), noticed, "{pointer} {field}: {found:?}");
    }
}

#[test]
fn a_pod_reads_its_own_services_secret_alone() {
    let manifests = manifests();
    for (name, pod) in pods(&manifests) {
        let containers = pod["containers"].as_array().expect("containers");
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        assert!(!pod.to_string().contains("secretKeyRef") && pod["volumes"].is_null(), "{name} has another way");
        let from = containers.iter().flat_map(|container| container["envFrom"].as_array().into_iter().flatten());
        let secrets: Vec<_> = from.filter_map(|source| source["secretRef"]["name"].as_str()).collect();
        let [secret] = secrets[..] else { panic!("{name}: {secrets:?}") };
        // The secret has the name of the program, and a hash at its end if it is made from a file.
        let own = containers[0]["command"][0].as_str().expect("a program");
        assert!(
            secret == own || secret.strip_prefix(own).is_some_and(|rest| rest.starts_with('-')),
            "{name}: {secret}"
        );
    }
}
