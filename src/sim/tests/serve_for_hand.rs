//! Not a test of its own: serves a simulator for the Python flows, when asked by environment.

use std::sync::Arc;

use tokio::net::TcpListener;

use crate::sim::{SimOptions, Vendor, serve};
use crate::types::Micros;

/// `EGRET_SIM_SERVE=cybrid:4010` serves until killed.
#[tokio::test]
async fn serves_when_asked() {
    let Ok(wanted) = std::env::var("EGRET_SIM_SERVE") else {
        return;
    };
    let (vendor, port) = wanted.split_once(':').unwrap();
    let vendor: Vendor = vendor.parse().unwrap();
    let clock = Arc::new(|| Micros(jiff::Timestamp::now().as_microsecond()));
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))
        .await
        .unwrap();
    serve(listener, SimOptions::new(vendor, clock))
        .await
        .unwrap();
}
