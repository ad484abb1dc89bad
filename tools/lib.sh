# Shared by the scripts in tools/: where things are, quiet installs, and a toolchain for targets without an operating system.
# Sourced, never run.
# shellcheck shell=bash

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root" || exit
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$CARGO_TARGET_DIR"

wasm=wasm32-unknown-unknown
thumb=thumbv7em-none-eabihf

die() {
    echo "${0##*/}: $1" >&2
    exit 1
}

# Runs a command and shows what it printed only when it fails.
quietly() {
    local log status=0
    log=$(mktemp "$CARGO_TARGET_DIR/quietly.XXXXXX")
    "$@" >"$log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then
        echo "failed: $*" >&2
        cat "$log" >&2
    fi
    rm -f "$log"
    return "$status"
}

# within SECONDS COMMAND ARGS..: where there is a `timeout`, so that a dead network can't stop a run for good.
within() {
    if command -v timeout >/dev/null; then timeout "$@"; else "${@:2}"; fi
}

can_apt() {
    [ "$(id -u)" -eq 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null
}

apt_install() {
    echo "installing with apt-get: $*"
    quietly apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive quietly apt-get install -y -qq --no-install-recommends "$@"
}

# need COMMAND PACKAGE: the command is there, or Debian's package brings it.
need() {
    command -v "$1" >/dev/null && return
    can_apt && apt_install "$2" && return
    return 1
}

# Two ways to a bare target: the running toolchain has its standard library (rustup's way), or Debian's rustc-web builds `core` from
# source. BARE=rustup or BARE=debian forces one.
has_rustup_targets() {
    [ "${BARE:-rustup}" = rustup ] &&
        [ -d "$(rustc --print target-libdir --target $wasm)" ] && [ -d "$(rustc --print target-libdir --target $thumb)" ]
}

has_debian_targets() {
    [ "${BARE:-debian}" = debian ] && [ -x /usr/bin/cargo ] && command -v wasm-ld >/dev/null &&
        dpkg -s rustc-web rust-web-src >/dev/null 2>&1
}

install_bare_targets() {
    if has_rustup_targets || has_debian_targets; then return; fi
    if [ "${BARE:-rustup}" = rustup ] && command -v rustup >/dev/null; then
        echo "installing with rustup: $wasm $thumb"
        within 120 rustup --quiet target add $wasm $thumb || echo "rustup can't; trying Debian's toolchain"
        if has_rustup_targets; then return; fi
    fi
    [ "${BARE:-debian}" = debian ] && can_apt && apt_install rustc-web cargo-web rust-web-src lld && has_debian_targets
}

# bare_cargo TARGET SUBCOMMAND ARGS..: Cargo for a bare target, by whichever way there is. BARE_STD names what Debian's way builds, if `core` isn't enough.
bare_cargo() {
    local target=$1 subcommand=$2
    shift 2
    if has_rustup_targets; then
        cargo "$subcommand" --target "$target" "$@"
        return
    fi
    # Its own directory: another compiler's artefacts would otherwise evict the usual ones. RUSTC_BOOTSTRAP permits -Zbuild-std.
    RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld \
        CARGO_TARGET_DIR=$(bare_target_dir) /usr/bin/cargo "$subcommand" --target "$target" -Zbuild-std="${BARE_STD:-core}" "$@"
}

bare_target_dir() {
    if has_rustup_targets; then echo "$CARGO_TARGET_DIR"; else echo "$CARGO_TARGET_DIR/debian"; fi
}

bare_rustc_version() {
    if has_rustup_targets; then rustc -V; else /usr/bin/rustc -V; fi
}
