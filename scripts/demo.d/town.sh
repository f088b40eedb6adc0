# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# The place of the shield's demo: a web server with a workload behind it, four users and an attacker, each in network
# namespaces of their own around a router that swallows what is for nobody. Sourced by scripts/demo-shield.
#
#   users ----\                             10.99.1.0/24
#   attacker --+-- router -- server (up0) ---------------- worker
#   (the documentation's own addresses are the Internet: RFC 5737, RFC 3849)

server4=192.0.2.10
server6=2001:db8:5::10
attacker4=192.0.2.66
worker4=10.99.1.2
# Sources that a feed lists, and hosts that the worker has no business with.
listed4=203.0.113.7
elsewhere4=198.51.100.0/24
users4=(192.0.2.21 192.0.2.22)
users6=(2001:db8:5::21 2001:db8:5::22)
users=()
places=(router users attacker server worker)

at() { # place command...
    local place=$1
    shift
    nsenter --net="/run/netns/$namespace-$place" "$@"
}

# To be put into the background: the process is then the command itself, not a shell that waits for it.
start() { # place command...
    exec nsenter --net="/run/netns/$namespace-$1" "${@:2}"
}

in_place() { ip -n "$namespace-$1" "${@:2}"; }

# One device eth0, linked with the router's bridge; the server calls its own up0.
plug_in() { # place device
    in_place router link add "to-$1" type veth peer name "$2" netns "$namespace-$1"
    in_place router link set "to-$1" master lan up
    in_place "$1" link set "$2" up
}

address() { # place device address...
    local place=$1 device=$2 address
    shift 2
    for address in "$@"; do
        case $address in
        *:*) in_place "$place" addr add "$address" dev "$device" nodad ;;
        *) in_place "$place" addr add "$address" dev "$device" ;;
        esac
    done
}

make_town() {
    local place
    for place in "${places[@]}"; do
        ip netns add "$namespace-$place"
        in_place "$place" link set lo up
    done
    in_place router link add lan type bridge
    in_place router link set lan up
    plug_in users eth0
    plug_in attacker eth0
    plug_in server up0
    address router lan 192.0.2.1/24 2001:db8:5::1/64
    address server up0 "$server4/24" "$server6/64"
    address attacker eth0 "$attacker4/24" 2001:db8:5::66/64
    address users eth0 "${users4[@]/%//24}" "${users6[@]/%//64}"
    for place in users attacker server; do
        case $place in server) device=up0 ;; *) device=eth0 ;; esac
        in_place "$place" route add default via 192.0.2.1
        in_place "$place" route add default via 2001:db8:5::1 dev "$device"
    done
    in_place server link add worker type veth peer name eth0 netns "$namespace-worker"
    in_place server link set worker up
    in_place worker link set eth0 up
    address server worker 10.99.1.1/24
    address worker eth0 "$worker4/24"
    in_place worker route add default via 10.99.1.1
    at server sysctl -qw net.ipv4.ip_forward=1
    # The way back to the worker; everything else the router has no route for, and tells nobody.
    in_place router route add 10.99.1.0/24 via "$server4"
    in_place router route add blackhole 0.0.0.0/0
    in_place router route add blackhole ::/0
    at router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

serve_pages() {
    mkdir -p "$state/nginx"
    cat >"$state/nginx.conf" <<END
daemon off; pid $state/nginx.pid; error_log stderr crit; user root; worker_processes 2;
events {}
http {
    access_log off;
    client_body_temp_path $state/nginx; proxy_temp_path $state/nginx; fastcgi_temp_path $state/nginx;
    uwsgi_temp_path $state/nginx; scgi_temp_path $state/nginx;
    server { listen 80; listen [::]:80; location / { default_type text/plain; return 200 "welcome\n"; } }
}
END
    start server nginx -e stderr -c "$state/nginx.conf" >"$state/nginx.log" 2>&1 &
    disown $!
    until page_from "${users4[0]}"; do sleep 0.1; done
}

# True if whoever has this address gets the page, on a new connection, within two seconds.
page_from() { # address
    case $1 in
    "$attacker4") at attacker curl -sf -o /dev/null -m 2 "http://$server4/" ;;
    *:*) at users curl -sf -o /dev/null -m 2 --interface "$1" "http://[$server6]/" ;;
    *) at users curl -sf -o /dev/null -m 2 --interface "$1" "http://$server4/" ;;
    esac
}

# A user: a page, a tenth of a second of reading, the next page. One letter for each: s served, f failed.
user() { # address
    while [ -e "$state/open" ]; do
        if page_from "$1"; then printf s; else printf f; fi >>"$state/pages"
        sleep 0.1
    done
}

start_users() {
    local address
    : >"$state/open"
    : >"$state/pages"
    for address in "${users4[@]}" "${users6[@]}"; do
        user "$address" 2>/dev/null &
        users+=($!)
    done
}

# Whoever is in these namespaces came by this script.
remove_town() {
    local place process
    rm -f "$state/open"
    for place in "${places[@]}"; do
        [ -e "/run/netns/$namespace-$place" ] || continue
        for process in $(ip netns pids "$namespace-$place"); do kill -KILL "$process" 2>/dev/null; done
        while [ -n "$(ip netns pids "$namespace-$place")" ]; do sleep 0.1; done
        ip netns del "$namespace-$place"
    done
    for process in "${users[@]}"; do await_end "$process"; done
    rm -rf "$state"
}
