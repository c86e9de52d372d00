//! Drives the real system from outside and reads what it logged.
