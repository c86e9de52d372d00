//! Texts for customers, in every language that the shop speaks.

use mesh::Language;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A text for the customer: one sentence on what is wrong, one on what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    /// The stable word, for programs.
    #[schema(example = "not_closed")]
    pub code: String,
    /// The text: in English where it is stored and sent between services, in the request's language in responses.
    pub detail: String,
    /// The same in Russian; never part of a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub detail_ru: Option<String>,
}

impl Notice {
    /// The code of a text that was written before texts had codes.
    const UNSPECIFIED: &str = "unspecified";

    /// A text in each language, which `text` says.
    pub fn new(code: &str, text: impl Fn(Language) -> String) -> Self {
        Self { code: code.to_owned(), detail: text(Language::English), detail_ru: Some(text(Language::Russian)) }
    }

    /// A text as three columns or members have it, of which the first one is older than the others: the English text, the
    /// code, and the Russian text.
    #[must_use]
    pub fn from_parts(detail: Option<String>, code: Option<String>, detail_ru: Option<String>) -> Option<Self> {
        let code = code.unwrap_or_else(|| Self::UNSPECIFIED.to_owned());
        detail.map(|detail| Self { code, detail, detail_ru })
    }

    /// What [`Notice::from_parts`] makes a text of.
    #[must_use]
    pub fn parts(notice: Option<&Self>) -> (Option<&str>, Option<&str>, Option<&str>) {
        let of = |part: fn(&Self) -> Option<&str>| notice.and_then(part);
        (of(|notice| Some(&notice.detail)), of(|notice| Some(&notice.code)), of(|notice| notice.detail_ru.as_deref()))
    }
}

/// What has texts for customers.
pub trait Localize {
    /// Leaves each text in this language only, or in English if there is none in it.
    fn localize(&mut self, language: Language);
}

impl Localize for Notice {
    fn localize(&mut self, language: Language) {
        let russian = self.detail_ru.take();
        if let (Language::Russian, Some(russian)) = (language, russian) {
            self.detail = russian;
        }
    }
}

impl<T: Localize> Localize for Option<T> {
    fn localize(&mut self, language: Language) {
        self.iter_mut().for_each(|value| value.localize(language));
    }
}

/// Why there is no price, as messages have it: a text that every release knows, and beside it what came later.
pub(super) mod price_failure {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::domain::notice::Notice;

    #[derive(Serialize, Deserialize)]
    struct Members {
        price_failure: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price_failure_code: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price_failure_ru: Option<String>,
    }

    pub(crate) fn serialize<S: Serializer>(notice: &Option<Notice>, serializer: S) -> Result<S::Ok, S::Error> {
        let (detail, code, russian) = Notice::parts(notice.as_ref());
        let [price_failure, price_failure_code, price_failure_ru] =
            [detail, code, russian].map(|part| part.map(str::to_owned));
        Members { price_failure, price_failure_code, price_failure_ru }.serialize(serializer)
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Option<Notice>, D::Error> {
        let Members { price_failure, price_failure_code, price_failure_ru } = Members::deserialize(deserializer)?;
        Ok(Notice::from_parts(price_failure, price_failure_code, price_failure_ru))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holes() -> Notice {
        Notice::new("not_closed", |language| match language {
            Language::English => "It has holes.".to_owned(),
            Language::Russian => "В ней дыры.".to_owned(),
        })
    }

    #[test]
    fn a_response_has_the_text_in_one_language() {
        for (language, text) in [(Language::English, "It has holes."), (Language::Russian, "В ней дыры.")] {
            let mut notice = holes();
            notice.localize(language);
            let json = serde_json::to_value(&notice).unwrap();
            assert_eq!(json, serde_json::json!({"code": "not_closed", "detail": text}));
        }
    }

    #[test]
    fn a_text_that_is_in_english_only_stays_english() {
        let mut old = Notice::from_parts(Some("It has holes.".to_owned()), None, None).unwrap();
        old.localize(Language::Russian);
        assert_eq!((old.code.as_str(), old.detail.as_str()), ("unspecified", "It has holes."));
        assert_eq!(Notice::from_parts(None, None, None), None);
    }
}
