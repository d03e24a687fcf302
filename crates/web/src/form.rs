//! A form that was sent: its fields and its files.
//!
//! That a page of this hub sent it is seen to before it gets here: a request that changes something counts by a session
//! only if the browser says it comes from a page of this hub (`auth::Auth::identify`), and in an open hub only from this
//! machine.

use std::convert::Infallible;

use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use axum::http::header;
use search::query::{Pair, split};

use crate::visit::Visit;

/// The text of a form is at most so large.
const LARGEST_TEXT: usize = 1 << 20;
/// Its files together are at most so large.
const LARGEST_FILES: usize = 32 << 20;
/// So many fields and files at most.
const MOST: usize = 2000;

/// A file that was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    /// The field's name.
    pub(crate) field: String,
    /// What the file is called.
    pub(crate) name: String,
    /// What the browser takes it for.
    pub(crate) kind: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// A visit that sends a form.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// The visit.
    pub(crate) visit: Visit,
    /// The form's fields in order.
    pub(crate) fields: Vec<Pair>,
    /// The form's files.
    pub(crate) files: Vec<File>,
    /// Whether some of it was not taken because it is too much, or does not read.
    pub(crate) is_cut: bool,
}

impl Form {
    /// The first value of a field, trimmed; empty if there is none.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.trim())
    }

    /// The first value of a field, trimmed; none if it is empty.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        Some(self.field(name)).filter(|value| !value.is_empty())
    }

    /// Every value of a field.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.fields.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.trim())
    }

    /// The first file of a field, unless none was chosen.
    pub(crate) fn file(&self, field: &str) -> Option<&File> {
        self.files.iter().find(|file| file.field == field && !(file.name.is_empty() && file.bytes.is_empty()))
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Form, Infallible> {
        let (mut parts, body) = request.into_parts();
        let Ok(visit) = Visit::from_request_parts(&mut parts, state).await;
        let mut form = Form { visit, fields: Vec::new(), files: Vec::new(), is_cut: false };
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/x-www-form-urlencoded") {
            let read = axum::body::to_bytes(body, LARGEST_TEXT).await.ok();
            let text = read.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok());
            match text.and_then(|text| split(text).ok()).filter(|pairs| pairs.len() <= MOST) {
                Some(pairs) => form.fields = pairs,
                None => form.is_cut = true,
            }
        } else if kind.starts_with("multipart/form-data") {
            let request = Request::from_parts(parts, body);
            match Multipart::from_request(request, state).await {
                Ok(parts) => form.is_cut = !form.take(parts).await,
                Err(_) => form.is_cut = true,
            }
        }
        Ok(form)
    }
}

impl Form {
    /// Takes the parts; whether that was all.
    async fn take(&mut self, mut parts: Multipart) -> bool {
        let (mut text_bytes, mut file_bytes) = (0, 0);
        loop {
            let mut part = match parts.next_field().await {
                Ok(Some(part)) if self.fields.len() + self.files.len() < MOST => part,
                Ok(None) => return true,
                _ => return false,
            };
            let field = part.name().unwrap_or_default().to_owned();
            let file = part.file_name().map(str::to_owned);
            let kind = part.content_type().unwrap_or_default().to_owned();
            let mut bytes = Vec::new();
            loop {
                match part.chunk().await {
                    Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                    Ok(None) => break,
                    Err(_) => return false,
                }
                let (used, most) = match file {
                    Some(_) => (file_bytes, LARGEST_FILES),
                    None => (text_bytes, LARGEST_TEXT),
                };
                if used + bytes.len() > most {
                    return false;
                }
            }
            match file {
                Some(name) => {
                    file_bytes += bytes.len();
                    self.files.push(File { field, name, kind, bytes });
                }
                None => {
                    text_bytes += bytes.len();
                    let Ok(text) = String::from_utf8(bytes) else { return false };
                    self.fields.push((field, text));
                }
            }
        }
    }
}
