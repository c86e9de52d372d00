//! Random passwords.

use anyhow::{Result, anyhow};

/// 128 random bits in hexadecimal digits, which need no quotes in a shell, a URL or a file.
pub(crate) fn random() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no randomness from the operating system: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
