//! Where OTLP goes, by OpenTelemetry's variables, and whom it trusts there.

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
pub(super) fn endpoint(signal: &str) -> Option<String> {
    let variables = [format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"), "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned()];
    variables.iter().find_map(|variable| std::env::var(variable).ok().filter(|value| !value.is_empty()))
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
