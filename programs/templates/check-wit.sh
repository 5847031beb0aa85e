#!/bin/sh
# Compares the templates' WIT with programs/wit; with --write, copies it. Exits 1 when they differ.
set -eu
cd "$(dirname "$0")"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
for template in js python; do
    wit="$made/$template"
    mkdir -p "$wit/deps"
    cp ../wit/phala.wit "$wit/"
    for package in cli clocks filesystem http io random sockets; do
        cp "../wit/deps/$package.wit" "$wit/deps/"
    done
    cp -r ../wit/deps/keyvalue-draft2 "$wit/deps/"
    cp ../wit/deps/config-rc1.wit "$wit/deps/config.wit"
    cp ../wit/deps/logging-draft.wit "$wit/deps/logging-draft.wit"
    # componentize-js 0.23.0 answers fetch events in this version of wasi:http.
    [ "$template" != js ] || find "$wit" -name '*.wit' -exec sed -i 's/0\.2\.12/0.2.10/g' {} +
    if [ "${1:-}" = --write ]; then
        rm -rf "$template/wit"
        cp -r "$wit" "$template/wit"
    else
        diff -r "$wit" "$template/wit"
    fi
done
