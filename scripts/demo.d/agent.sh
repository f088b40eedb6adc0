# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# The agent of the demo: in the shop's namespace, with directories, socket and pins of its own. Sourced by scripts/demo.

binaries=.build/release
agent=

bulkhead() { "$binaries/bulkhead" --socket "$state/agent.sock" "$@"; }
