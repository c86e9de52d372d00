//! What customers can ask for before they have an account.

use common::{
    auth::{Source, accounts},
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
pub(crate) async fn register(
    core: &Core,
    source: Source,
    login: &str,
    password: SecretString,
) -> Result<CustomerId, ApiError> {
    let account = accounts::create(&core.units, &core.auth.hasher, login, password, Role::Customer, Some(source));
    Ok(account.await?.into())
}
