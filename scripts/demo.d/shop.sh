# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# The shop: real programs in real containers, inside one network namespace of its own, so that no bridge, route or
# firewall rule of the machine is touched. Sourced by scripts/demo and scripts/run.

shop_names=(web api db intruder)
servers=(web api db)
bridge4=10.99.0.0/24
bridge6=fd99:5e:0:1::/64
# The documentation's own addresses play the rest of the world (RFC 5737, RFC 3849).
world4=192.0.2.10
world6=2001:db8::10

in_shop() { nsenter --net="/run/netns/$namespace" "$@"; }

# All state is in one directory: images, containers, networks, sockets. Nothing of the machine's own podman is seen.
podman_here() { "${podman_command[@]}" "$@"; }

make_namespace() {
    ip netns add "$namespace"
    ip -n "$namespace" link set lo up
    in_shop sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    ip netns add "$namespace-world"
    ip -n "$namespace" link add uplink type veth peer name eth0 netns "$namespace-world"
    ip -n "$namespace" addr add 192.0.2.1/24 dev uplink
    ip -n "$namespace" addr add 2001:db8::1/64 dev uplink nodad
    ip -n "$namespace" link set uplink up
    ip -n "$namespace-world" addr add "$world4/24" dev eth0
    ip -n "$namespace-world" addr add "$world6/64" dev eth0 nodad
    ip -n "$namespace-world" link set eth0 up
    ip -n "$namespace-world" link set lo up
    ip -n "$namespace-world" route add default via 192.0.2.1
    ip -n "$namespace-world" route add default via 2001:db8::1
}

configure_podman() {
    mkdir -p "$state"/{root,run,tmp,networks}
    cat >"$state/containers.conf" <<END
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[network]
network_backend = "netavark"
END
    podman_command=(
        env CONTAINERS_CONF="$state/containers.conf" nsenter --net="/run/netns/$namespace" podman --root "$state/storage"
        --runroot "$state/run" --tmpdir "$state/tmp" --cgroup-manager cgroupfs --events-backend file --runtime runc
        --network-config-dir "$state/networks"
    )
    podman_here network create --disable-dns --subnet "$bridge4" --subnet "$bridge6" --ipv6 shop >/dev/null
}

# Copies programs of this machine and the libraries they load into a root file system.
copy_programs() { # root program...
    local root=$1 program file
    shift
    mkdir -p "$root"/{bin,etc,tmp,run,var/log/nginx,var/lib/nginx,data,www/cgi-bin,proc,sys,dev}
    cp "$(command -v busybox)" "$root/bin/busybox"
    chroot "$root" /bin/busybox --install -s /bin
    for program in "$@"; do
        install -D "$(readlink -f "$(command -v "$program")")" "$root/bin/$program"
        for file in $(ldd "$root/bin/$program" | grep -o '/[^ ]*'); do
            install -D "$(readlink -f "$file")" "$root$file"
        done
    done
    printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$root/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
}

import_image() { # root name
    tar -C "$1" -c . | podman_here import --quiet - "localhost/$2:1" >/dev/null
}

# nginx in front, an API that counts orders, redis behind it, and somebody with a shell and bad intentions.
make_images() {
    local root=$state/rootfs
    copy_programs "$root/web" nginx
    cat >"$root/web/etc/nginx.conf" <<'END'
daemon off; user root; error_log stderr; pid /run/nginx.pid;
events { worker_connections 64; }
http {
    access_log off;
    server {
        listen 80; listen [::]:80;
        location / { default_type text/plain; return 200 "welcome to the shop\n"; }
        location /order { proxy_pass http://api:8080/cgi-bin/order; }
    }
}
END
    copy_programs "$root/api"
    cat >"$root/api/www/cgi-bin/order" <<'END'
#!/bin/sh
# One order: the number comes from redis.
number=$(printf 'INCR orders\r\n' | nc -w 2 db 6379 | tr -d ':\r')
printf 'Content-Type: text/plain\r\n\r\norder %s accepted\n' "$number"
END
    chmod +x "$root/api/www/cgi-bin/order"
    copy_programs "$root/db" redis-server
    copy_programs "$root/intruder"
    for name in "${shop_names[@]}"; do import_image "$root/$name" "$name"; done
    rm -rf "$root"
}

address4_of() { case $1 in db) echo 10.99.0.13 ;; api) echo 10.99.0.12 ;; web) echo 10.99.0.11 ;; *) echo 10.99.0.66 ;; esac; }
address6_of() { case $1 in db) echo fd99:5e:0:1::13 ;; api) echo fd99:5e:0:1::12 ;; web) echo fd99:5e:0:1::11 ;; *) echo fd99:5e:0:1::66 ;; esac; }
port_of() { case $1 in web) echo 80 ;; api) echo 8080 ;; db) echo 6379 ;; *) return 1 ;; esac; }

start_container() { # name command...
    local name=$1
    shift
    podman_here run --detach --quiet --name "$name" --hostname "$name" --network "shop:ip=$(address4_of "$name"),ip=$(address6_of "$name")" \
        --label "app=$name" --add-host "api:$(address4_of api)" --add-host "db:$(address4_of db)" \
        "localhost/$name:1" "$@" >/dev/null
}

start_shop() {
    start_container db /bin/redis-server --bind '*' -::* --protected-mode no --save '' --daemonize no --logfile ''
    start_container api /bin/httpd -f -p '[::]:8080' -h /www
    start_container web /bin/nginx -c /etc/nginx.conf -p /run
    start_container intruder /bin/sleep 86400
}

process_of() { podman_here inspect --format '{{.State.Pid}}' "$1"; }

# A socket that speaks podman's REST protocol, for the agent to find containers through.
start_podman_service() {
    "${podman_command[@]}" system service --time 0 "unix://$state/podman.sock" >"$state/podman.log" 2>&1 &
    podman_service=$!
}

remove_shop() {
    local name
    [ -z "${podman_service:-}" ] || kill "$podman_service" 2>/dev/null || true
    if [ -d "$state/storage" ]; then
        podman_here rm --all --force --time 0 >/dev/null 2>&1 || true
        podman_here network rm --force shop >/dev/null 2>&1 || true
        podman_here rmi --all --force >/dev/null 2>&1 || true
        umount -l "$state/storage/overlay" 2>/dev/null || true
    fi
    for name in "$namespace-world" "$namespace"; do
        ip netns del "$name" 2>/dev/null || true
    done
    rm -rf "$state"
}
