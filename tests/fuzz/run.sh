#!/bin/sh
# Fuzzes: builds the targets and lets each of them search for a while.
#
#     tests/fuzz/run.sh SECONDS [TARGET…]      TARGET: the names in README.md (all of them)
#
# Exit status: 0 nothing was found, 1 something was found or could not be run, 2 wrong usage.
# Builds, inputs that reach new code (they are kept for the next time) and findings lie outside the checkout:
# PHALA_FUZZ_DIR, or ${XDG_CACHE_HOME:-~/.cache}/phala/fuzz. CARGO_FUZZ_TARGET_DIR moves the build alone.
# Any compiler that builds this project will do; CARGO="cargo +nightly" chooses another.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
all="quote collateral signed_collateral framing receipt"
usage() {
    echo "usage: $0 SECONDS [TARGET…]      TARGET: $all" >&2
    exit 2
}
case ${1:-} in '' | *[!0-9]* | 0) usage ;; esac
seconds=$1
shift
for name in "$@"; do
    case " $all " in *" $name "*) ;; *) usage ;; esac
done
[ $# -ge 1 ] || eval "set -- $all"

say() { echo "fuzz: $*" >&2; }
# fail WHAT WAY_OUT
fail() {
    say "$1"
    say "hint: $2"
    exit 1
}

cargo=${CARGO:-cargo}
directory=${PHALA_FUZZ_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/phala/fuzz}
target_dir=${CARGO_FUZZ_TARGET_DIR:-$directory/target}
mkdir -p "$directory" "$target_dir"
directory=$(cd "$directory" && pwd)
target_dir=$(cd "$target_dir" && pwd)
# cargo takes its configuration from where it is called: the build must not depend on where this is called from.
cd "$here"

$cargo --version >/dev/null 2>&1 || fail "$cargo does not run" "https://rustup.rs installs it; CARGO=… names another"
host=$($cargo -vV | sed -n 's/^host: //p')
case $host in
    *-linux-gnu) ;;
    *) fail "libFuzzer was tried on Linux with glibc, not on $host" "run it in a Debian 12 container" ;;
esac
command -v "${CXX:-c++}" >/dev/null 2>&1 || fail "no C++ compiler is on this machine" "apt install g++: libFuzzer is C++"

# Two runs at once would share a corpus and a build.
if command -v flock >/dev/null 2>&1; then
    exec 9>"$directory/lock"
    flock -n 9 || { say "waiting for another run in $directory"; flock 9; }
fi

# Counters at every edge, and the operands of comparisons; instrument.sh says where. --target keeps them out of build
# scripts. A sanitizer for memory would find nothing: what is ours forbids `unsafe`.
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
flags="$flags -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
flags="$flags --cfg fuzzing -Ccodegen-units=1"
bins=
for name in "$@"; do bins="$bins --bin $name"; done
say "building $# targets (the first time compiles about 400 crates: some 10 minutes of one core)"
# shellcheck disable=SC2086 # several words
env -u CARGO_ENCODED_RUSTFLAGS -u RUSTC_WORKSPACE_WRAPPER CARGO_TARGET_DIR="$target_dir" RUSTFLAGS="$flags" \
    RUSTC_WRAPPER="$here/instrument.sh" \
    $cargo build --locked --release --target "$host" $bins ||
    fail "cargo did not build the targets" "its messages stand above"

# longest NAME: no larger input is tried; a sample of its kind fits in.
longest() {
    case $1 in
        quote) echo 12000 ;;
        collateral | signed_collateral) echo 20000 ;;
        framing) echo 4096 ;;
        *) echo 16000 ;;
    esac
}

found=0
for name in "$@"; do
    binary=$target_dir/$host/release/$name
    corpus=$directory/corpus/$name findings=$directory/findings/$name log=$directory/$name.log
    seeds=$directory/seeds/$name
    rm -rf "$seeds"
    mkdir -p "$corpus" "$findings"
    PHALA_FUZZ_SEEDS="$seeds" "$binary" >"$log" 2>&1 ||
        { cat "$log" >&2; fail "$name does not start" "its messages stand above"; }
    say "$name: searching for $seconds s from $(find "$corpus" "$seeds" -type f | wc -l) inputs ($log)"
    status=0
    "$binary" "$corpus" "$seeds" -max_total_time="$seconds" -max_len="$(longest "$name")" -timeout=20 \
        -rss_limit_mb=2048 -use_value_profile=1 -print_final_stats=1 -artifact_prefix="$findings/" >"$log" 2>&1 ||
        status=$?
    result=ok
    [ $status = 0 ] || { result=FAILED found=1; }
    awk -v name="$name" -v result="$result" '
        /cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") now = $(i + 1); if ($2 == "INITED") start = now }
        /^stat::number_of_executed_units:/ { runs = $2 }
        /^stat::average_exec_per_sec:/ { speed = $2 }
        /^stat::new_units_added:/ { inputs = $2 }
        END {
            printf "%-18s %9d executions  %6d/s  coverage %6d (%+d)  %5d new inputs  %s\n",
                name, runs, speed, now, now - (start == "" ? now : start), inputs, result
        }' "$log"
    if [ $status != 0 ]; then
        grep -aE -A3 'panicked at|^==[0-9]+== ?ERROR|^SUMMARY' "$log" | head -20 >&2 || true
        input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
        if [ -n "$input" ]; then
            say "$name failed on $input"
            say "hint: reproduce: $binary $input"
            say "hint: make it smaller: $binary -minimize_crash=1 -runs=10000 -exact_artifact_path=$input.small $input"
        else
            say "$name ended with status $status and left no input; see $log"
        fi
    fi
done
exit $found
