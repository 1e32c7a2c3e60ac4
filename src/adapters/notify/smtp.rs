//! A dialogue with a mail server (RFC 5321): one message per connection, inside TLS from the start
//! (RFC 8314) or after STARTTLS (RFC 3207), with AUTH PLAIN (RFC 4616) if there is a login.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::channel::SendFault;
use crate::adapters::http_client::Client;
use crate::domain::config::MailTls;
use crate::domain::notify::mail::Address;
use crate::types::Secret;

/// Longest answer to one command, in lines and bytes (RFC 5321 section 4.5.3.1.5: 512 a line).
const MAX_LINES: usize = 64;
const MAX_LINE: usize = 2_048;

/// Where mail goes out.
pub(super) struct MailServer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: MailTls,
    pub(super) login: Option<(String, Secret<String>)>,
}

/// Hands a message over.
pub(super) async fn send(
    server: &MailServer,
    client: &Client,
    own_name: &str,
    from: &Address,
    to: &[Address],
    message: &[u8],
) -> Result<(), SendFault> {
    let letter = Letter {
        server,
        own_name,
        from,
        to,
        message,
    };
    let stream = TcpStream::connect((server.host.as_str(), server.port))
        .await
        .map_err(|error| later(format!("cannot connect: {error}")))?;
    match server.tls {
        MailTls::None => letter.hand_over(BufReader::new(stream), true).await,
        MailTls::Implicit => {
            let stream = client.wrap(&server.host, stream).await.map_err(later)?;
            letter.hand_over(BufReader::new(stream), true).await
        }
        MailTls::StartTls => {
            let mut plain = BufReader::new(stream);
            expect(&mut plain, 220).await?;
            say(&mut plain, &format!("EHLO {own_name}")).await?;
            expect(&mut plain, 250).await?;
            say(&mut plain, "STARTTLS").await?;
            expect(&mut plain, 220).await?;
            if !plain.buffer().is_empty() {
                // Whoever speaks before the handshake is not the server (CVE-2011-0411).
                return Err(later("the server spoke before the handshake".to_owned()));
            }
            let stream = client
                .wrap(&server.host, plain.into_inner())
                .await
                .map_err(later)?;
            letter.hand_over(BufReader::new(stream), false).await
        }
    }
}

struct Letter<'a> {
    server: &'a MailServer,
    own_name: &'a str,
    from: &'a Address,
    to: &'a [Address],
    message: &'a [u8],
}

impl Letter<'_> {
    async fn hand_over<S>(&self, mut stream: BufReader<S>, greets: bool) -> Result<(), SendFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = &mut stream;
        if greets {
            expect(stream, 220).await?;
        }
        say(stream, &format!("EHLO {}", self.own_name)).await?;
        expect(stream, 250).await?;
        if let Some((name, password)) = &self.server.login {
            let plain = STANDARD.encode(format!("\0{name}\0{}", password.expose()));
            say(stream, &format!("AUTH PLAIN {plain}")).await?;
            expect(stream, 235).await?;
        }
        say(stream, &format!("MAIL FROM:<{}>", self.from.as_str())).await?;
        expect(stream, 250).await?;
        for address in self.to {
            say(stream, &format!("RCPT TO:<{}>", address.as_str())).await?;
            expect(stream, 250).await?;
        }
        say(stream, "DATA").await?;
        expect(stream, 354).await?;
        let broken = |error: std::io::Error| later(format!("the connection broke: {error}"));
        stream
            .write_all(&dotted(self.message))
            .await
            .map_err(broken)?;
        stream.write_all(b".\r\n").await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        expect(stream, 250).await?;
        // It has been taken: what comes of the goodbye does not matter.
        let _ = say(stream, "QUIT").await;
        Ok(())
    }
}

/// Lines that begin with a dot get another one (RFC 5321 section 4.5.2).
fn dotted(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 16);
    let mut is_start = true;
    for byte in message {
        if is_start && *byte == b'.' {
            out.push(b'.');
        }
        out.push(*byte);
        is_start = *byte == b'\n';
    }
    out
}

async fn say<S: AsyncWrite + AsyncRead + Unpin>(
    stream: &mut BufReader<S>,
    line: &str,
) -> Result<(), SendFault> {
    let broken = |error: std::io::Error| later(format!("the connection broke: {error}"));
    stream.write_all(line.as_bytes()).await.map_err(broken)?;
    stream.write_all(b"\r\n").await.map_err(broken)?;
    stream.flush().await.map_err(broken)
}

/// Reads an answer, which may have several lines, and compares its code. Texts are not repeated:
/// a server may quote what it was told.
async fn expect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    wanted: u16,
) -> Result<(), SendFault> {
    for _ in 0..MAX_LINES {
        let line = read_line(stream).await?;
        let code: u16 = line
            .get(..3)
            .and_then(|code| code.parse().ok())
            .unwrap_or_default();
        if line.as_bytes().get(3) == Some(&b'-') {
            continue;
        }
        return match code {
            _ if code == wanted => Ok(()),
            // A login that is refused (53x) can be put right; a message that is refused cannot.
            500..=529 | 540..=599 => Err(SendFault::refused(format!(
                "the mail server answered {code}"
            ))),
            _ => Err(later(format!(
                "the mail server answered {code}, not {wanted}"
            ))),
        };
    }
    Err(later("the mail server does not stop talking".to_owned()))
}

async fn read_line<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
) -> Result<String, SendFault> {
    let mut line = Vec::new();
    loop {
        let chunk = stream
            .fill_buf()
            .await
            .map_err(|error| later(format!("the connection broke: {error}")))?;
        if chunk.is_empty() {
            return Err(later("the mail server hung up".to_owned()));
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(chunk.len(), |end| end + 1);
        line.extend_from_slice(chunk.get(..taken).unwrap_or_default());
        stream.consume(taken);
        if end.is_some() {
            return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        if line.len() > MAX_LINE {
            return Err(later("the mail server sends an endless line".to_owned()));
        }
    }
}

fn later(reason: String) -> SendFault {
    SendFault {
        reason,
        is_final: false,
    }
}
