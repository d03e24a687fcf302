//! SDG 3: financial protection, mortality and other rates, targets.

pub mod financial;
pub mod mortality;
pub mod rates;
pub mod targets;

#[cfg(test)]
mod tests;
