//! Who is at the page: sessions, logging in, and the wait after failures. No HTTP here.

mod failures;
mod login;
mod session;

pub(crate) use failures::Failures;
pub(crate) use login::{NotAdmitted, ROLE, log_in};
pub(crate) use session::{Session, Sessions};
