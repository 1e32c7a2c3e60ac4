//! The one place where random bytes come from: the operating system, through `ring`.

use std::cell::RefCell;

use ring::rand::{SecureRandom, SystemRandom};

/// Bytes taken from the system at a time, so that a call costs no system call of its own.
const POOL: usize = 4096;

struct Pool {
    bytes: [u8; POOL],
    used: usize,
}

thread_local! {
    static LOCAL: RefCell<Pool> = const {
        RefCell::new(Pool { bytes: [0; POOL], used: POOL })
    };
}

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoEntropy;

/// Random bytes for identifiers and salts. Not for keys: bytes wait in memory before use.
///
/// # Errors
/// [`NoEntropy`] when the system's source fails.
pub fn id_bytes<const N: usize>() -> Result<[u8; N], NoEntropy> {
    const { assert!(N <= POOL) };
    LOCAL.with_borrow_mut(|pool| {
        if pool.used + N > POOL {
            SystemRandom::new()
                .fill(&mut pool.bytes)
                .map_err(|_| NoEntropy)?;
            pool.used = 0;
        }
        let mut out = [0; N];
        let from = pool.used;
        for (to, byte) in out.iter_mut().zip(pool.bytes.iter_mut().skip(from)) {
            // Nothing stays behind of what is given: who erases a salt erases all of it.
            *to = std::mem::take(byte);
        }
        pool.used += N;
        Ok(out)
    })
}

/// Random bytes for a key, straight from the system.
///
/// # Errors
/// [`NoEntropy`] when the system's source fails.
pub fn key_bytes<const N: usize>() -> Result<[u8; N], NoEntropy> {
    let mut out = [0; N];
    SystemRandom::new().fill(&mut out).map_err(|_| NoEntropy)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_differ_also_across_refills() {
        let ids: HashSet<[u8; 10]> = (0..2_000).map(|_| id_bytes().unwrap()).collect();
        assert_eq!(ids.len(), 2_000);
    }
}
