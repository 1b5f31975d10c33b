# The base image of the Dockerfile: pulled, or on a machine that reaches no registry, a stand-in made from Debian.
#
# The stand-in has what the Dockerfile relies on: `python` 3.11 with pip, venv and headers, and apt. It is made only for a daemon that
# this test started, never in one that serves somebody.
# shellcheck shell=bash

BASE=python:3.11-slim
STAND_IN=with-headers-and-apt
RELEASE=bookworm # the Debian whose python3 is 3.11
CERTIFICATES=/etc/ssl/certs/ca-certificates.crt

provide_base_image() {
    step "the base image $BASE"
    if docker image inspect "$BASE" >/dev/null 2>&1 && ! is_old_stand_in; then
        note "is here"
    elif docker pull --quiet "$BASE" >"$WORK/pull.log" 2>&1; then
        note "pulled"
    elif [[ -n "$DAEMON_STARTED" ]]; then
        note "cannot be pulled; making a stand-in from Debian $RELEASE (a minute, once)"
        make_stand_in
        note "made"
    else
        fail "$BASE cannot be pulled"$'\n'"$(tail -n 3 "$WORK/pull.log")"
    fi
}

# A stand-in of an earlier kind: the real image tells its Python's version, ours tells which stand-in it is.
is_old_stand_in() {
    local said
    said=$(docker image inspect -f '{{.Config.Env}} {{.Config.Labels}}' "$BASE")
    [[ "$said" != *PYTHON_VERSION=* && "$said" != *"$STAND_IN"* ]]
}

make_stand_in() {
    local tree=$WORK/rootfs mirror
    mirror=$(debian_mirror)
    provide_packages debootstrap:debootstrap
    debootstrap --variant=minbase --include=ca-certificates,libpython3-dev,python3,python3-pip,python3-venv \
        "$RELEASE" "$tree" "$mirror" >"$WORK/debootstrap.log" 2>&1 ||
        fail "debootstrap failed"$'\n'"$(tail -n 5 "$WORK/debootstrap.log")"
    shape_stand_in "$tree" "$mirror"
    tar -C "$tree" -c . | docker import \
        -c "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin LANG=C.UTF-8" \
        -c "ENV PIP_CERT=$CERTIFICATES SSL_CERT_FILE=$CERTIFICATES" \
        -c "LABEL stand-in=$STAND_IN" -c 'CMD ["python3"]' - "$BASE" >/dev/null
    rm -rf --one-file-system "$tree"
}

# As the real image: `python` is there, pip and apt install. From this machine: the certificates by which pip is answered.
shape_stand_in() {
    ln -sf python3 "$1/usr/bin/python"
    rm -f "$1"/usr/lib/python3.11/EXTERNALLY-MANAGED
    echo "deb $2 $RELEASE main" >"$1/etc/apt/sources.list"
    rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
    cp "$CERTIFICATES" "$1$CERTIFICATES"
}

# The mirror this machine is set up with.
debian_mirror() {
    local sources=/etc/apt/sources.list.d/debian.sources mirror=""
    [[ ! -f "$sources" ]] || mirror=$(awk '/^URIs:/ { print $2; exit }' "$sources")
    [[ -n "$mirror" || ! -f /etc/apt/sources.list ]] ||
        mirror=$(awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { print $i; exit } }' /etc/apt/sources.list)
    [[ -n "$mirror" ]] || fail "no Debian mirror is set up here"
    printf '%s' "$mirror"
}
