#!/bin/sh
# Sees to it that the programs are there that building (`need.sh build`) or testing
# (`need.sh test`) needs: installs Debian packages where it may, else says what to install.
set -eu

missing=""
need() { # program package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}

case "${1:-}" in
build)
    need cargo cargo
    need cc gcc
    # zlib-ng, which Pingora always builds.
    need cmake cmake
    need make make
    ;;
test)
    # The vendors' own clients run against the gateway. Debian has venv in a package of its own.
    need python3 python3
    if command -v python3 >/dev/null 2>&1 && ! python3 -c 'import ensurepip' >/dev/null 2>&1; then
        missing="$missing python3-venv"
    fi
    # The tests start servers of their own. Debian keeps them out of the path.
    if [ -z "${EGRET_TEST_POSTGRES_URL:-}" ] && ! command -v initdb >/dev/null 2>&1 &&
        ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
        missing="$missing postgresql"
    fi
    if ! command -v redis-server >/dev/null 2>&1 && ! command -v valkey-server >/dev/null 2>&1; then
        missing="$missing redis-server"
    fi
    need setpriv util-linux
    # The console is tried in a real browser.
    need chromium chromium
    need node nodejs
    # Scrapes the gateway and answers the dashboards' questions; deploy/check.sh checks with the others.
    need prometheus prometheus
    need promtool prometheus
    need systemd-analyze systemd
    need npm npm
    ;;
*)
    echo "usage: need.sh build|test" >&2
    exit 2
    ;;
esac

[ -z "$missing" ] && exit 0

case "$missing" in
*cargo*)
    echo "Rust is not installed: see https://rustup.rs" >&2
    exit 1
    ;;
esac

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo"
    else
        echo "please install:$missing (on Debian: apt-get install$missing)" >&2
        exit 1
    fi
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "please install:$missing" >&2
    exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of packages
$as_root apt-get install -y -q $missing >/dev/null 2>&1 || {
    $as_root apt-get update -q >/dev/null
    $as_root apt-get install -y -q $missing
}
