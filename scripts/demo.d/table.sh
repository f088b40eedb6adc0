# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# The live table of the shield's demo: one line a second, of what happened in it. Sourced by scripts/demo-shield.

# Names of findings and answers, by what the agent says; empty while there is no agent.
shown_findings=0
shown_answers=0

# Where counters stand: served failed sent dropped cookies.
read_counters() {
    local pages
    pages=$(cat "$state/pages")
    now_served=${pages//[^s]/}
    now_served=${#now_served}
    now_failed=$((${#pages} - now_served))
    now_sent=$(($(in_place attacker -j -s link show dev eth0 | jq '.[0].stats64.tx.packets') + \
        $(in_place worker -j -s link show dev eth0 | jq '.[0].stats64.tx.packets')))
    now_at=${EPOCHREALTIME/./}
    now_dropped=0 now_cookies=0
    [ -n "$agent" ] || return 0
    read -r now_dropped now_cookies < <(bulkhead shield status -o json | jq -r \
        '"\([.drops[] | select(.wouldDrop | not).packets] | add // 0) \(.synDefence.answered // 0)"')
}

keep_counters() {
    was_served=$now_served was_failed=$now_failed was_sent=$now_sent
    was_dropped=$now_dropped was_cookies=$now_cookies was_at=$now_at
}

# New lines of the table: each alert and each answer once, by number.
print_news() {
    [ -n "$agent" ] || return 0
    bulkhead alerts list -o json | jq -r --argjson shown "$shown_findings" '.alerts | sort_by(.id)[] | select(.id > $shown)
        | "\(.id)\tfinding: \(.detector), \(.severity), \(.source // "forged sources")\(.target // "" | if . == "" then "" else " to \(.)" end)"' \
        >"$state/findings"
    bulkhead response list -o json | jq -r --argjson shown "$shown_answers" '.actions | sort_by(.id)[] | select(.id > $shown)
        | "\(.id)\tanswer:  \(.action) \(.subject) (\(.state))"' >"$state/answers"
    cut -f 2- "$state/findings" "$state/answers" | sed "s/^/$(printf '%54s' '')/"
    shown_findings=$(tail -n 1 "$state/findings" | grep -o '^[0-9]*' || echo "$shown_findings")
    shown_answers=$(tail -n 1 "$state/answers" | grep -o '^[0-9]*' || echo "$shown_answers")
}

# Prints a line each second for so long; leaves in `served` and `failed_pages` what users got meanwhile, in `dropped` and
# `cookies` what the shield did, and in `rate` pages a second, times ten.
watch_table() { # seconds
    local begin_served begin_failed begin_dropped begin_cookies begin end
    printf '    %8s %8s %11s %9s %9s\n' served/s failed/s attack/s dropped/s cookies/s
    read_counters
    keep_counters
    begin_served=$now_served begin_failed=$now_failed begin_dropped=$now_dropped begin_cookies=$now_cookies
    begin=$was_at
    end=$((begin + $1 * 1000000))
    while [ "$was_at" -lt "$end" ]; do
        sleep 0.8
        read_counters
        printf '    %8d %8d %11d %9d %9d\n' "$(each_second now_served was_served)" \
            "$(each_second now_failed was_failed)" "$(each_second now_sent was_sent)" \
            "$(each_second now_dropped was_dropped)" "$(each_second now_cookies was_cookies)"
        keep_counters
        print_news
    done
    served=$((now_served - begin_served)) failed_pages=$((now_failed - begin_failed))
    dropped=$((now_dropped - begin_dropped)) cookies=$((now_cookies - begin_cookies))
    rate=$((served * 10000000 / (now_at - begin)))
}

each_second() { echo $((($1 - $2) * 1000000 / (now_at - was_at))); }
