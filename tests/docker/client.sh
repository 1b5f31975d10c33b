# The command line of this checkout, as a client on the host; and a token of the test's own.
# shellcheck shell=bash

TOKEN=""
TOKEN_FILE=$WORK/secrets/token
CLIENT=.venv/bin/swarmwire
PYTHON=.venv/bin/python

command -v timeout >/dev/null || timeout() { shift && "$@"; }

# As docs/deployment.md has people make theirs: readable in the container, behind a directory that is not.
make_token() {
    mkdir -m 700 "$WORK/secrets"
    head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$TOKEN_FILE"
    chmod 444 "$TOKEN_FILE"
    TOKEN=$(<"$TOKEN_FILE")
}

find_client() {
    local version
    step "the client on the host"
    make --silent .venv/.ready
    version=$("$CLIENT" --version)
    note "$version"
}

# client URL arguments...: with the right token.
client() { client_with "$TOKEN" "$@"; }

# client_with TOKEN URL arguments...
client_with() {
    local token=$1 url=$2
    shift 2
    SWARMWIRE_TOKEN=$token SWARMWIRE_URL=$url timeout 30 "$CLIENT" "$@"
}

# JSON lines in, the data of each event out, on one line and in their order.
data_of_events() {
    "$PYTHON" -c 'import json, sys; print(*(json.dumps(json.loads(line)["data"]) for line in sys.stdin))'
}
