//! Progress on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar towards a known number, with rate and time left; hidden if not wanted or not on a terminal.
pub(crate) fn bar(total: u64, unit: &str, is_quiet: bool) -> ProgressBar {
    let target = if is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(5) };
    let bar = ProgressBar::with_draw_target(Some(total), target);
    let template = if unit == "bytes" {
        "{msg} {wide_bar} {bytes}/{total_bytes}, {eta} left"
    } else {
        "{msg} {wide_bar} {human_pos}/{human_len}, {per_sec}, {eta} left"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
