//! Who changes an order.

use catalogue::Service;
use serde::{Deserialize, Serialize};
use sqlx::{
    Decode, Postgres, Type,
    error::BoxDynError,
    postgres::{PgTypeInfo, PgValueRef},
};

use super::{ids::AccountId, role::Role};

/// Who makes a change: `customer:01932f7e-…` in JSON and in the database, `service:mes-api` for a service by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Actor {
    /// A person or company, by the role and the id of its account.
    Account(Role, AccountId),
    /// A service by itself.
    Service(Service),
}

/// The text names no actor.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an actor is a role and an account's id, or service and its name, with a colon between them")]
pub struct InvalidActor;

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Account(role, id) => write!(f, "{role}:{id}"),
            Self::Service(service) => write!(f, "service:{service}"),
        }
    }
}

impl std::str::FromStr for Actor {
    type Err = InvalidActor;

    fn from_str(text: &str) -> Result<Self, InvalidActor> {
        let (kind, id) = text.split_once(':').ok_or(InvalidActor)?;
        let actor = match kind {
            "service" => Service::APIS.into_iter().find(|service| service.name() == id).map(Self::Service),
            _ => Role::from_name(kind).zip(id.parse().ok()).map(|(role, id)| Self::Account(role, id)),
        };
        actor.ok_or(InvalidActor)
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.to_string()
    }
}

impl TryFrom<String> for Actor {
    type Error = InvalidActor;

    fn try_from(text: String) -> Result<Self, InvalidActor> {
        text.parse()
    }
}

impl Type<Postgres> for Actor {
    fn type_info() -> PgTypeInfo {
        <String as Type<Postgres>>::type_info()
    }

    fn compatible(found: &PgTypeInfo) -> bool {
        <String as Type<Postgres>>::compatible(found)
    }
}

impl Decode<'_, Postgres> for Actor {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(<&str as Decode<Postgres>>::decode(value)?.parse()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_survives_the_way_to_text_and_back() {
        let account = AccountId::new();
        let accounts = Role::ALL.map(|role| Actor::Account(role, account));
        for actor in accounts.into_iter().chain(Service::APIS.map(Actor::Service)) {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
        for text in ["", "customer", "customer:", "service:erp", "nobody:01932f7e-6f5e-7cc0-8f3b-0d6a1b1f9e55"] {
            assert_eq!(text.parse::<Actor>(), Err(InvalidActor), "{text}");
        }
    }
}
