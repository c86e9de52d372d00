//! Authentication and authorisation: accounts, passwords, sessions, keys, and who may do what. No HTTP here.

pub mod access;
pub mod accounts;
mod caller;
mod login;
mod login_hash;
mod password;
mod probes;
mod rate_limit;
mod session;
mod source;
pub mod throttle;
mod token;

pub use caller::Caller;
pub use login::{Auth, LoggedIn};
pub use login_hash::keyed_hash;
pub use password::{Hasher, WeakPassword};
pub use rate_limit::RateLimit;
pub use session::{OpenSession, SessionLimits, Sessions};
pub use source::Source;
pub use token::Token;
