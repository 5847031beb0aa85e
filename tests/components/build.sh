#!/bin/sh
# Builds components that other tools make, and one that means harm, for the tests.
#
#     tests/components/build.sh OUT_DIR [NAME…]      NAME: spin spin-p3 python js hostile (all of them)
#
# Leaves OUT_DIR/NAME.wasm. A component whose sources have not changed is not built again. Tools are installed below
# OUT_DIR, in the exact versions named here; nothing outside it changes.
set -eu
COMPONENTIZE_PY=0.25.1

[ $# -ge 1 ] || { echo "usage: $0 OUT_DIR [NAME…]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
programs=$here/../../programs
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
[ $# -ge 1 ] || set -- spin spin-p3 python js hostile

# A hash over the content of files and folders.
digest() {
    find "$@" -type f ! -path '*/target/*' ! -path '*/node_modules/*' -print0 | sort -z | xargs -0 sha256sum |
        cut -d' ' -f1 | cat - "$here/build.sh" | sha256sum | cut -d' ' -f1
}

# rust NAME FILE: one crate, with rustup's standard library or that of setup.
rust() {
    if [ ! -d "$(rustc --print sysroot)/lib/rustlib/wasm32-wasip2/lib" ]; then
        sysroot=${PHALA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/phala}/wasm-sysroot
        [ -d "$sysroot" ] || { echo "no standard library for wasm32-wasip2; run ./setup" >&2; exit 1; }
        export RUSTC=/usr/bin/rustc CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS="--sysroot $sysroot"
    fi
    target=${CARGO_TARGET_DIR:-$out/target}
    env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS CARGO_TARGET_DIR="$target" cargo build --quiet --locked --release \
        --target wasm32-wasip2 --manifest-path "$here/$1/Cargo.toml"
    cp "$target/wasm32-wasip2/release/$2.wasm" "$out/$1.wasm"
}

python() {
    if [ ! -x "$out/venv/bin/componentize-py" ]; then
        python3 -m venv "$out/venv"
        "$out/venv/bin/pip" install --quiet --disable-pip-version-check "componentize-py==$COMPONENTIZE_PY"
    fi
    (cd "$here/python" && "$out/venv/bin/componentize-py" -d "$programs/templates/python/wit" \
        -w wasi:http/proxy@0.2.12 componentize app -o "$out/python.wasm")
}

js() {
    mkdir -p "$out/js"
    cp "$here"/js/* "$out/js/"
    (cd "$out/js" && { [ -d node_modules ] || npm ci --silent --no-audit --no-fund; } &&
        node build.mjs "$programs/templates/js/wit" "$out/js.wasm")
}

for name in "$@"; do
    case $name in
        python) sources="$here/python $programs/templates/python/wit" ;;
        js) sources="$here/js $programs/templates/js/wit" ;;
        hostile) sources="$here/hostile $programs/sdk/src $programs/sdk/Cargo.toml" ;;
        spin | spin-p3) sources=$here/$name ;;
        *) echo "there is no component called $name" >&2; exit 2 ;;
    esac
    # shellcheck disable=SC2086 # several folders
    stamp=$(digest $sources)
    if [ -f "$out/$name.wasm" ] && [ "$(cat "$out/$name.stamp" 2>/dev/null)" = "$stamp" ]; then
        continue
    fi
    echo "building $name" >&2
    case $name in
        spin) rust spin spin_hello ;;
        spin-p3) rust spin-p3 spin_p3_hello ;;
        hostile) rust hostile hostile ;;
        *) "$name" ;;
    esac
    echo "$stamp" > "$out/$name.stamp"
done
