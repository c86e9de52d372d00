//! Authentication and authorisation: accounts, passwords, sessions, keys, and who may do what. No HTTP here.

pub mod access;
pub mod accounts;
mod caller;
mod login;
mod password;
mod rate_limit;
mod session;
mod throttle;
mod token;

pub use caller::Caller;
pub use login::{Auth, LoggedIn, Source};
pub use password::{Hasher, WeakPassword};
pub use rate_limit::RateLimit;
pub use session::{SessionLimits, Sessions};
pub use token::Token;
