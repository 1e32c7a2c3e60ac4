#!/bin/sh
# The ledger's owner, who migrates, and the gateway's login, who only adds rows. The image of Postgres runs it
# once, for an empty volume.
set -eu
secrets=${SECRETS:-/run/secrets}
owner_password=$(cat "$secrets/owner_password")
gateway_password=$(cat "$secrets/gateway_password")
psql -v ON_ERROR_STOP=1 -U postgres -d egret \
    -v owner_password="$owner_password" -v gateway_password="$gateway_password" <<'SQL'
CREATE ROLE egret_owner LOGIN CREATEROLE PASSWORD :'owner_password';
GRANT CREATE ON DATABASE egret TO egret_owner;
CREATE ROLE egret_writer NOLOGIN;
CREATE ROLE egret_auditor NOLOGIN;
GRANT egret_writer, egret_auditor TO egret_owner WITH ADMIN OPTION;
CREATE ROLE egret_gateway LOGIN PASSWORD :'gateway_password';
GRANT egret_writer TO egret_gateway;
SQL
