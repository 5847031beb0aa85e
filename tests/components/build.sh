#!/bin/sh
# Builds components that other tools make, and one that means harm, for the tests.
#
#     tests/components/build.sh OUT_DIR [NAME…]      NAME: spin spin-p3 python js hostile (all of them)
#
# Leaves OUT_DIR/NAME.wasm. A component whose sources have not changed is not built again. Tools are installed below
# OUT_DIR, in the exact versions that lock files and python/requirements.txt name; nothing outside it changes.
# The first time takes about four minutes on two cores, half of it for the first Rust component.
set -eu

[ $# -ge 1 ] || { echo "usage: $0 OUT_DIR [NAME…]" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
programs=$here/../../programs
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
[ $# -ge 1 ] || set -- spin spin-p3 python js hostile

say() { echo "components: $*" >&2; }
# fail WHAT WAY_OUT
fail() {
    say "$1"
    say "hint: $2"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# A hash over the content of files and folders.
digest() {
    find "$@" \( -name target -o -name node_modules -o -name __pycache__ \) -prune -o -type f -print0 | sort -z |
        xargs -0 sha256sum | cut -d' ' -f1 | cat - "$here/build.sh" | sha256sum | cut -d' ' -f1
}

# rust NAME FILE: one crate, with rustup's standard library or that of setup.
rust() {
    have cargo || fail "cargo is not on this machine" "https://rustup.rs installs it"
    if [ ! -d "$(rustc --print sysroot)/lib/rustlib/wasm32-wasip2/lib" ]; then
        sysroot=${PHALA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/phala}/wasm-sysroot
        [ -d "$sysroot/lib/rustlib/wasm32-wasip2/lib" ] && [ -x /usr/bin/rustc ] ||
            fail "Rust's standard library for wasm32-wasip2 is not on this machine" \
                "rustup target add wasm32-wasip2; where rustup cannot download it, ./setup builds it"
        set -- "$@" RUSTC=/usr/bin/rustc "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS=--sysroot $sysroot"
    fi
    name=$1 file=$2
    shift 2
    # Flags and compilers meant for this machine would break a build for WebAssembly.
    env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS -u CARGO_BUILD_TARGET -u RUSTC -u RUSTC_WORKSPACE_WRAPPER \
        CARGO_TARGET_DIR="$out/target" "$@" cargo build --quiet --locked --release --target wasm32-wasip2 \
        --manifest-path "$here/$name/Cargo.toml" || fail "cargo did not build $name" "its messages stand above"
    cp "$out/target/wasm32-wasip2/release/$file.wasm" "$out/$name.wasm"
}

python() {
    wanted=$(cat "$here/python/requirements.txt")
    if [ "$(cat "$out/venv/installed" 2>/dev/null)" != "$wanted" ]; then
        have python3 || fail "python3 is not on this machine" "apt install python3 python3-venv, or https://www.python.org"
        say "installing $wanted (48 MB)"
        rm -rf "$out/venv"
        python3 -m venv "$out/venv" || fail "python3 makes no virtual environment" "apt install python3-venv"
        "$out/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
            -r "$here/python/requirements.txt" ||
            fail "pip did not install $wanted" "it needs pypi.org, and Python 3.10 or newer on x86-64 or ARM64"
        echo "$wanted" > "$out/venv/installed"
    fi
    (cd "$here/python" && "$out/venv/bin/componentize-py" -d "$programs/templates/python/wit" \
        -w wasi:http/proxy@0.2.12 componentize app -o "$out/python.wasm") >"$out/python.log" 2>&1 ||
        { cat "$out/python.log" >&2; fail "componentize-py did not build app.py" "its messages stand above"; }
}

js() {
    if ! have node || ! have npm; then fail "node or npm is not on this machine" "install Node.js 20 or newer with npm"; fi
    [ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ] ||
        fail "node $(node --version) is too old" "install Node.js 20 or newer"
    mkdir -p "$out/js"
    cp "$here"/js/* "$out/js/"
    if ! cmp -s "$here/js/package-lock.json" "$out/js/node_modules/installed"; then
        say "installing componentize-js (190 MB on disk)"
        (cd "$out/js" && npm ci --loglevel=error --no-audit --no-fund --no-update-notifier >/dev/null) ||
            fail "npm did not install componentize-js" "it needs registry.npmjs.org; npm's messages stand above"
        cp "$here/js/package-lock.json" "$out/js/node_modules/installed"
    fi
    (cd "$out/js" && node build.mjs "$programs/templates/js/wit" "$out/js.wasm" >&2) ||
        fail "componentize-js did not build app.js" "its messages stand above"
}

# Two runs at once would install into the same folders.
if have flock; then
    exec 9>"$out/lock"
    flock 9
fi
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
    rm -f "$out/$name.stamp"
    say "building $name"
    began=$(date +%s)
    case $name in
        spin) rust spin spin_hello ;;
        spin-p3) rust spin-p3 spin_p3_hello ;;
        hostile) rust hostile hostile ;;
        *) "$name" ;;
    esac
    # Core modules begin with the same four bytes; components say 0d 00 01 00 after them.
    [ "$(head -c 8 "$out/$name.wasm" | od -An -tx1 | tr -d ' ')" = 0061736d0d000100 ] ||
        fail "$out/$name.wasm is not a component" "the tool that made it is not the one that was tried"
    echo "$stamp" > "$out/$name.stamp"
    say "$name: $(($(wc -c < "$out/$name.wasm") / 1024)) KiB after $(($(date +%s) - began)) s"
done
