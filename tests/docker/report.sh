# What is being done and what came of it, for the one who watches.
# shellcheck shell=bash

CHECKS=0

step() { printf '\n== %s\n' "$*"; }

note() { printf '   %s\n' "$*"; }

verdict() { printf '\ntest-docker %s\n' "$*"; }

fail() {
    printf '   NOT OK  %s\n' "$*" >&2
    exit 1
}

passed() {
    CHECKS=$((CHECKS + 1))
    printf '   ok      %s\n' "$*"
}

# check "what must be true" command...: its output is shown if it fails.
check() {
    local what=$1 output
    shift
    output=$("$@" 2>&1) || fail "$what"$'\n'"$output"
    passed "$what"
}

# check_equal "what is compared" expected got
check_equal() {
    [[ "$3" == "$2" ]] || fail "$1: expected '$2', got '$3'"
    passed "$1: $3"
}

# check_refused "what must be refused" "words of the refusal" command...
check_refused() {
    local what=$1 words=$2 output
    shift 2
    if output=$("$@" 2>&1); then
        fail "$what was accepted"$'\n'"$output"
    fi
    grep -qiE -- "$words" <<<"$output" || fail "$what failed, but not with '$words'"$'\n'"$output"
    passed "$what is refused"
}

# wait_for SECONDS "what" command...: until it succeeds.
wait_for() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || fail "$what: not within the time"
        sleep 0.3
    done
}
