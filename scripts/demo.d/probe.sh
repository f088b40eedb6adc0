# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Who reaches whom: connects from every workload to every server, over both families, and prints the answers as a matrix.
# Sourced by scripts/demo.

sources=(web api db intruder world)
# What the policies of Examples/shop allow; everything else must be cut.
allowed=" web:api api:db intruder:web world:web "
declare -A answer cause process

address_of() { # name family
    case $1-$2 in
    world-4) echo "$world4" ;;
    world-6) echo "$world6" ;;
    *-4) address4_of "$1" ;;
    *) address6_of "$1" ;;
    esac
}

# Runs a command where the named workload's network is.
at() { # name command...
    local name=$1
    shift
    if [ "$name" = world ]; then
        nsenter --net="/run/netns/$namespace-world" "$@"
    else
        nsenter --net="/proc/${process[$name]}/ns/net" "$@"
    fi
}

each_pair() { # function
    local source server family
    for source in "${sources[@]}"; do
        for server in "${servers[@]}"; do
            [ "$source" != "$server" ] || continue
            for family in 4 6; do "$1" "$source" "$server" "$family"; done
        done
    done
}

start_probe() {
    local result=$state/probe-$1-$2-$3
    {
        if at "$1" nc -z -w 1 "$(address_of "$2" "$3")" "$(port_of "$2")" >/dev/null 2>&1; then
            echo open
        else
            echo cut
        fi >"$result"
    } &
    probes+=($!)
}

take_answer() { answer[$1-$2-$3]=$(cat "$state/probe-$1-$2-$3"); }

probe_all() {
    local probes=()
    each_pair start_probe
    wait "${probes[@]}"
    each_pair take_answer
}

print_matrix() {
    local source server
    printf '\n    %-10s' 'from \ to'
    for server in "${servers[@]}"; do printf '%-18s' "$server:$(port_of "$server")"; done
    printf '\n    %-10s' ''
    for server in "${servers[@]}"; do printf '%-6s%-12s' IPv4 IPv6; done
    printf '\n'
    for source in "${sources[@]}"; do
        printf '    %-10s' "$source"
        for server in "${servers[@]}"; do
            printf '%-6s%-12s' "${answer[$source-$server-4]:--}" "${answer[$source-$server-6]:--}"
        done
        printf '\n'
    done
    printf '\n'
}

# One check for each probe: does the answer match what the policies say?
compare_with_policy() { # source server family
    local wanted=cut
    [[ $allowed != *" $1:$2 "* ]] || wanted=open
    check "$1 to $2:$(port_of "$2") over IPv$3 is $wanted" [ "${answer[$1-$2-$3]}" = "$wanted" ]
}

compare_with_flat() { check "$1 to $2:$(port_of "$2") over IPv$3 is open" [ "${answer[$1-$2-$3]}" = open ]; }

# The newest record about a pair, as verdict|rule|reason|direction and endpoint. A way that passes is named by the
# receiver's record; one that is cut by the side that cut it, the sender's first.
record_of() { # file source server family
    jq -rs --arg from "$(address_of "$2" "$4")" --arg to "$(address_of "$3" "$4")" --argjson port "$(port_of "$3")" '
        map(select(.source.address == $from and .destination.address == $to and .destination.port == $port))
        | map(select(.verdict != "allow")) as $cut
        | ($cut | map(select(.direction == "egress")) | last) // ($cut | last)
            // (map(select(.direction == "ingress")) | last) // last
        | if . then [.verdict, .rule, .reason // "", "\(.direction) of \(.endpoint)"] | join("|") else empty end' "$1"
}

print_causes() { # file
    local source server verdict rule reason where
    printf '    %-22s %-8s %-26s %s\n' 'from to' verdict 'judged at' 'rule or reason'
    for source in "${sources[@]}"; do
        for server in "${servers[@]}"; do
            [ "$source" != "$server" ] || continue
            for family in 4 6; do
                IFS='|' read -r verdict rule reason where < <(record_of "$1" "$source" "$server" "$family") || true
                cause[$source-$server-$family]=$verdict:$rule
                printf '    %-22s %-8s %-26s %s\n' "$source to $server (IPv$family)" "${verdict:-?}" "${where:-?}" \
                    "${rule:-?}${reason:+ ($reason)}"
            done
        done
    done
    printf '\n'
}
