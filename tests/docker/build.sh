# The image is built by every builder there is here: the legacy one, BuildKit, and compose.
# shellcheck shell=bash

IMAGE=swarmwire:local # as the compose file names it

test_builds() {
    step "build the image with the legacy builder"
    build docker 0
    local client
    client=$(buildkit_client)
    if [[ -z "$client" ]]; then
        step "BuildKit is not here: not tried"
        return
    fi
    step "build the image with BuildKit"
    build "$client" 1
}

# build CLIENT BUILDKIT
build() {
    local start=$SECONDS
    DOCKER_BUILDKIT=$2 "$1" build --network="$BUILD_NETWORK" -t "$IMAGE" . >"$WORK/build.log" 2>&1 ||
        fail "the build failed"$'\n'"$(tail -n 30 "$WORK/build.log")"
    passed "built in $((SECONDS - start)) s, $(docker image inspect -f '{{.Size}}' "$IMAGE" | awk '{ printf "%d MB", $1 / 1e6 }')"
}

# A client that can speak to BuildKit: it has it built in, or has the plugin.
buildkit_client() {
    local client
    mkdir -p "$WORK/nothing"
    printf 'FROM scratch\nCOPY Dockerfile /\n' >"$WORK/nothing/Dockerfile"
    for client in docker /usr/bin/docker; do
        if DOCKER_BUILDKIT=1 "$client" build -t swarmwire:probe "$WORK/nothing" >/dev/null 2>&1; then
            docker image rm swarmwire:probe >/dev/null
            printf '%s' "$client"
            return
        fi
    done
}
