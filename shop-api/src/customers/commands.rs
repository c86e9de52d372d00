//! What customers can ask for before they have an account.

use common::{
    auth::accounts,
    domain::{CustomerId, Role},
    problem::ApiError,
    state::Core,
};
use secrecy::SecretString;

/// Registers a customer.
///
/// # Errors
///
/// `409` for a login that is taken, `422` for one that can't be used and for a weak password.
pub(crate) async fn register(core: &Core, login: &str, password: SecretString) -> Result<CustomerId, ApiError> {
    Ok(accounts::create(&core.database, &core.auth.hasher, login, password, Role::Customer).await?.into())
}
