# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# How demos speak and count: chapters, lines, and checks that end in "N passed, N failed". Sourced by scripts/demo and
# scripts/demo-shield.

passed=0
failed=0

check() { # description command...
    local description=$1
    shift
    if "$@" >/dev/null 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        say "    NOT TRUE: $description"
    fi
}

chapter() { printf '\n\033[1m%s\033[0m\n\n' "$*"; }
tell() { printf '    %s\n' "$@"; }

# True if a process ended within five seconds.
await_end() { # process
    for _ in {1..50}; do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    return 1
}

# Deleted files keep their names where a process has them open.
no_process_holds() { ! find /proc/[0-9]*/fd -lname "$1/*" 2>/dev/null | grep -q .; }

end_of_checks() {
    say ""
    say "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
