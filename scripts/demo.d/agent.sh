# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# The agent of the demo: in the shop's namespace, with directories, socket and pins of its own. Sourced by scripts/demo.

binaries=${BULKHEAD_BINARIES:-.build/release}
agent=

bulkhead() { BULKHEAD_SOCKET=$state/bulkhead.sock "$binaries/bulkhead" "$@"; }

start_agent() { # flags...
    nsenter --net="/run/netns/$namespace" "$binaries/bulkhead-agent" --state-dir "$state/lib" --run-dir "$state" \
        --bpffs "$pins" --policy-dir "$state/policies" --workloads "$state/workloads.yaml" \
        --podman-socket "$state/podman.sock" --docker-socket '' "$@" >>"$state/agent.log" 2>&1 &
    agent=$!
    await_agent
}

await_agent() {
    local deadline=$((SECONDS + 20))
    until [ "$(bulkhead status -o json 2>/dev/null | jq -r '"\(.condition) \(.state.attachedEndpoints)"')" = "ready 4" ]; do
        if [ $SECONDS -ge $deadline ] || ! kill -0 "$agent" 2>/dev/null; then
            tail -n 20 "$state/agent.log" >&2
            bulkhead status >&2 || true
            die "the agent did not become ready; its last lines are printed above"
        fi
        sleep 0.05
    done
}

kill_agent() {
    tell "kill -9 $agent"
    kill -KILL "$agent"
    wait "$agent" 2>/dev/null || true
    agent=
}

stop_agent() {
    [ -n "${state:-}" ] && [ -d "${state:-}" ] || return 0
    if [ -n "$agent" ] && kill -0 "$agent" 2>/dev/null; then
        timeout 10 "$binaries/bulkhead" detach --socket "$state/bulkhead.sock" >/dev/null 2>&1
        kill "$agent" 2>/dev/null
        await_end "$agent" || kill -KILL "$agent" 2>/dev/null
        wait "$agent" 2>/dev/null
    fi
    agent=
    # Whatever happened: no pin outlives the demo.
    [ -z "${pins:-}" ] || rm -rf "$pins"
}

# Flows up to now no longer count; remember_flows then keeps what came after, newest last, one JSON object a line.
flows_before=0
forget_flows() { flows_before=$(bulkhead observe --last 1 -o json | jq -s 'last.sequence // 0'); }

remember_flows() {
    sleep 0.3
    bulkhead observe --last 16384 -o json | jq -c --argjson before "$flows_before" 'select(.sequence > $before)' \
        >"$state/flows"
}
