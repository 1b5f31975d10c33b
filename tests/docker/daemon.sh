# A Docker daemon that answers: the one there is, else one run by hand for the time of the test.
#
# The daemon run by hand leaves the machine's firewall and forwarding alone. So its containers reach each other and
# are reached through published ports, but reach nothing outside; builds therefore use the network of the host.
# shellcheck shell=bash

DAEMON_HOME=${XDG_CACHE_HOME:-$HOME/.cache}/swarmwire-test-docker
DAEMON_STARTED=""
DAEMON_LOG=$WORK/dockerd.log
export BUILD_NETWORK=default

provide_daemon() {
    step "a Docker daemon"
    if docker info >/dev/null 2>&1; then
        note "the one that runs here: $(docker version --format '{{.Server.Version}}')"
        return
    fi
    ((EUID == 0)) || fail "no Docker daemon answers, and only root can start one by hand"
    provide_packages dockerd:docker.io docker:docker.io docker-compose:docker-compose
    start_daemon
    note "started by hand: $(docker version --format '{{.Server.Version}}'); its images stay in $DAEMON_HOME"
}

# provide_packages command:package...: apt installs the packages whose command is missing.
provide_packages() {
    local missing=() pair
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null || fail "missing here, and no apt to install it: ${missing[*]}"
    note "installing ${missing[*]}"
    {
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    } >"$WORK/apt.log" 2>&1 || fail "apt could not install ${missing[*]}"$'\n'"$(tail -n 20 "$WORK/apt.log")"
}

start_daemon() {
    mkdir -p "$DAEMON_HOME"
    export DOCKER_HOST=unix://$WORK/docker.sock BUILD_NETWORK=host
    unset DOCKER_CONTEXT DOCKER_TLS_VERIFY
    # A session of its own, so that Ctrl-C ends the test and leaves the daemon to the cleaning up.
    setsid dockerd --host "$DOCKER_HOST" --data-root "$DAEMON_HOME/data" --exec-root "$WORK/exec" \
        --pidfile "$WORK/docker.pid" --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
        --bip=10.231.0.1/24 --default-address-pool base=10.232.0.0/16,size=24 >"$DAEMON_LOG" 2>&1 &
    DAEMON_STARTED=$!
    local deadline=$((SECONDS + 60))
    until docker info >/dev/null 2>&1; do
        kill -0 "$DAEMON_STARTED" 2>/dev/null || fail "dockerd ended at once"$'\n'"$(tail -n 5 "$DAEMON_LOG")"
        ((SECONDS < deadline)) || fail "dockerd does not answer"$'\n'"$(tail -n 5 "$DAEMON_LOG")"
        sleep 0.3
    done
    remove_leftovers
}

# What a test that was killed left behind in this daemon, which serves nobody else.
remove_leftovers() {
    docker ps --all --quiet | xargs -r docker rm --force --volumes >/dev/null
    docker network prune --force >/dev/null
    docker image prune --force >/dev/null
}

stop_daemon() {
    [[ -n "$DAEMON_STARTED" ]] || return 0
    kill "$DAEMON_STARTED" 2>/dev/null
    wait "$DAEMON_STARTED" 2>/dev/null
    umount "$WORK/exec/netns/default" 2>/dev/null
    ip link del docker0 2>/dev/null
    note "stopped the daemon"
}
