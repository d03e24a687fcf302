//! Indicators: public figures, the hub's own, and what may become of them.
//!
//! Pure: no clock, no store, nothing fetched. Files in, figures out; figures in, indicators out.
//!
//! * [`public`]: figures of the WHO and the World Bank, each with its release.
//! * [`uhc`]: the service coverage index (SDG 3.8.1).
//! * [`sdg`]: financial protection, mortality, rates and targets of SDG 3.
//! * [`statistics`]: intervals, standardisation, funnels, run charts.
//! * [`disclosure`]: tables of counts that tell of no few persons.
//! * [`projection`]: forecasts that were tried on the past, and scenarios.

pub mod disclosure;
pub mod projection;
pub mod public;
pub mod sdg;
pub mod statistics;
pub mod uhc;
