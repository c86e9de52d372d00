//! The extractor that lets only the right role into a handler.

use std::{marker::PhantomData, ops::Deref, sync::Arc};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};

use super::request::RequestInfo;
use crate::{
    auth::{Caller, Token},
    domain::Role,
    problem::{ApiError, Rejection},
    state::Core,
};

/// A role as a type, for handlers' signatures.
pub trait RoleMarker: Send + Sync {
    /// The role.
    const ROLE: Role;
}

macro_rules! markers {
    ($($role:ident),*) => {
        $(
            #[doc = concat!("[`Role::", stringify!($role), "`] as a type.")]
            #[derive(Debug)]
            pub struct $role;

            impl RoleMarker for $role {
                const ROLE: Role = Role::$role;
            }
        )*
    };
}

markers!(Customer, Seller, Operator, Partner, Carrier);

/// The caller of a handler that is only for role `R`: `401` without a valid token, `403` for another role.
#[derive(Debug)]
pub struct By<R>(Caller, PhantomData<R>);

impl<R> Deref for By<R> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<S, R> FromRequestParts<S> for By<R>
where
    S: Send + Sync,
    R: RoleMarker,
    Core: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let core = Core::from_ref(state);
        let token = token(&parts.headers).ok_or_else(Rejection::unauthenticated)?;
        let caller = core.auth.sessions.holder(&token).await?;
        let caller = caller.ok_or_else(Rejection::unauthenticated)?;
        if let Some(request) = parts.extensions.get::<Arc<RequestInfo>>() {
            request.identify_user(caller.account);
        }
        if caller.role != R::ROLE {
            return Err(Rejection::forbidden().into());
        }
        Ok(Self(caller, PhantomData))
    }
}

/// The bearer token (RFC 6750), or the key in `X-API-Key`.
pub(super) fn token(headers: &HeaderMap) -> Option<Token> {
    if let Some(key) = headers.get("x-api-key") {
        return key.to_str().ok().map(Token::received);
    }
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Token::received(token.trim()))
}
