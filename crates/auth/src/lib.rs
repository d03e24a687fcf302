//! Who someone is, and what an app may do in their name.
//!
//! * [`scope`]: what an app asks for, in SMART's words; narrowed to what it is registered for and what its user allows.

pub use access::scope;
