# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# The fleet of the cluster's demo: three nodes, each a network namespace with a member of etcd, an agent with a BPF file
# system and a cgroup of its own, and two workloads; routed to each other over a network that they share. Sourced by
# scripts/demo-cluster.
#
#   node 1: db, web-1      node 2: api, web-2      node 3: cache, job
#      10.197.1.0/24          10.197.2.0/24           10.197.3.0/24
#            \______________________|______________________/
#                          10.197.250.0/24

binaries=${BULKHEAD_BINARIES:-.build/release}
nodes=(1 2 3)
workloads=(db web-1 api web-2 cache job)
declare -A node_of=([db]=1 [web-1]=1 [api]=2 [web-2]=2 [cache]=3 [job]=3)
declare -A app_of=([db]=db [web-1]=web [api]=api [web-2]=web [cache]=cache [job]=job)
declare -A port_of=([db]=5432 [api]=8080 [cache]=6379)
declare -A agents=() members=()

space() { echo "$namespace-$1"; }

# A process of a node or of a workload, in its namespace and in the node's cgroup. To be put into the background: the
# process is then the command itself, not a shell that waits for it.
start() { # place node command...
    echo 0 >"$cgroups/n$2/cgroup.procs"
    exec nsenter --net="/run/netns/$(space "$1")" "${@:3}"
}

at() { # place command...
    local place=$1
    shift
    nsenter --net="/run/netns/$(space "$place")" "$@"
}

address_of() { # workload
    local place
    for place in "${!workloads[@]}"; do
        [ "${workloads[place]}" != "$1" ] || echo "10.197.${node_of[$1]}.$((10 + place))"
    done
}

on_fabric() { echo "10.197.250.$1"; }

bulkhead_at() { # node command...
    BULKHEAD_SOCKET=$state/n$1/run/bulkhead.sock "$binaries/bulkhead" "${@:2}"
}

make_fleet() {
    local node workload
    cgroups=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/$namespace
    [ -d "${cgroups%/*}" ] || die "no cgroup2 is mounted"
    mkdir "$cgroups"
    ip netns add "$(space fabric)"
    ip -n "$(space fabric)" link set lo up
    ip -n "$(space fabric)" link add lan type bridge
    ip -n "$(space fabric)" link set lan up
    for node in "${nodes[@]}"; do make_node "$node"; done
    for workload in "${workloads[@]}"; do make_workload "$workload"; done
    for workload in "${!port_of[@]}"; do serve "$workload"; done
}

make_node() { # node
    local other
    mkdir "$cgroups/n$1"
    mkdir -p "$state/n$1/"{bpf,run,lib,policies}
    mount -t bpf "bulkhead-n$1" "$state/n$1/bpf"
    printf 'workloads:\n' >"$state/n$1/workloads.yaml"
    ip netns add "$(space "n$1")"
    ip -n "$(space "n$1")" link set lo up
    at "n$1" sysctl -qw net.ipv4.ip_forward=1
    ip -n "$(space fabric)" link add "n$1" type veth peer name up0 netns "$(space "n$1")"
    ip -n "$(space fabric)" link set "n$1" master lan up
    ip -n "$(space "n$1")" addr add "$(on_fabric "$1")/24" dev up0
    ip -n "$(space "n$1")" link set up0 up
    for other in "${nodes[@]}"; do
        [ "$other" = "$1" ] || ip -n "$(space "n$1")" route add "10.197.$other.0/24" via "$(on_fabric "$other")"
    done
}

make_workload() { # name
    local node=${node_of[$1]}
    ip netns add "$(space "$1")"
    ip -n "$(space "$1")" link set lo up
    ip -n "$(space "n$node")" link add "$1" type veth peer name eth0 netns "$(space "$1")"
    ip -n "$(space "n$node")" link set "$1" up
    ip -n "$(space "n$node")" addr replace "10.197.$node.1/32" dev "$1"
    ip -n "$(space "n$node")" route add "$(address_of "$1")/32" dev "$1"
    ip -n "$(space "$1")" addr add "$(address_of "$1")/32" dev eth0
    ip -n "$(space "$1")" link set eth0 up
    ip -n "$(space "$1")" route add "10.197.$node.1/32" dev eth0
    ip -n "$(space "$1")" route add default via "10.197.$node.1"
    cat >>"$state/n$node/workloads.yaml" <<END
  - name: $1
    namespace: shop
    labels: {app: ${app_of[$1]}}
    netns: /run/netns/$(space "$1")
END
}

serve() { # workload
    mkdir -p "$state/nginx-$1"
    cat >"$state/nginx-$1.conf" <<END
daemon off; master_process off; pid $state/nginx-$1.pid; error_log stderr crit; user root;
events {}
http {
    access_log off;
    client_body_temp_path $state/nginx-$1; proxy_temp_path $state/nginx-$1; fastcgi_temp_path $state/nginx-$1;
    uwsgi_temp_path $state/nginx-$1; scgi_temp_path $state/nginx-$1;
    server { listen ${port_of[$1]}; location / { default_type text/plain; return 200 "$1\n"; } }
}
END
    start "$1" "${node_of[$1]}" nginx -e stderr -c "$state/nginx-$1.conf" >"$state/nginx-$1.log" 2>&1 &
    disown $!
}

