//! Error types: the values of [`field::ERROR_TYPE`](crate::field::ERROR_TYPE).

use crate::names::names;

names! {
    /// The class of an internal failure. The set is closed, so that failures can be grouped and counted.
    ErrorType {
        DatabaseUnavailable = "database_unavailable", "PostgreSQL can't be reached, or has no connection or lock free in time.";
        DatabaseError = "database_error", "PostgreSQL was reached and refused or failed a statement.";
        BrokerUnavailable = "broker_unavailable", "RabbitMQ can't be reached, or the connection to it broke.";
        BrokerError = "broker_error", "RabbitMQ was reached and refused, returned or did not confirm a message.";
        ModelStoreUnavailable = "model_store_unavailable", "The store of 3D models can't be reached.";
        ModelStoreError = "model_store_error", "The store of 3D models was reached and failed to read or write.";
        ModelMissing = "model_missing", "The order's 3D model is not in the store.";
        ModelUnreadable = "model_unreadable", "The 3D model's file is damaged or not in the format that it claims.";
        ModelNotClosed = "model_not_closed", "The 3D model's surface has holes, so that it has no volume.";
        ModelTooLarge = "model_too_large", "The 3D model exceeds a limit of the price calculation.";
        MessageMalformed = "message_malformed", "A message can't be read: its body or a required property is wrong.";
        MessageUnexpected = "message_unexpected", "A message can be read but doesn't fit: its type or its order is unknown here.";
        MessageTooNew = "message_too_new", "A message was written by a newer version of the sender; this receiver has to be upgraded first.";
        SearchUnavailable = "search_unavailable", "Elasticsearch can't be reached, or has not responded in time.";
        SearchError = "search_error", "Elasticsearch was reached and refused or failed a search.";
        Timeout = "timeout", "An operation exceeded its time limit.";
        Panic = "panic", "The code panicked because of a bug.";
        ConfigurationInvalid = "configuration_invalid", "A setting has a value that the service can't start with.";
        Internal = "internal", "Any other internal failure; a frequent cause should get a type of its own.";
    }
}
