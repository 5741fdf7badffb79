//! One kept-alive HTTP/1.1 connection over TLS.

use crate::kubeconfig::Target;
use anyhow::{Context, Result, bail};
use rustls::{ClientConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// The connection.
pub(crate) struct Connection {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    head: String,
    body: Vec<u8>,
    request: Vec<u8>,
}

impl Connection {
    /// Connects and shakes hands with the first request.
    pub(crate) fn open(target: &Target) -> Result<Self> {
        let socket = TcpStream::connect(&target.address)
            .with_context(|| format!("cannot connect to {}", target.address))?;
        socket.set_nodelay(true)?;
        let tls = ClientConnection::new(Arc::clone(&target.tls), target.name.clone())?;
        let authorization = target
            .token
            .as_ref()
            .map_or(String::new(), |t| format!("Authorization: Bearer {t}\r\n"));
        Ok(Self {
            stream: BufReader::with_capacity(64 << 10, StreamOwned::new(tls, socket)),
            head: format!(
                "Host: {}\r\nUser-Agent: load\r\nAccept: application/json\r\n{authorization}",
                target.address
            ),
            body: Vec::new(),
            request: Vec::new(),
        })
    }

    /// Sends a request and reads the whole response; its status code. The body stays in
    /// [`Connection::body`].
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &str) -> Result<u16> {
        self.request.clear();
        write!(self.request, "{method} {path} HTTP/1.1\r\n{}", self.head)?;
        if !body.is_empty() {
            write!(
                self.request,
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            )?;
        }
        write!(self.request, "\r\n{body}")?;
        let stream = self.stream.get_mut();
        stream.write_all(&self.request)?;
        stream.flush()?;
        self.read()
    }

    /// The last response's body.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    fn read(&mut self) -> Result<u16> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let code = line
            .split_whitespace()
            .nth(1)
            .and_then(|code| code.parse().ok())
            .with_context(|| format!("no HTTP response: {line:?}"))?;
        let (mut length, mut chunked) = (None, false);
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                bail!("the connection was closed within a response");
            }
            let header = line.trim_end();
            if header.is_empty() {
                break;
            }
            let Some((name, value)) = header.split_once(':') else {
                continue;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse::<usize>().ok();
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = value.trim().eq_ignore_ascii_case("chunked");
            }
        }
        self.body.clear();
        if chunked {
            self.read_chunks()?;
        } else {
            self.take(length.unwrap_or(0))?;
        }
        Ok(code)
    }

    fn take(&mut self, length: usize) -> Result<()> {
        let copied = self
            .stream
            .by_ref()
            .take(length as u64)
            .read_to_end(&mut self.body)?;
        if copied < length {
            bail!("the connection was closed within a body");
        }
        Ok(())
    }

    fn read_chunks(&mut self) -> Result<()> {
        let mut line = String::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim(), 16)
                .with_context(|| format!("no chunk size: {line:?}"))?;
            self.take(size)?;
            line.clear();
            self.stream.read_line(&mut line)?;
            if size == 0 {
                return Ok(());
            }
        }
    }
}
