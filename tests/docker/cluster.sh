# The project of many brokers: up, a broker and a NATS node killed while the swarm runs, everything read back, down.
# shellcheck shell=bash

CLUSTER=swarmwire-cluster-$$
CLUSTER_UP=""

# What runs beside the brokers: the image the project names, and the Debian package of its stand-in.
PEERS=(nats:nats-server haproxy:haproxy)

cluster() {
    SWARMWIRE_PORT=0 SWARMWIRE_TOKEN_FILE=$TOKEN_FILE SWARM_DELAY_MS=200 \
        "${COMPOSE[@]}" -p "$CLUSTER" -f docker-compose.cluster.yml -f "$WORK/cluster.yml" "$@"
}

test_cluster() {
    step "the images of NATS and the proxy"
    local pair
    for pair in "${PEERS[@]}"; do
        provide_peer_image "${pair%%:*}" "${pair#*:}"
    done
    write_cluster_overrides
    step "compose build and up of a cluster"
    check "build" cluster build
    CLUSTER_UP=yes
    check "up" cluster up --detach
    test_two_brokers
    test_losses_under_the_swarm
    test_cluster_stop
}

# The image of a service as the project names it: here, pulled, or in a daemon of this test's own, made from Debian.
provide_peer_image() {
    local name=$1 package=$2 image
    image=$(awk -v name="$name" '$1 == "image:" && $2 ~ "^" name ":" { print $2; exit }' docker-compose.cluster.yml)
    if docker image inspect "$image" >/dev/null 2>&1; then
        note "$image is here"
    elif docker pull --quiet "$image" >"$WORK/pull.log" 2>&1; then
        note "pulled $image"
    elif [[ -n "$DAEMON_STARTED" ]]; then
        note "$image cannot be pulled; making a stand-in from the Debian package $package"
        peer_dockerfile "$name" "$package" |
            docker build --network="$BUILD_NETWORK" -t "$image" - >"$WORK/build.log" 2>&1 ||
            fail "the stand-in could not be made"$'\n'"$(tail -n 20 "$WORK/build.log")"
    else
        fail "$image cannot be pulled"$'\n'"$(tail -n 3 "$WORK/pull.log")"
    fi
}

peer_dockerfile() {
    printf 'FROM %s\nRUN apt-get update && apt-get install --yes --no-install-recommends %s\n' "$BASE" "$2"
    case $1 in
        nats) printf 'ENTRYPOINT ["nats-server"]\n' ;;
        haproxy) printf 'ENTRYPOINT ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]\n' ;;
    esac
}

write_cluster_overrides() {
    local service
    printf 'services:\n' >"$WORK/cluster.yml"
    for service in broker-1 broker-2 swarm; do
        printf '  %s:\n    build:\n      network: %s\n' "$service" "$BUILD_NETWORK" >>"$WORK/cluster.yml"
    done
}

test_two_brokers() {
    local name
    step "two brokers on three NATS nodes"
    for name in broker-1 broker-2; do
        wait_for 90 "$name is healthy" is_healthy "$(member "$name")"
        passed "$name is healthy"
    done
    wait_for 30 "the proxy lets clients in" client "$(cluster_url)" status
    check "publish through the proxy" client "$(cluster_url)" pub cluster.host '{"from": "host"}'
    for name in broker-1 broker-2; do
        check_equal "read back from $name" '{"from": "host"}' \
            "$(at_broker "$name" sub 'cluster.#' --from start --count 1 --json 2>/dev/null | data_of_events)"
    done
}

# What was acknowledged stays, and the swarm comes to its end, though it loses a broker and a third of the log's nodes.
test_losses_under_the_swarm() {
    local swarm
    step "kill -9 of a broker and of a NATS node while the swarm runs"
    swarm=$(member swarm)
    check "the swarm works" client "$(cluster_url)" sub 'task.#' --from start --count 3 --json
    check "kill -9 of broker-1" docker kill --signal KILL "$(member broker-1)"
    check "publish through the proxy, to the broker that is left" \
        eventually_published "$(cluster_url)" cluster.host '"without broker-1"'
    check "kill -9 of nats-2" docker kill --signal KILL "$(member nats-2)"
    check_equal "the swarm runs still" running "$(docker inspect -f '{{.State.Status}}' "$swarm")"
    check "publish with two of three NATS nodes" eventually_published "$(cluster_url)" cluster.host '"without nats-2"'
    wait_for 180 "the swarm ends" has_ended "$swarm"
    docker logs "$swarm" 2>&1 | tail -n 8 | sed 's/^/   | /'
    check_equal "exit code of the swarm" 0 "$(docker inspect -f '{{.State.ExitCode}}' "$swarm")"
    check "both are started again" docker start "$(member broker-1)" "$(member nats-2)"
    wait_for 90 "broker-1 is healthy again" is_healthy "$(member broker-1)"
    check_equal "everything published is read back from broker-1" \
        '{"from": "host"} "without broker-1" "without nats-2"' \
        "$(at_broker broker-1 sub 'cluster.#' --from start --count 3 --json 2>/dev/null | data_of_events)"
}

# The proxy notices within two seconds that a broker is gone, NATS elects a leader within some; a key keeps it to one event.
eventually_published() {
    local url=$1 topic=$2 data=$3 deadline=$((SECONDS + 30))
    until client "$url" pub "$topic" "$data" --key "$topic-$data"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.5
    done
}

test_cluster_stop() {
    local name
    step "compose stop of the cluster"
    cluster stop broker-1 broker-2 >/dev/null 2>&1
    for name in broker-1 broker-2; do
        check_equal "exit code of $name" 0 "$(docker inspect -f '{{.State.ExitCode}}' "$(member "$name")")"
    done
}

member() { cluster ps --all --quiet "$1"; }

cluster_url() { printf 'ws://%s/ws' "$(cluster port proxy 8765)"; }

# at_broker NAME arguments...: the command line inside a broker's container, at that broker.
at_broker() {
    local name=$1
    shift
    # shellcheck disable=SC2016 # the container's shell reads the secret
    docker exec "$(member "$name")" sh -c \
        'SWARMWIRE_TOKEN=$(cat /run/secrets/token) SWARMWIRE_URL=ws://127.0.0.1:8765/ws exec swarmwire "$@"' sh "$@"
}

show_cluster_logs() {
    [[ -n "$CLUSTER_UP" ]] || return 0
    step "the last words of the cluster"
    cluster logs --tail 40
}

remove_cluster() {
    [[ -z "$CLUSTER_UP" ]] || cluster down --volumes --remove-orphans --timeout 2 >/dev/null 2>&1
}
