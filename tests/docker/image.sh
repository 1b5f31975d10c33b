# The image by itself: `docker run`, publish through the published port and read back, `docker stop`.
# shellcheck shell=bash

CONTAINER=""
SUBSCRIBER=""

test_image() {
    step "docker run"
    check_equal "runs as" 10001 "$(in_image 'id -u')"
    check "holds no compiler, and no pip in its environment" in_image '! command -v cc && ! test -e /opt/venv/bin/pip'
    check "its files are not its own to change" in_image '! touch /opt/venv/probe /etc/swarmwire/probe 2>/dev/null'
    check_refused "to serve other machines without authentication" "no authentication is configured" docker run --rm "$IMAGE"
    run_image
    wait_for 60 "healthy" is_healthy "$CONTAINER"
    passed "healthy"
    publish_and_read_back "$(image_url)"
    stop_image
}

in_image() { docker run --rm --network=none --entrypoint sh "$IMAGE" -c "$1" 2>/dev/null; }

# Locked down as the compose file does it.
run_image() {
    CONTAINER=$(docker run --detach --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
        --publish 127.0.0.1::8765 --volume "$TOKEN_FILE:/run/secrets/token:ro" \
        --env SWARMWIRE_AUTH_TOKEN_FILE=/run/secrets/token "$IMAGE" 2>"$WORK/run.log") ||
        fail "docker run"$'\n'"$(<"$WORK/run.log")"
}

image_url() { printf 'ws://%s/ws' "$(docker port "$CONTAINER" 8765/tcp | head -n 1)"; }

is_healthy() { [[ $(docker inspect -f '{{.State.Health.Status}}' "$1") == healthy ]]; }

publish_and_read_back() {
    local url=$1
    check "the dashboard is served, and the SDK beside it" serves_browsers "$url"
    check "publish from the host" client "$url" pub docker.image '{"n": 1}'
    check "publish again" client "$url" pub docker.image '"two"'
    check_equal "read back from the start" '{"n": 1} "two"' \
        "$(client "$url" sub 'docker.#' --from start --count 2 --json | data_of_events)"
}

serves_browsers() {
    local origin=${1/#ws:/http:}
    "$PYTHON" - "${origin%/ws}" <<'PROGRAM'
import sys
from urllib.request import ProxyHandler, build_opener

for path, part in (("/", b"dashboard/main.js"), ("/dashboard/main.js", b"import"), ("/sdk/swarmwire.js", b"export")):
    with build_opener(ProxyHandler({})).open(sys.argv[1] + path, timeout=5) as answer:
        assert part in answer.read(), path
PROGRAM
}

# With a subscriber that stays connected, so that there is somebody to drain.
stop_image() {
    step "docker stop, with a subscriber connected"
    SWARMWIRE_TOKEN=$TOKEN SWARMWIRE_URL=$(image_url) "$CLIENT" sub 'docker.#' --from start --json \
        >"$WORK/events" 2>"$WORK/subscriber.log" &
    SUBSCRIBER=$!
    wait_for 15 "the subscriber reads" test -s "$WORK/events"
    local start=$SECONDS
    docker stop --time 15 "$CONTAINER" >/dev/null
    check_equal "exit code" 0 "$(docker inspect -f '{{.State.ExitCode}}' "$CONTAINER")"
    check "stopped within the drain window: $((SECONDS - start)) s" test $((SECONDS - start)) -le 10
    end_subscriber
}

end_subscriber() {
    [[ -n "$SUBSCRIBER" ]] || return 0
    kill "$SUBSCRIBER" 2>/dev/null || true
    wait "$SUBSCRIBER" 2>/dev/null || true
    SUBSCRIBER=""
}

show_image_logs() {
    [[ -n "$CONTAINER" ]] || return 0
    step "the last words of the container"
    docker logs --tail 30 "$CONTAINER"
}

remove_image_containers() {
    end_subscriber
    [[ -z "$CONTAINER" ]] || docker rm --force --volumes "$CONTAINER" >/dev/null
}
