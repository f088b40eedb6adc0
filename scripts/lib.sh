# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What every script of this folder shares. Source it first: it enters the repository and makes failures visible.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
repository=$PWD

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
    warn "$(basename "$0"): $*"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }

# Runs a command as root: directly, or through sudo, or refuses with the remedy.
as_root() {
    if is_root; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        die "'$1' needs root and sudo is not installed; run this command as root"
    fi
}

# Refuses politely where a verb cannot work without privileges.
require_root() {
    is_root || die "$1 needs root (it makes network namespaces and loads kernel programs); run: sudo -E make $2"
}

# Build tools keep caches under HOME; a service or a bare shell may not have one.
ensure_home() {
    if [ -n "${HOME:-}" ] && [ -w "$HOME" ]; then return; fi
    HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
    if [ -z "$HOME" ] || [ ! -w "$HOME" ]; then
        HOME=$repository/.build/home
        mkdir -p "$HOME"
    fi
    export HOME
}

# The one place that says which Swift: bootstrap installs this release, any of the same or a later series will do.
swift_release=$(<"$repository/.swift-version")
minimum_swift=${swift_release%.*}

# Prints "6.3" for the compiler at path $1, nothing when it does not run.
swift_version_of() {
    "$1" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1
}

version_at_least() { # have, wanted
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# Prints the compilers there are: from PATH, then from where toolchains are usually unpacked.
swift_candidates() {
    local candidate
    local swiftly=${SWIFTLY_TOOLCHAINS_DIR:-${SWIFTLY_HOME_DIR:-${HOME:-/nonexistent}/.local/share/swiftly}/toolchains}
    # BULKHEAD_TOOLCHAIN_ROOT: where to look in place of / (tests of bootstrap).
    local root=${BULKHEAD_TOOLCHAIN_ROOT:-}
    for candidate in "$(command -v swift || true)" "${swiftly%/toolchains}"/bin/swift \
        "$swiftly"/*/usr/bin/swift "$root"/opt/*/usr/bin/swift "$root"/usr/local/*/usr/bin/swift; do
        [ ! -x "$candidate" ] || printf '%s\n' "$candidate"
    done
}

# Prints the first compiler that runs and is new enough.
find_swift() {
    local candidate version
    while read -r candidate; do
        version=$(swift_version_of "$candidate" </dev/null)
        if [ -n "$version" ] && version_at_least "$version" "$minimum_swift"; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done < <(swift_candidates)
    return 1
}
