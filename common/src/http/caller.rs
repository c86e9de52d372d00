//! The extractor that lets only the right role into a handler.

use std::{marker::PhantomData, ops::Deref, sync::Arc};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};

use super::request::RequestInfo;
use crate::{
    auth::{Caller, Source, Token},
    domain::Role,
    failure::{ErrorType, Failure},
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
        let token = token(&parts.headers).ok_or_else(Rejection::unauthenticated)?;
        let (caller, _) = holder(parts, state, &token).await?;
        if caller.role != R::ROLE {
            return Err(Rejection::forbidden().into());
        }
        Ok(Self(caller, PhantomData))
    }
}

/// The session of a handler that is for every account that logs in: `401` without one, and for a key.
#[derive(Debug)]
pub(super) struct OwnSession {
    pub(super) caller: Caller,
    pub(super) token: Token,
    pub(super) source: Source,
}

impl<S> FromRequestParts<S> for OwnSession
where
    S: Send + Sync,
    Core: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let token = token(&parts.headers).filter(|token| !token.is_key()).ok_or_else(Rejection::unauthenticated)?;
        let (caller, source) = holder(parts, state, &token).await?;
        Ok(Self { caller, token, source })
    }
}

/// The account behind a token, which the request's record names from here on, and where the request comes from.
async fn holder<S>(parts: &Parts, state: &S, token: &Token) -> Result<(Caller, Source), ApiError>
where
    Core: FromRef<S>,
{
    let request = parts.extensions.get::<Arc<RequestInfo>>();
    let request = request.ok_or(Failure::bare(ErrorType::Internal, "a request is not observed"))?;
    let caller = Core::from_ref(state).auth.sessions.holder(token, request.source).await?;
    let caller = caller.ok_or_else(Rejection::unauthenticated)?;
    request.identify(caller);
    Ok((caller, request.source))
}

/// The bearer token (RFC 6750), or the key in `X-API-Key`.
fn token(headers: &HeaderMap) -> Option<Token> {
    if let Some(key) = headers.get("x-api-key") {
        return key.to_str().ok().map(Token::received);
    }
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Token::received(token.trim()))
}
