//! The services and their names.

use serde::{Deserialize, Serialize};

/// A service: the writer of a record. The three of [`Service::APIS`] also are authors of changes and receivers of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "service", derive(sqlx::Type, utoipa::ToSchema))]
#[cfg_attr(feature = "service", sqlx(type_name = "text", rename_all = "kebab-case"))]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// The customers' shop.
    ShopApi,
    /// The sellers' CRM.
    CrmApi,
    /// The operators' and partners' MES.
    MesApi,
    /// Support's page, which only reads: it appears in no order and in no message.
    #[serde(skip)]
    SupportWeb,
}

impl Service {
    /// Every service, each of which writes records.
    pub const ALL: [Self; 4] = [Self::ShopApi, Self::CrmApi, Self::MesApi, Self::SupportWeb];

    /// The services that have orders, a database and a REST interface.
    pub const APIS: [Self; 3] = [Self::ShopApi, Self::CrmApi, Self::MesApi];

    /// The service of this name, or `None`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// The name of the program; also the `name` in its records, and a part of its indices' names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ShopApi => "shop-api",
            Self::CrmApi => "crm-api",
            Self::MesApi => "mes-api",
            Self::SupportWeb => "support-web",
        }
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
