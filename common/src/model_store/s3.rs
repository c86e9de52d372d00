//! Models in S3.

use std::time::Duration;

use anyhow::ensure;
use object_store::{
    Certificate, ClientConfigKey, ClientOptions, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    client::{HttpClient, HttpConnector, ReqwestConnector},
};

/// How long connecting to S3 may take.
const CONNECT_TIMEOUT: &str = "3 s";
/// How long a whole response of S3 may take: as long as the slowest client takes to read it.
const RESPONSE_TIMEOUT: &str = "1 h";
/// Retries of a request that S3 refused for the moment, or that didn't reach it.
const RETRIES: usize = 3;

use crate::authorities::Authorities;

/// A bucket with the usual `AWS_*` variables, and a bound for everything that is waited for.
pub(super) fn bucket(name: &str, timeout: Duration, authorities: &Authorities) -> anyhow::Result<AmazonS3Builder> {
    // A request that waited for the whole timeout isn't tried once more.
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: timeout * 4 / 5, ..RetryConfig::default() };
    let silence = format!("{} ms", timeout.as_millis());
    let bounds = [
        (ClientConfigKey::ConnectTimeout, CONNECT_TIMEOUT),
        (ClientConfigKey::ReadTimeout, silence.as_str()),
        (ClientConfigKey::Timeout, RESPONSE_TIMEOUT),
    ];
    let trusted = Certificate::from_pem_bundle(authorities.pem().as_bytes())?;
    let builder = AmazonS3Builder::from_env().with_bucket_name(name).with_retry(retry);
    let builder = builder.with_http_connector(TrustingConnector(trusted));
    let builder = bounds
        .into_iter()
        .fold(builder, |builder, (key, value)| builder.with_config(AmazonS3ConfigKey::Client(key), value));
    let setting = |key| builder.get_config_value(&key).unwrap_or_default();
    ensure!(
        !setting(AmazonS3ConfigKey::Endpoint).starts_with("http://")
            || setting(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp)) == "true",
        "AWS_ENDPOINT is not encrypted; AWS_ALLOW_HTTP=true permits that"
    );
    Ok(builder)
}

/// Makes clients that trust these authorities, too. Client options that are set as a whole would replace those of `AWS_*`.
#[derive(Debug)]
struct TrustingConnector(Vec<Certificate>);

impl HttpConnector for TrustingConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let options = self.0.iter().cloned().fold(options.clone(), ClientOptions::with_root_certificate);
        ReqwestConnector::default().connect(&options)
    }
}
