# The compose project: up, publish from the host and from a container, read back, the swarm to its end, down.
# shellcheck shell=bash

PROJECT=swarmwire-test-$$
COMPOSE=()
PROJECT_UP=""

provide_compose() {
    local version
    step "compose"
    if docker compose version >/dev/null 2>&1; then
        COMPOSE=(docker compose)
    else
        ((EUID != 0)) || provide_packages docker-compose:docker-compose
        command -v docker-compose >/dev/null || fail "neither 'docker compose' nor 'docker-compose' is here"
        COMPOSE=(docker-compose)
    fi
    version=$("${COMPOSE[@]}" version --short)
    note "${COMPOSE[*]} $version"
    printf 'services:\n  %s:\n    build:\n      network: %s\n  %s:\n    build:\n      network: %s\n' \
        broker "$BUILD_NETWORK" swarm "$BUILD_NETWORK" >"$WORK/network.yml"
}

compose() {
    SWARMWIRE_PORT=0 SWARMWIRE_TOKEN_FILE=$TOKEN_FILE \
        "${COMPOSE[@]}" -p "$PROJECT" -f docker-compose.yml -f "$WORK/network.yml" "$@"
}

test_project() {
    step "compose build and up"
    check "build" compose build
    PROJECT_UP=yes
    check "up" compose up --detach
    test_broker
    test_swarm
    test_restart
    test_stop
}

test_broker() {
    local broker url
    step "the broker of the project"
    broker=$(id_of broker)
    check_equal "health" healthy "$(docker inspect -f '{{.State.Health.Status}}' "$broker")"
    check_equal "read-only, without capabilities, bytes of memory" "true [ALL] 1073741824" \
        "$(docker inspect -f '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.Memory}}' "$broker")"
    url=$(project_url)
    check "publish from the host" client "$url" pub compose.host '{"from": "host"}'
    check "publish from a container" in_swarm swarmwire pub compose.container '{"from": "container"}'
    check_equal "read back on the host" '{"from": "host"} {"from": "container"}' \
        "$(client "$url" sub 'compose.#' --from start --count 2 --json | data_of_events)"
    check_equal "read back in a container" '{"from": "host"} {"from": "container"}' \
        "$(in_swarm swarmwire sub 'compose.#' --from start --count 2 --json 2>/dev/null | data_of_events)"
    check_refused "a wrong token" AUTHENTICATION_FAILED client_with wrong "$url" pub compose.host 1
    check_refused "no token" AUTHENTICATION_FAILED client_with "" "$url" pub compose.host 1
    check_refused "a message over the limit the project sets" "MESSAGE_TOO_LARGE.*1048576" publish_too_much "$url"
}

test_swarm() {
    local swarm
    step "the swarm of the project"
    swarm=$(id_of swarm)
    wait_for 180 "the swarm ends" has_ended "$swarm"
    docker logs "$swarm" 2>&1 | tail -n 8 | sed 's/^/   | /'
    check_equal "exit code" 0 "$(docker inspect -f '{{.State.ExitCode}}' "$swarm")"
    check "its events are in the log" client "$(project_url)" sub 'task.#' --from start --count 1 --json
}

# The broker dies without a word; the restart policy brings it back.
test_restart() {
    local broker
    step "kill -9 of the broker"
    broker=$(id_of broker)
    docker exec "$broker" python -c \
        'import os; os.kill(int(open("/proc/1/task/1/children").read().split()[0]), 9)' 2>/dev/null || true
    wait_for 30 "restarted" was_restarted "$broker"
    wait_for 60 "healthy again" is_healthy "$broker"
    passed "restarted and healthy again"
    check "publish to it" client "$(project_url)" pub compose.host '"again"'
}

test_stop() {
    local broker start=$SECONDS
    step "compose stop"
    broker=$(id_of broker)
    compose stop >/dev/null 2>&1
    check_equal "exit code of the broker" 0 "$(docker inspect -f '{{.State.ExitCode}}' "$broker")"
    check "stopped within the drain window: $((SECONDS - start)) s" test $((SECONDS - start)) -le 12
}

id_of() { compose ps --all --quiet "$1"; }

project_url() { printf 'ws://%s/ws' "$(compose port broker 8765)"; }

# Another container of the project's network, with the secret but without the publisher's environment.
in_swarm() {
    # shellcheck disable=SC2016 # the container's shell reads the secret
    compose run --rm --no-deps -T --entrypoint sh swarm -c \
        'SWARMWIRE_TOKEN=$(cat /run/secrets/token) exec "$0" "$@"' "$@"
}

publish_too_much() {
    head -c 1500000 /dev/zero | tr '\0' x | client "$1" pub compose.host - --string
}

has_ended() { [[ $(docker inspect -f '{{.State.Status}}' "$1") == exited ]]; }

was_restarted() { (($(docker inspect -f '{{.RestartCount}}' "$1") > 0)); }

show_project_logs() {
    [[ -n "$PROJECT_UP" ]] || return 0
    step "the last words of the project"
    compose logs --tail 40
}

remove_project() {
    [[ -z "$PROJECT_UP" ]] || compose down --volumes --remove-orphans --timeout 2 >/dev/null 2>&1
}
