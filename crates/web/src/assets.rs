//! The files pages need, at addresses that change with their content: one stylesheet, one mark, and scripts.

use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::failure;
use crate::visit::Visit;

/// One stylesheet, from a file for each room.
const STYLESHEET: &str = concat!(
    include_str!("../assets/style/base.css"),
    include_str!("../assets/style/me.css"),
    include_str!("../assets/style/clinic.css"),
    include_str!("../assets/style/operator.css"),
);
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Every file by the name it is asked for.
const FILES: &[(&str, &str, &str)] = &[
    ("style.css", CSS, STYLESHEET),
    ("mark.svg", SVG, include_str!("../assets/mark.svg")),
    ("passkeys.js", SCRIPT, include_str!("../assets/scripts/passkeys.js")),
    ("clinic-as-of.js", SCRIPT, include_str!("../assets/scripts/clinic-as-of.js")),
    ("clinic-check.js", SCRIPT, include_str!("../assets/scripts/clinic-check.js")),
    ("clinic-codes.js", SCRIPT, include_str!("../assets/scripts/clinic-codes.js")),
    ("clinic-draft.js", SCRIPT, include_str!("../assets/scripts/clinic-draft.js")),
    ("clinic-keys.js", SCRIPT, include_str!("../assets/scripts/clinic-keys.js")),
    ("hub-live.js", SCRIPT, include_str!("../assets/scripts/hub-live.js")),
    ("me-entry.js", SCRIPT, include_str!("../assets/scripts/me-entry.js")),
    ("me-print.js", SCRIPT, include_str!("../assets/scripts/me-print.js")),
    ("me-offline.js", SCRIPT, include_str!("../assets/scripts/me-offline.js")),
    ("me-questions.js", SCRIPT, include_str!("../assets/scripts/me-questions.js")),
];

/// A file and where it is.
struct Asset {
    file: &'static str,
    name: String,
    kind: &'static str,
    text: &'static str,
}

fn assets() -> &'static [Asset] {
    static ASSETS: OnceLock<Vec<Asset>> = OnceLock::new();
    ASSETS.get_or_init(|| {
        let asset = |(file, kind, text): &(&'static str, &'static str, &'static str)| {
            let hash = blake3::hash(text.as_bytes()).to_hex();
            let (stem, ending) = file.rsplit_once('.').unwrap_or((file, ""));
            Asset { file, name: format!("{stem}-{}.{ending}", &hash[..12]), kind, text }
        };
        FILES.iter().map(asset).collect()
    })
}

/// The address of a file.
pub(crate) fn address(file: &str) -> String {
    let found = assets().iter().find(|asset| asset.file == file);
    found.map(|asset| format!("/assets/{}", asset.name)).unwrap_or_default()
}

/// Answers with a file. Its content never changes at its address, so it may be kept for ever.
pub(crate) async fn asset(Path(name): Path<String>, visit: Visit) -> Response {
    let Some(asset) = assets().iter().find(|a| a.name == name) else {
        return failure::nothing_here(visit).await;
    };
    let headers = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (StatusCode::OK, headers, asset.text).into_response()
}
