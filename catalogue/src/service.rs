//! The three services.

use serde::{Deserialize, Serialize};

/// A service: the one that writes a record, changes an order, or receives a message.
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
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 3] = [Self::ShopApi, Self::CrmApi, Self::MesApi];

    /// The name: of the program, of its records' `name`, and of its indices.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ShopApi => "shop-api",
            Self::CrmApi => "crm-api",
            Self::MesApi => "mes-api",
        }
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
