//! What went wrong, in one word: the values of `error.type`.

macro_rules! error_types {
    ($($variant:ident = $name:literal, $meaning:literal;)*) => {
        /// The class of a failure of ours; the set is closed, so that failures can be grouped and counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorType {
            $(#[doc = $meaning] $variant,)*
        }

        impl ErrorType {
            /// Every class, in the dictionary's order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable word: the value of [`field::ERROR_TYPE`](crate::field::ERROR_TYPE).
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// When it is used, in one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }
        }
    };
}

error_types! {
    DatabaseUnavailable = "database_unavailable", "PostgreSQL can't be reached, or has no connection free in time.";
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
    MessageUnexpected = "message_unexpected", "A message can be read but doesn't fit: its type or its order is not known here.";
    MessageTooNew = "message_too_new", "A message was written by a newer version of the sender, and this reader has to be replaced first.";
    Timeout = "timeout", "Something that is not waited for any longer took too long.";
    Panic = "panic", "The code broke off at a bug.";
    ConfigurationInvalid = "configuration_invalid", "A setting has a value that the service can't start with.";
    Internal = "internal", "Anything else of ours; a frequent cause deserves a class of its own.";
}

impl std::fmt::Display for ErrorType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
