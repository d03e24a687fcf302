//! Indicators computed from the record.
