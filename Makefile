# The commands that README.md promises. Each installs what it needs, or says what to install.

CARGO ?= cargo

.PHONY: demo test soak bench lint fmt tools clean

# Simulators, the gateway and a few seconds of traffic, then the audit rows that it made.
demo: tools
	$(CARGO) run --release --bin egret -- demo

# Every test: units, properties, integration over real sockets, and the vendors' Python clients.
test: tools
	deploy/need.sh test
	$(CARGO) test

# `kill -9` under load again and again, with outages of the ledger: EGRET_SOAK_MINUTES, 10 if not set.
soak: tools
	$(CARGO) test --release --test it crash::soak -- --ignored --nocapture

# Parts, then Egret against a bare Pingora and nginx on this machine.
bench: tools
	$(CARGO) bench --bench parts
	benches/e2e.sh

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

fmt:
	$(CARGO) fmt

tools:
	deploy/need.sh build

clean:
	$(CARGO) clean
