//! A Library that carries views and SQL.
//!
//! Each `content` is a ViewDefinition (`application/json`) or a query (`application/sql`), and its `title` is the name
//! by which queries use it. A query uses what stands before it in the list.

use std::collections::BTreeSet;
use std::sync::Arc;

use data_encoding::BASE64;
use serde_json::Value;
use views::ViewDefinition;

use crate::error::Error;

/// Queries and views of a Library are at most so many.
const MOST: usize = 200;

/// A view, known by its text.
#[derive(Debug)]
pub struct View {
    /// The name queries use.
    pub name: String,
    /// BLAKE3 of its JSON in canonical form, in hexadecimal: views that are the same have the same.
    pub hash: String,
    /// What it is.
    pub definition: ViewDefinition,
    /// The column that has the key of the resource a row is of, where there is one.
    pub key: Option<String>,
    /// Its JSON.
    pub json: Value,
}

/// A named query.
#[derive(Clone, Debug)]
pub struct Query {
    /// The name others use.
    pub name: String,
    /// Its SQL.
    pub text: String,
}

/// What a Library says.
#[derive(Clone, Debug)]
pub struct Library {
    /// Its canonical address.
    pub url: String,
    /// Its version.
    pub version: String,
    /// Its views.
    pub views: Vec<Arc<View>>,
    /// Its queries, in an order in which each uses only those before it.
    pub queries: Vec<Query>,
    /// BLAKE3 of all views and queries: what is computed is the same where it is.
    pub hash: String,
}

/// A name as SQL has it without quotes.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 60 && name.chars().all(allowed)
}

/// JSON with the members of every object in order.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            out.push('{');
            for (at, name) in names.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                canonical(members.get(name).unwrap_or(&Value::Null), out);
            }
            out.push('}');
        }
        Value::Array(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                canonical(value, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

impl View {
    /// Reads a ViewDefinition.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub fn read(name: &str, json: &[u8]) -> Result<View, Error> {
        let of = format!("the view `{name}`");
        let value: Value = serde_json::from_slice(json).map_err(|e| Error::new(&of, "", e.to_string()))?;
        let definition =
            ViewDefinition::read(json).map_err(|e| Error::new(&of, e.place.clone(), e.message.clone()))?;
        let mut text = String::new();
        canonical(&value, &mut text);
        let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        let columns = value["select"][0]["column"].as_array().map(Vec::as_slice).unwrap_or_default();
        let key = columns.iter().find(|c| c["path"] == "getResourceKey()").and_then(|c| c["name"].as_str());
        let key = key.map(str::to_owned);
        Ok(View { name: name.to_owned(), hash, definition, key, json: value })
    }
}

impl Library {
    /// Reads a Library; its attachments must carry their data.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub fn read(json: &Value) -> Result<Library, Error> {
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let of = format!("Library/{}", text("id"));
        if json["resourceType"] != "Library" {
            return Err(Error::new(of, "resourceType", "this is no Library"));
        }
        let (url, version) = (text("url"), text("version"));
        if url.is_empty() || version.is_empty() {
            return Err(Error::new(of, "url", "a Library needs a url and a version"));
        }
        let content = json["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        if content.is_empty() || content.len() > MOST {
            return Err(Error::new(
                of,
                "content",
                format!("1 to {MOST} contents are needed, views and queries"),
            ));
        }
        let mut library =
            Library { url, version, views: Vec::new(), queries: Vec::new(), hash: String::new() };
        let mut names = BTreeSet::new();
        for (at, attachment) in content.iter().enumerate() {
            let place = format!("content[{at}]");
            library
                .take(attachment, &mut names)
                .map_err(|e| Error::new(&of, format!("{place}{}", e.0), e.1))?;
        }
        let mut hasher = blake3::Hasher::new();
        for view in &library.views {
            hasher.update(view.name.as_bytes()).update(b"\0").update(view.hash.as_bytes()).update(b"\0");
        }
        for query in &library.queries {
            hasher.update(query.name.as_bytes()).update(b"\0").update(query.text.as_bytes()).update(b"\0");
        }
        library.hash = hasher.finalize().to_hex().to_string();
        Ok(library)
    }

    fn take(
        &mut self,
        attachment: &Value,
        names: &mut BTreeSet<String>,
    ) -> Result<(), (&'static str, String)> {
        let name = attachment["title"].as_str().unwrap_or_default();
        if !is_name(name) {
            let said =
                format!("`{name}` is no name; it is of a to z, 0 to 9 and _, and begins with a letter");
            return Err((".title", said));
        }
        if !names.insert(name.to_owned()) {
            return Err((".title", format!("there are two contents named `{name}`")));
        }
        let data =
            attachment["data"].as_str().ok_or((".data", "the content must carry its data".to_owned()))?;
        let bytes = BASE64.decode(data.as_bytes()).map_err(|e| (".data", format!("no base64: {e}")))?;
        match attachment["contentType"].as_str().unwrap_or_default() {
            "application/json" => {
                let view = View::read(name, &bytes).map_err(|e| (".data", e.to_string()))?;
                self.views.push(Arc::new(view));
            }
            "application/sql" => {
                let text =
                    String::from_utf8(bytes).map_err(|_| (".data", "the query is no UTF-8".to_owned()))?;
                self.queries.push(Query { name: name.to_owned(), text });
            }
            other => {
                let said = format!(
                    "`{other}` is not evaluated here; contents are views (application/json) and queries (application/sql)"
                );
                return Err((".contentType", said));
            }
        }
        Ok(())
    }

    /// Whether there is a query of this name.
    #[must_use]
    pub fn has_query(&self, name: &str) -> bool {
        self.queries.iter().any(|q| q.name == name)
    }
}
