//! A stock Pingora pass-through: what the gateway is measured against.
//!
//! Pingora's own server, runtime (work stealing) and connection pool as they come, the system's
//! allocator, and nothing done to a request. Only the number of threads is set, since Pingora's
//! default of one would leave the other cores idle.

use std::error::Error;
use std::net::SocketAddr;

use async_trait::async_trait;
use clap::Parser;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

/// Forwards every request to one origin over HTTP/1.1 with keep-alive.
#[derive(Parser)]
struct Arguments {
    /// Port to listen on, on 127.0.0.1
    port: u16,
    /// Address of the origin
    origin: SocketAddr,
    /// Threads; as many as there are cores if left out
    #[arg(long)]
    threads: Option<usize>,
}

struct PassThrough {
    origin: SocketAddr,
}

#[async_trait]
impl ProxyHttp for PassThrough {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        _ctx: &mut Self::CTX,
    ) -> pingora_core::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.origin, false, String::new())))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let threads = match arguments.threads {
        Some(threads) => threads,
        None => std::thread::available_parallelism()?.get(),
    };
    let conf = ServerConf {
        threads,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let origin = arguments.origin;
    let mut proxy = http_proxy_service(&server.configuration, PassThrough { origin });
    proxy.add_tcp(&format!("127.0.0.1:{}", arguments.port));
    server.add_service(proxy);
    server.run_forever()
}
