//! A certificate from a certificate authority.
