#!/bin/sh
# Measures Egret against a stock Pingora pass-through and nginx on this machine, all built alike.
# Options go on to the comparison: `benches/e2e.sh --help`.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
"$cargo" build --profile dist --bin egret --example bare_pingora --example load
exec "$cargo" run --quiet --profile dist --example load -- compare "$@"
