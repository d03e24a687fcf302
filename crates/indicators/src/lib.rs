//! Indicators: public figures, the hub's own, and what may become of them.