# The store: a member on each node.
start_member() { # node
    local other peers=
    for other in "${nodes[@]}"; do peers+="m$other=http://$(on_fabric "$other"):2380,"; done
    start "n$1" "$1" etcd --name "m$1" --data-dir "$state/n$1/etcd" --log-level error \
        --listen-client-urls "http://$(on_fabric "$1"):2379" --advertise-client-urls "http://$(on_fabric "$1"):2379" \
        --listen-peer-urls "http://$(on_fabric "$1"):2380" \
        --initial-advertise-peer-urls "http://$(on_fabric "$1"):2380" \
        --initial-cluster "${peers%,}" --initial-cluster-token "$namespace" >>"$state/n$1/etcd.log" 2>&1 &
    members[$1]=$!
    disown $!
}

etcd_ends() {
    local node ends=
    for node in "${nodes[@]}"; do ends+="http://$(on_fabric "$node"):2379,"; done
    echo "${ends%,}"
}

# From node 1, which is never cut off.
store() { ETCDCTL_API=3 at n1 etcdctl --endpoints "$(etcd_ends)" --command-timeout 10s "$@"; }

store_answers() { store endpoint health --cluster >/dev/null 2>&1; }

# The node whose member leads.
leader() {
    local node
    for node in "${nodes[@]}"; do
        if ETCDCTL_API=3 at "n$node" etcdctl --endpoints "http://$(on_fabric "$node"):2379" endpoint status 2>/dev/null |
            cut -d , -f 5 | grep -q true; then
            echo "$node"
            return
        fi
    done
}

start_agent() { # node
    cat >"$state/n$1/agent.yaml" <<END
nodeName: node-$1
podmanSocket: ''
dockerSocket: ''
apiGroup: ''
policyDirectory: $state/n$1/policies
workloadsFile: $state/n$1/workloads.yaml
stateDirectory: $state/n$1/lib
runDirectory: $state/n$1/run
bpfDirectory: $state/n$1/bpf/bulkhead
cluster:
  endpoints: [$(etcd_ends)]
  leaseTime: 10s
  grace: 60s
END
    start "n$1" "$1" "$binaries/bulkhead-agent" --config "$state/n$1/agent.yaml" >>"$state/n$1/agent.log" 2>&1 &
    agents[$1]=$!
}

# Ready, its two workloads attached, and all workloads of the others known.
agent_is_ready() { # node
    [ "$(bulkhead_at "$1" status -o json 2>/dev/null |
        jq -r '"\(.condition) \(.state.attachedEndpoints) \(.cluster.connected) \(.cluster.workloads)"')" = "ready 2 true 4" ]
}

await_agent() { # node
    local deadline=$((SECONDS + 30))
    until agent_is_ready "$1"; do
        if [ $SECONDS -ge $deadline ] || ! kill -0 "${agents[$1]}" 2>/dev/null; then
            tail -n 20 "$state/n$1/agent.log" >&2
            bulkhead_at "$1" status >&2 || true
            bulkhead_at "$1" status -o json | jq -c '.condition, .cluster, .problems' >&2 || true
            store get --prefix /bulkhead/v1 --keys-only >&2 || true
            die "the agent of node $1 did not become ready; its last lines are printed above"
        fi
        sleep 0.1
    done
}

kill_agent() { # node
    tell "kill -9 ${agents[$1]}"
    kill -KILL "${agents[$1]}"
    wait "${agents[$1]}" 2>/dev/null || true
    unset "agents[$1]"
}

# A node loses all others, or finds them again.
cut_off() { ip -n "$(space fabric)" link set "n$1" down; }
join_again() { ip -n "$(space fabric)" link set "n$1" up; }

# Whatever happened: who is in these namespaces came by this script, and no pin outlives it.
remove_fleet() {
    local place process node
    for place in "${workloads[@]}" n1 n2 n3 fabric; do
        [ -e "/run/netns/$(space "$place")" ] || continue
        for process in $(ip netns pids "$(space "$place")"); do kill -KILL "$process" 2>/dev/null; done
    done
    for place in "${workloads[@]}" n1 n2 n3 fabric; do
        [ -e "/run/netns/$(space "$place")" ] || continue
        while [ -n "$(ip netns pids "$(space "$place")")" ]; do sleep 0.1; done
        ip netns del "$(space "$place")"
    done
    for node in "${nodes[@]}"; do
        rm -rf "$state/n$node/bpf/bulkhead"
        ! mountpoint -q "$state/n$node/bpf" || umount "$state/n$node/bpf"
        [ -z "$cgroups" ] || rmdir "$cgroups/n$node" 2>/dev/null
    done
    [ -z "$cgroups" ] || rmdir "$cgroups" 2>/dev/null
    rm -rf "$state"
}
