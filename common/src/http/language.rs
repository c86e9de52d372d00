//! The language of texts for customers, from `Accept-Language` (RFC 9110, section 12.5.4).

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use serde::Serialize;
use utoipa::IntoParams;

use crate::domain::{Language, Localize};

/// The language that the client prefers of those that the shop speaks; English unless it says otherwise.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(names("Accept-Language"), parameter_in = Header)]
pub struct AcceptLanguage(
    /// The language of texts for customers: English unless Russian is preferred.
    #[param(value_type = Option<String>, example = "ru, en;q=0.5")]
    pub Language,
);

impl AcceptLanguage {
    /// The language that these headers prefer.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let ranges = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        Self(preferred(ranges.flat_map(|value| value.split(','))))
    }

    /// A resource whose texts are in this language.
    pub fn say<T: Localize>(self, mut resource: T) -> T {
        resource.localize(self.0);
        resource
    }

    /// The same as a JSON response.
    pub fn json<T: Localize + Serialize>(self, resource: T) -> axum::Json<T> {
        axum::Json(self.say(resource))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AcceptLanguage {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// The language of the range with the greatest weight; of equal ones, the first.
fn preferred<'h>(ranges: impl Iterator<Item = &'h str>) -> Language {
    let mut best = (0.0, Language::English);
    for range in ranges {
        let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
        let language = match tag.trim().split('-').next().map(str::to_ascii_lowercase).as_deref() {
            Some("ru") => Language::Russian,
            Some("en" | "*") => Language::English,
            _ => continue,
        };
        let weight = match parameters.trim().strip_prefix("q=") {
            Some(weight) => weight.parse().unwrap_or(0.0),
            None => 1.0,
        };
        if weight > best.0 {
            best = (weight, language);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_with_the_greatest_weight_is_chosen() {
        for (header, language) in [
            ("", Language::English),
            ("ru", Language::Russian),
            ("ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7", Language::Russian),
            ("en-GB, ru;q=0.5", Language::English),
            ("en;q=0.3, RU;q=0.5", Language::Russian),
            ("de, fr;q=0.9", Language::English),
            ("de, ru;q=0.1", Language::Russian),
            ("*, ru;q=0.5", Language::English),
            ("ru;q=0", Language::English),
            ("ru;q=much", Language::English),
            ("ru, en", Language::Russian),
        ] {
            assert_eq!(preferred(header.split(',')), language, "{header}");
        }
    }
}
