//! Where OTLP goes, by OpenTelemetry's variables, and whom it trusts there.

use anyhow::bail;
use opentelemetry_otlp::{
    WithTonicConfig,
    tonic_types::transport::{Certificate, ClientTlsConfig},
};

use crate::authorities::Authorities;

/// Whether all of OpenTelemetry is switched off.
pub(super) fn is_off() -> bool {
    std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Where this signal (`TRACES`, `METRICS`) goes; none if it isn't exported.
///
/// # Errors
///
/// If `OTEL_TRACES_EXPORTER` or `OTEL_METRICS_EXPORTER` names an exporter that isn't there.
pub(super) fn endpoint(signal: &str) -> anyhow::Result<Option<String>> {
    if !is_pushed(signal, &std::env::var(format!("OTEL_{signal}_EXPORTER")).unwrap_or_default())? {
        return Ok(None);
    }
    let variables = [format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"), "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned()];
    Ok(variables.iter().find_map(|variable| std::env::var(variable).ok().filter(|value| !value.is_empty())))
}

/// Whether a signal may be pushed by OTLP, if these exporters are chosen for it.
fn is_pushed(signal: &str, chosen: &str) -> anyhow::Result<bool> {
    let mut pushed = chosen.trim().is_empty();
    for exporter in chosen.split(',').map(str::trim).filter(|exporter| !exporter.is_empty()) {
        match (exporter, signal) {
            ("otlp", _) => pushed = true,
            // Scraping is `METRICS_ADDR`'s.
            ("none", _) | ("prometheus", "METRICS") => {}
            (other, _) => bail!("OTEL_{signal}_EXPORTER: {other} is no exporter of this service, as otlp and none are"),
        }
    }
    Ok(pushed)
}

/// With `https://`, the receiver has its certificate from one of these authorities or from one of the system's.
pub(super) fn trusting<B: WithTonicConfig>(exporter: B, endpoint: &str, authorities: &Authorities) -> B {
    if endpoint.starts_with("http://") {
        return exporter;
    }
    // The exporter's own default trusts no authority at all.
    let trusted = Certificate::from_pem(authorities.pem());
    exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots().ca_certificate(trusted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_pushed_unless_another_exporter_is_chosen() {
        for signal in ["TRACES", "METRICS"] {
            for (chosen, pushed) in [("", true), (" ", true), ("otlp", true), ("none", false), ("none, otlp", true)] {
                assert_eq!(is_pushed(signal, chosen).unwrap(), pushed, "{signal} {chosen}");
            }
            let error = is_pushed(signal, "otlp,console").unwrap_err().to_string();
            assert!(error.starts_with(&format!("OTEL_{signal}_EXPORTER: ")), "{error}");
        }
        assert!(!is_pushed("METRICS", "prometheus").unwrap());
        assert!(is_pushed("TRACES", "prometheus").is_err());
    }
}
