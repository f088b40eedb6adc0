#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what stands beside this script. Usage: ./install.sh [PREFIX]   (/usr/local; DESTDIR is put in front)
# Nothing is started. On Debian and Ubuntu take the .deb instead: it can be removed again.
set -eu

prefix=${1:-/usr/local}
target=${DESTDIR:-}$prefix
etc=${DESTDIR:-}/etc
cd "$(dirname "$0")"
mkdir -p "$target" "$etc/bulkhead/policies" "$etc/systemd/system" 2>/dev/null || {
    echo "install.sh: cannot write to $target and $etc; run as root, or set DESTDIR" >&2
    exit 1
}
cp -R bin share "$target/"
mkdir -p "$target/lib"
cp -R lib/cni "$target/lib/"
# systemd looks there whatever the prefix is.
sed "s#/usr/bin/#$prefix/bin/#" lib/systemd/system/bulkhead-agent.service >"$etc/systemd/system/bulkhead-agent.service"
[ -e "$etc/bulkhead/agent.yaml" ] || cp share/doc/bulkhead/agent.yaml "$etc/bulkhead/agent.yaml"
echo "installed below $target; start it with: systemctl daemon-reload && systemctl enable --now bulkhead-agent"
