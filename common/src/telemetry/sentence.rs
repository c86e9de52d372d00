//! A record's sentence for people: it reads alone, and says nothing that isn't in a field as well.

use catalogue::{Action, field};

use super::line::Value;

/// A field's text.
pub(super) fn text<'a>(fields: &'a [(&'static str, Value)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(field, _)| *field == name).and_then(|(_, value)| match value {
        Value::Text(text) => Some(text.as_ref()),
        _ => None,
    })
}

/// The sentence of a record of this action with these fields.
pub(super) fn sentence(action: Action, fields: &[(&'static str, Value)]) -> String {
    let mut sentence = action.name().to_owned();
    let mut add = |words: &str| {
        sentence.push(' ');
        sentence.push_str(words);
    };
    let text = |name| text(fields, name);
    if let Some(order) = text(field::ORDER_ID) {
        add(order);
    }
    for (from, to) in
        [(field::ORDER_STATUS_FROM, field::ORDER_STATUS), (field::ORDER_PRICE_STATUS_FROM, field::ORDER_PRICE_STATUS)]
    {
        match (text(from), text(to)) {
            (Some(from), Some(to)) => add(&format!("{from} -> {to}")),
            (None, Some(to)) => add(to),
            _ => {}
        }
    }
    if let Some(message_type) = text(field::MESSAGING_MESSAGE_TYPE) {
        add(message_type);
    }
    if let (Some(method), Some(route)) = (text(field::HTTP_REQUEST_METHOD), text(field::HTTP_ROUTE)) {
        add(method);
        add(route);
    }
    let code = fields.iter().find(|(name, _)| *name == field::HTTP_RESPONSE_STATUS_CODE);
    if let Some((_, Value::Unsigned(code))) = code {
        add(&code.to_string());
    }
    if let Some(state) = text(field::SERVICE_STATE) {
        add(state);
    }
    if let Some(error_type) = text(field::ERROR_TYPE) {
        add("failed:");
        add(error_type);
    }
    sentence
}
