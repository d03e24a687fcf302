//! What a page needs to know of its request.

use std::convert::Infallible;
use std::sync::Arc;

use auth::Identity;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use hub::{Access, Peer};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use search::query::Pair;

use crate::language::{COOKIE, Language};
use crate::words::Words;

/// What chooses the size of letters, in an address and as a cookie.
const SIZE: &str = "size";
const LARGE: &str = "large";

/// A visit to a page.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    /// The language it is answered in.
    pub(crate) words: Words,
    /// The path, as it was sent.
    pub(crate) path: String,
    /// The query's decoded pairs, without `lang` and `size`.
    pub(crate) pairs: Vec<Pair>,
    /// What whoever is signed in may see; none in a hub that is open.
    pub(crate) access: Option<Access>,
    /// Whether the address chose the language, which is then remembered.
    pub(crate) is_language_chosen: bool,
    /// Whether letters are large.
    pub(crate) is_large: bool,
    /// Whether the address chose their size, which is then remembered.
    pub(crate) is_size_chosen: bool,
    /// The name of whoever is signed in.
    pub(crate) name: Option<String>,
    /// The client's network address.
    pub(crate) address: Option<String>,
    /// The query, as it was sent.
    pub(crate) query: Option<String>,
}

impl Visit {
    /// What may be seen.
    pub(crate) fn access(&self) -> Access {
        self.access.clone().unwrap_or_else(|| Access::open("pages"))
    }

    /// The first value of a parameter, trimmed; none if it is empty.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.trim());
        found.filter(|v| !v.is_empty())
    }

    /// This page in a language.
    pub(crate) fn in_language(&self, language: Language) -> String {
        let mut pairs = self.pairs.clone();
        pairs.push(("lang".to_owned(), language.tag().to_owned()));
        address(&self.path, &pairs)
    }

    /// This page in large letters, or in others.
    pub(crate) fn in_size(&self, is_large: bool) -> String {
        let mut pairs = self.pairs.clone();
        pairs.push((SIZE.to_owned(), if is_large { LARGE } else { "normal" }.to_owned()));
        address(&self.path, &pairs)
    }

    /// The cookies that remember what was chosen.
    pub(crate) fn cookies(&self) -> Vec<String> {
        let lasting = |name: &str, value: &str| {
            format!("{name}={value}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax")
        };
        let language = self.is_language_chosen.then(|| lasting(COOKIE, self.words.language.tag()));
        let size = if self.is_large { LARGE } else { "normal" };
        language.into_iter().chain(self.is_size_chosen.then(|| lasting(SIZE, size))).collect()
    }

    /// Who is signed in, in the terms of the rules; nobody in an open hub.
    pub(crate) fn subject(&self) -> Option<&access::Subject> {
        self.access.as_ref()?.subject.as_deref()
    }

    /// Whether whoever is signed in has a role.
    pub(crate) fn has_role(&self, role: &str) -> bool {
        self.subject().is_some_and(|subject| subject.roles.iter().any(|own| own == role))
    }
}

/// A path with a query.
pub(crate) fn address(path: &str, pairs: &[Pair]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let written: Vec<String> = pairs.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect();
    if written.is_empty() { path.to_owned() } else { format!("{path}?{}", written.join("&")) }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Visit, Infallible> {
        let header = |name| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        // A query that is not UTF-8 asks for nothing that is here.
        let mut pairs = search::query::split(parts.uri.query().unwrap_or_default()).unwrap_or_default();
        let asked = pairs.iter().find(|(name, _)| name == "lang").map(|(_, value)| value.clone());
        let size = pairs.iter().find(|(name, _)| name == SIZE).map(|(_, value)| value.clone());
        pairs.retain(|(name, _)| name != "lang" && name != SIZE);
        let remembered = auth::cookie(&parts.headers, SIZE);
        let language =
            Language::choose(asked.as_deref(), header(header::COOKIE), header(header::ACCEPT_LANGUAGE));
        Ok(Visit {
            words: Words { language },
            path: parts.uri.path().to_owned(),
            pairs,
            is_large: size.as_deref().or(remembered) == Some(LARGE),
            is_size_chosen: size.is_some(),
            name: parts.extensions.get::<Arc<Identity>>().map(|identity| identity.name.clone()),
            access: parts.extensions.get::<Access>().cloned(),
            address: parts.extensions.get::<Peer>().map(|peer| peer.0.to_string()),
            query: parts.uri.query().map(str::to_owned),
            is_language_chosen: asked.as_deref().and_then(Language::of_tag).is_some(),
        })
    }
}
