//! Receives: listeners, connections and the proxy with its stages.

pub mod admin;
mod front;
pub mod groups;
pub mod proxy;
mod server;
mod sockets;
mod tls;
mod upstreams;
pub mod witness;
mod write_buffer;

pub use admin::{AdminServer, AdminTls, PreparedAdminTls};
pub use server::{ServeError, Server, ServerWatch, StopReport};
pub use sockets::{Inherited, SharedSockets};
pub use tls::{ListenerTlsHandle, PreparedTls, TlsError};
pub use upstreams::{CaError, Server as UpstreamServer, keep_resolved, resolve_new};
