#!/bin/sh
# Stands before rustc (RUSTC_WRAPPER): coverage is measured where inputs are read and judged, not in arithmetic of
# curves and hashes, which would be ten times slower and steer the search nowhere.
case ${CARGO_PKG_NAME:-} in
    phala-* | dcap-qvl* | asn1_der | base64 | bhttp | der | hex | http | pem | parity-scale-codec | serde | \
        serde_json | x509-cert | finality-grandpa | sp-consensus-grandpa | sp-runtime | sp-trie | trie-db) ;;
    *)
        for argument; do
            shift
            [ "$argument" = -Cpasses=sancov-module ] || set -- "$@" "$argument"
        done
        ;;
esac
exec "$@"
