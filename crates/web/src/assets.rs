//! The files pages need: one stylesheet and one mark, at addresses that change with their content.

use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::failure;
use crate::visit::Visit;

const STYLESHEET: &str = include_str!("../assets/style.css");
const MARK: &str = include_str!("../assets/mark.svg");

/// A file and where it is.
struct Asset {
    name: String,
    kind: &'static str,
    text: &'static str,
}

fn assets() -> &'static [Asset; 2] {
    static ASSETS: OnceLock<[Asset; 2]> = OnceLock::new();
    ASSETS.get_or_init(|| {
        let named = |stem: &str, ending: &str, text: &str| {
            let hash = blake3::hash(text.as_bytes()).to_hex();
            format!("{stem}-{}.{ending}", &hash[..12])
        };
        [
            Asset {
                name: named("style", "css", STYLESHEET),
                kind: "text/css; charset=utf-8",
                text: STYLESHEET,
            },
            Asset { name: named("mark", "svg", MARK), kind: "image/svg+xml", text: MARK },
        ]
    })
}

/// The stylesheet's address.
pub(crate) fn stylesheet() -> String {
    format!("/assets/{}", assets()[0].name)
}

/// The mark's address.
pub(crate) fn mark() -> String {
    format!("/assets/{}", assets()[1].name)
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
