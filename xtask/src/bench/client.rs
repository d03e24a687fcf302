//! A client that costs little, as it shares the processors with the hub: HTTP/1.1, one connection, one request at a
//! time.

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Header lines of every request, each with its end.
    headers: String,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `Location`, without the base.
    pub(crate) location: Option<String>,
    /// Name and value of the cookies it sets.
    pub(crate) cookies: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Result<Connection> {
        Connection::with(address, "").await
    }

    /// One that sends these header lines with every request.
    pub(crate) async fn with(address: &str, headers: &str) -> Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(64 << 10), headers: headers.to_owned() })
    }

    /// Sends; `path` is relative to /fhir.
    pub(crate) async fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Answer> {
        self.send_as(method, &format!("/fhir{path}"), "application/fhir+json", body).await
    }

    /// Sends a body of some media type to any path.
    pub(crate) async fn send_as(
        &mut self,
        method: &str,
        path: &str,
        media: &str,
        body: &[u8],
    ) -> Result<Answer> {
        let mut request = Vec::with_capacity(body.len() + 400);
        request.extend_from_slice(
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{}", self.headers).as_bytes(),
        );
        if !body.is_empty() {
            request.extend_from_slice(format!("content-type: {media}\r\n").as_bytes());
        }
        request.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        request.extend_from_slice(body);
        self.stream.write_all(&request).await?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the hub closed the connection");
            }
        };
        let text = std::str::from_utf8(&self.buffer[..head])?;
        let status = text.split(' ').nth(1).context("no status")?.parse()?;
        let header = |name: &str| {
            let line =
                text.lines().find(|l| l.len() > name.len() && l[..name.len()].eq_ignore_ascii_case(name))?;
            Some(line[name.len() + 1..].trim().to_owned())
        };
        let length: usize = header("content-length").map_or(Ok(0), |l| l.parse())?;
        let location =
            header("location").and_then(|l| l.split_once("/fhir").map(|(_, path)| path.to_owned()));
        let cookies = text
            .lines()
            .filter_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next().map(str::to_owned))
            .collect();
        while self.buffer.len() < head + length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the hub closed the connection");
            }
        }
        Ok(Answer { status, location, cookies, body: self.buffer[head..head + length].to_vec() })
    }
}
