//! Stands in for the bank: answers every request with the same JSON body, as cheaply as it can.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{Failure, message, samples};

/// Larger than any request that is sent here.
const REQUEST_BYTES: usize = 64 * 1024;

/// Serves until the process is ended.
///
/// # Errors
/// The port cannot be listened on.
pub(crate) fn serve(port: u16, body_bytes: usize) -> Result<(), Failure> {
    let body = samples::customer(body_bytes);
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len(),
    );
    let answer: &'static [u8] = Vec::leak(answer.into_bytes());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // An error ends one connection, which the other side sees for itself.
            tokio::spawn(converse(stream, answer));
        }
    })
}

async fn converse(mut stream: TcpStream, answer: &[u8]) -> Result<(), Failure> {
    let mut buffer = vec![0; REQUEST_BYTES];
    let mut filled = 0;
    loop {
        while let Some(length) = request_length(buffer.get(..filled).unwrap_or_default()) {
            if length > filled {
                break;
            }
            buffer.copy_within(length..filled, 0);
            filled -= length;
            stream.write_all(answer).await?;
        }
        let space = buffer.get_mut(filled..).unwrap_or_default();
        match stream.read(space).await? {
            // Also if the request is larger than the buffer.
            0 => return Ok(()),
            count => filled += count,
        }
    }
}

/// Bytes of the first request, body included, if its head is there.
fn request_length(bytes: &[u8]) -> Option<usize> {
    let head = message::head(bytes)?;
    let body = if head.starts_with(b"GET ") {
        0
    } else {
        message::content_length(head).unwrap_or(0)
    };
    Some(head.len() + body)
}
