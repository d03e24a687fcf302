//! The files pages need: one stylesheet, one mark and, where people sign in, one script; at addresses that change with their content.

use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::failure;
use crate::visit::Visit;

const STYLESHEET: &str = include_str!("../assets/style.css");
const MARK: &str = include_str!("../assets/mark.svg");
const PASSKEYS: &str = include_str!("../assets/passkeys.js");

/// A file and where it is.
struct Asset {
    name: String,
    kind: &'static str,
    text: &'static str,
}

fn assets() -> &'static [Asset; 3] {
    static ASSETS: OnceLock<[Asset; 3]> = OnceLock::new();
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
            Asset {
                name: named("passkeys", "js", PASSKEYS),
                kind: "text/javascript; charset=utf-8",
                text: PASSKEYS,
            },
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

/// The address of the script that asks for passkeys.
pub(crate) fn passkeys() -> String {
    format!("/assets/{}", assets()[2].name)
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
