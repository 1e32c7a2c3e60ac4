#!/bin/sh
# Makes the passwords that compose.yaml needs, once.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
for name in postgres_password owner_password gateway_password; do
    [ -s "secrets/$name" ] || head -c 24 /dev/urandom | base64 | tr -d '\n/+=' >"secrets/$name"
    # Containers read them as other users than the one who made them; the directory keeps others out.
    chmod 0644 "secrets/$name"
done
