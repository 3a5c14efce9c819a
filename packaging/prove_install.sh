#!/bin/sh
# Every way to install calimero, each in a new environment in a new clone (its path has a space), without a C compiler.
# Needs a package index; takes some minutes.   packaging/prove_install.sh [run pip editable pipx sdist wheel]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
python=${CALIMERO_PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
clone="$work/a clone"

no_compiler() {
    mkdir "$work/none"
    for tool in cc gcc g++ c++ clang clang++; do
        printf '#!/bin/sh\necho "this machine has no %s" >&2\nexit 127\n' "$tool" >"$work/none/$tool"
        chmod +x "$work/none/$tool"
    done
    PATH=$work/none:$PATH CC=/bin/false CXX=/bin/false
    export PATH CC CXX
}

new_environment() {
    "$python" -m venv "$work/$1"
    "$work/$1/bin/python" -m pip install --quiet --disable-pip-version-check "$2" ${3+"$3"} ${4+"$4"}
}

# $1 = python of the environment, $2 = command calimero.
prove() {
    cd /
    "$1" -c '
import importlib.metadata, sys, warnings
warnings.simplefilter("ignore")
import libp2p, libp2p.crypto.ecc, libp2p.pubsub.gossipsub, libp2p.kad_dht, libp2p.security.noise.transport
import rocksdict, wasmtime, calimero_tui.bundled
assert calimero_tui.bundled.demo_app().read_bytes()[:4] == b"\0asm", "demo app"
assert any(calimero_tui.bundled.recipes().rglob("*.yml")), "recipes"
assert importlib.metadata.version("fastecdsa") == "2.3.2+calimero.1", "fastecdsa"
'
    "$2" --help >/dev/null
}

release() {
    [ -d "$work/release" ] || new_environment release hatchling
    (cd "$clone" && "$work/release/bin/python" packaging/release.py >&2)
}

way() {
    case $1 in
    run) "$clone/run" --help >/dev/null && prove "$clone/.venv/bin/python" "$clone/run" ;;
    pip) new_environment pip "$clone" && prove "$work/pip/bin/python" "$work/pip/bin/calimero" ;;
    editable) new_environment editable --editable "$clone" && prove "$work/editable/bin/python" "$work/editable/bin/calimero" ;;
    pipx)
        new_environment tools pipx
        PIPX_HOME="$work/pipx" PIPX_BIN_DIR="$work/bin" "$work/tools/bin/pipx" install --python "$python" "$clone" >&2
        prove "$work/pipx/venvs/calimero/bin/python" "$work/bin/calimero"
        ;;
    sdist) release && new_environment sdist "$(echo "$clone"/dist/calimero-*.tar.gz)" && prove "$work/sdist/bin/python" "$work/sdist/bin/calimero" ;;
    wheel)
        release && mv "$clone/dist" "$work/elsewhere"
        new_environment wheel --find-links "$work/elsewhere" calimero && prove "$work/wheel/bin/python" "$work/wheel/bin/calimero"
        ;;
    *) echo "prove_install: no way named $1" >&2 && return 2 ;;
    esac
}

no_compiler
[ $# -gt 0 ] || set -- run pip editable pipx sdist wheel
for each; do
    rm -rf "$clone"
    git clone --quiet "$root" "$clone"
    (way "$each")
    echo "$each: ok"
done
