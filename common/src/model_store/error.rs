//! Errors of the library that reaches the store.

use crate::failure::{self, ErrorType, Failure};

/// Makes a store's error a [`Failure`].
pub(super) trait OrFailure<T> {
    fn or_failure(self, context: &'static str) -> Result<T, Failure>;
}

impl<T> OrFailure<T> for object_store::Result<T> {
    fn or_failure(self, context: &'static str) -> Result<T, Failure> {
        self.map_err(|error| {
            let text = failure::chain(&error);
            let error_type = match error {
                object_store::Error::NotFound { .. } if text.contains("NoSuchBucket") => ErrorType::ModelStoreError,
                object_store::Error::NotFound { .. } => ErrorType::ModelMissing,
                object_store::Error::Generic { .. } => ErrorType::ModelStoreUnavailable,
                _ => ErrorType::ModelStoreError,
            };
            Failure::new(error_type, context, without_document(&text))
        })
    }
}

/// The text with S3's error document cut down to its code and message: the rest repeats the request, with the access key's
/// id, the signature, and the token of a temporary login.
fn without_document(text: &str) -> String {
    let Some((before, document)) = text.find("<?xml").or_else(|| text.find("<Error")).map(|at| text.split_at(at))
    else {
        return text.to_owned();
    };
    let element = |name: &str| {
        let (_, rest) = document.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0)
    };
    let after = document.rsplit_once("</Error").and_then(|(_, end)| Some(end.split_once('>')?.1)).unwrap_or_default();
    format!("{before}{}: {}{after}", element("Code").unwrap_or("?"), element("Message").unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_and_message_of_an_s3_error_are_shown() {
        let document = "<?xml version=\"1.0\"?>\n<Error><Code>ExpiredToken</Code><Message>Too old.</Message>\
                        <Token-0>FwoGZXIvYXdzE</Token-0><RequestId>1</RequestId></Error>";
        assert_eq!(without_document(&format!("403: {document}, twice")), "403: ExpiredToken: Too old., twice");
        assert_eq!(without_document("connection refused"), "connection refused");
        assert_eq!(without_document("403: <Error><Code>Cut"), "403: ?: ?");
    }
}
