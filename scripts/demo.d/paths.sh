# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Who reaches whom in the cluster's demo: each path is tried all the time, and compared with what the policies say.
# Sourced by scripts/demo-cluster.

# client:server
paths=(api:db web-1:db job:db web-1:api web-2:api job:api web-2:cache api:cache job:cache)
# Those that policies allow now; all others are to be denied.
allowed=
# Those that no cable carries: a node is cut off.
cut=
attempts=()

attempt() { # client server
    at "$1" curl -sf -o /dev/null --connect-timeout 2 -m 4 "http://$(address_of "$2"):${port_of[$2]}/"
}

# One line for each attempt: when it began and ended, in microseconds, the path, and what came of it.
keep_trying() { # client server
    local begin answer
    while [ -e "$state/open" ]; do
        begin=${EPOCHREALTIME/./}
        if attempt "$1" "$2" 2>/dev/null; then answer=allowed; else answer=denied; fi
        echo "$begin ${EPOCHREALTIME/./} $1:$2 $answer" >>"$state/attempts"
        sleep 0.3
    done
}

start_attempts() {
    local path
    : >"$state/open"
    : >"$state/attempts"
    for path in "${paths[@]}"; do
        keep_trying "${path%:*}" "${path#*:}" &
        attempts+=($!)
        disown $!
    done
}

is_among() { [[ " $2 " == *" $1 "* ]]; } # path list

expected() { # path
    if is_among "$1" "$cut"; then echo cut; elif is_among "$1" "$allowed"; then echo allowed; else echo denied; fi
}

# What a path did since: allowed, denied, as counts.
count_since() { # microseconds path
    awk -v begin="$1" -v path="$2" '$1 >= begin && $3 == path { n[$4]++ } END { print n["allowed"] + 0, n["denied"] + 0 }' \
        "$state/attempts"
}

# From now on what is expected holds without exception; ends with `end_of_moment`.
begin_moment() { # what happens
    moment=$1
    moment_begin=${EPOCHREALTIME/./}
}

# Every path was tried three times at least since the moment began.
is_tried() {
    local path count
    for path in "${paths[@]}"; do
        read -r -a count < <(count_since "$moment_begin" "$path")
        [ $((count[0] + count[1])) -ge 3 ] || return 1
    done
}

# Prints what was allowed and denied throughout the moment, and checks each path.
end_of_moment() {
    local path count
    until is_tried; do sleep 0.2; done
    printf '\n    %-20s %-20s %-9s %8s %7s\n' from to expected allowed denied
    for path in "${paths[@]}"; do
        read -r -a count < <(count_since "$moment_begin" "$path")
        printf '    %-20s %-20s %-9s %8d %7d\n' "$(place_of "${path%:*}")" "$(place_of "${path#*:}")" \
            "$(expected "$path")" "${count[@]}"
        echo "$moment|$path|$(expected "$path")|${count[*]}" >>"$state/table"
        check "$moment: ${path/:/ to } is $(expected "$path")" is_as_expected "$path" "${count[@]}"
    done
}

place_of() { echo "$1 (node ${node_of[$1]})"; }

is_as_expected() { # path allowed denied
    case $(expected "$1") in
    allowed) [ "$3" -eq 0 ] ;;
    denied) [ "$2" -eq 0 ] ;;
    cut) [ "$2" -eq 0 ] ;;
    esac
}

# Waits until every path does what is expected, twenty seconds at most.
await_paths() {
    local path waits=()
    for path in "${paths[@]}"; do
        await_path "$path" "$(expected "$path")" &
        waits+=($!)
    done
    for path in "${!paths[@]}"; do
        check "${paths[path]/:/ to } is $(expected "${paths[path]}") within 20 seconds" wait "${waits[path]}"
    done
}

await_path() { # path expected
    local deadline=$((SECONDS + 20))
    until does "$1" "$2"; do [ $SECONDS -lt $deadline ] || return 1; done
}

does() { # path expected
    case $2 in
    allowed) attempt "${1%:*}" "${1#*:}" ;;
    *) ! attempt "${1%:*}" "${1#*:}" ;;
    esac
}

# All moments, one line for each path: + always allowed, - always denied, . cut off, ! something else.
print_history() {
    local path
    awk -F '|' '!seen[$1]++ { printf "    %2d  %s\n", ++n, $1 }' "$state/table"
    echo
    for path in "${paths[@]}"; do
        awk -F '|' -v path="$path" '$2 == path { split($4, n, " ")
            mark = n[1] > 0 && n[2] > 0 ? "!" : $3 == "cut" ? "." : n[1] > 0 ? "+" : "-"
            if ($3 == "allowed" && mark != "+" || $3 == "denied" && mark != "-") mark = "!"
            line = line sprintf("%4s", mark) } END { printf "    %-20s%s\n", path, line }' "$state/table"
    done
}
