//! Whose pages may ask.
