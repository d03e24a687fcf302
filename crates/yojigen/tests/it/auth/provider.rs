//! An OpenID provider that says what it is told to.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::systems::Key;

/// What it says.
pub(crate) struct Said {
    pub(crate) metadata: Value,
    pub(crate) keys: Value,
    pub(crate) token: Value,
    /// What the userinfo endpoint says.
    pub(crate) about: Value,
    /// Bodies of what came to the token endpoint, and how it was authorized.
    pub(crate) asked: Vec<(String, String)>,
}

pub(crate) struct Provider {
    pub(crate) issuer: String,
    pub(crate) said: Arc<Mutex<Said>>,
}

fn answer(mut stream: &TcpStream, said: &Mutex<Said>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length, mut authorization) = (String::new(), 0, String::new());
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "authorization" => authorization = value.trim().to_owned(),
            _ => {}
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut said = said.lock().unwrap();
    let told = match first.split(' ').nth(1).unwrap_or_default() {
        "/.well-known/openid-configuration" => &said.metadata,
        "/keys" => &said.keys,
        "/userinfo" => &said.about,
        "/token" => {
            said.asked.push((String::from_utf8(body).unwrap(), authorization));
            &said.token
        }
        _ => &Value::Null,
    };
    let body = told.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

impl Provider {
    pub(crate) fn open(key: &Key) -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let metadata = json!({"issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"), "userinfo_endpoint": format!("{issuer}/userinfo"),
            "end_session_endpoint": format!("{issuer}/leave"), "authorization_response_iss_parameter_supported": true});
        let keys = json!({"keys": [key.jwk]});
        let said = Said { metadata, keys, token: Value::Null, about: Value::Null, asked: Vec::new() };
        let said = Arc::new(Mutex::new(said));
        let shared = Arc::clone(&said);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(&stream, &shared);
            }
        });
        Provider { issuer, said }
    }

    /// Gives this id_token from now on.
    pub(crate) fn give(&self, id_token: &str) {
        self.said.lock().unwrap().token =
            json!({"access_token": "a", "token_type": "Bearer", "id_token": id_token});
    }
}
