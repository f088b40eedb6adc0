# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# The attacks of the shield's demo, by the tools that attackers use. Sourced by scripts/demo-shield.

attacks=()

begin_attack() { # place command...
    began_at=${EPOCHREALTIME/./}
    start "$@" >"$state/attack.log" 2>&1 &
    attacks+=($!)
}

end_attack() {
    local process
    for process in "${attacks[@]}"; do kill -KILL "$process" 2>/dev/null || true; done
    for process in "${attacks[@]}"; do wait "$process" 2>/dev/null || true; done
    attacks=()
}

# SYNs as fast as one process can, each from another forged source.
syn_flood() { begin_attack attacker hping3 -q -n -S -p 80 --rand-source --flood "$server4"; }

# Datagrams of the attacker's own address, and of one that a feed lists.
udp_flood() { begin_attack attacker hping3 -q -n --udp -p 9999 -d 64 --flood "$server4"; }
listed_flood() { begin_attack attacker hping3 -q -n --udp -p 9999 -d 64 --flood -a "$listed4" "$server4"; }

# It completes few handshakes, so its source may be forged: `unproven` in the configuration has it blocked all the same.
scan() { begin_attack attacker nmap -n -Pn -sS --top-ports 1000 -T4 --max-retries 1 "$server4"; }

# What a worm does: one host after the other, each asked for one port.
spread() { begin_attack worker nmap -n -Pn -sS -p 445 --min-rate 50 --max-rate 50 --max-retries 0 "$elsewhere4"; }
