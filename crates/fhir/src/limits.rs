//! Limits on what comes from outside.

/// How large a thing may be. All have safe defaults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of one resource's JSON.
    pub resource_bytes: usize,
    /// Bytes of a Bundle's JSON.
    pub bundle_bytes: usize,
    /// How deep elements may be nested.
    pub depth: usize,
    /// Entries of a batch or transaction.
    pub bundle_entries: usize,
    /// Findings reported before reading stops.
    pub issues: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            resource_bytes: 16 << 20,
            bundle_bytes: 128 << 20,
            depth: 64,
            bundle_entries: 10_000,
            issues: 50,
        }
    }
}
