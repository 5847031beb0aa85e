#!/usr/bin/env bash
# Builds a sysroot with the standard library of wasm32-wasip2 from Debian packages, for machines whose rustup
# cannot download the target. Usage: wasm-sysroot.sh DEST. Needs: rustc-web rust-web-src wasi-libc clang lld-22 llvm-22.
#
# std is built with object code AND bitcode: without bitcode, `lto = true` guests do not link; with bitcode
# alone, the linker concatenates component-type sections.
set -euo pipefail
DEST=$1; TARGET=wasm32-wasip2; HOST=x86_64-unknown-linux-gnu
WORK=$(mktemp -d); trap 'rm -rf "$WORK"' EXIT
LIB=$DEST/lib/rustlib/$TARGET/lib; BIN=$DEST/lib/rustlib/$HOST/bin
mkdir -p "$WORK/src" "$LIB/self-contained" "$BIN"
printf '[package]\nname="mkstd"\nversion="0.0.0"\nedition="2021"\n[lib]\n[profile.release]\npanic="abort"\n[workspace]\n' > "$WORK/Cargo.toml"
: > "$WORK/src/lib.rs"
(cd "$WORK" && env -u CARGO_TARGET_DIR -u CARGO_BUILD_TARGET_DIR RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
  RUSTFLAGS="-C embed-bitcode=yes" cargo build -q -Zbuild-std=std,panic_abort --target $TARGET --release)
cp "$WORK"/target/$TARGET/release/deps/*.rlib "$LIB/"; rm -f "$LIB"/libmkstd*
cp /usr/lib/wasm32-wasi/{crt1-command.o,crt1-reactor.o,libc.a} "$LIB/self-contained/"
# Debian's wasi-libc has no threads: pthread_create answers EAGAIN, so std::thread::spawn is a polite Err.
cat > "$WORK/pthread.c" <<'C'
int pthread_attr_init(void *a) { return 0; }
int pthread_attr_destroy(void *a) { return 0; }
int pthread_attr_setstacksize(void *a, unsigned long s) { return 0; }
int pthread_create(void *t, const void *a, void *(*f)(void *), void *x) { return 6; }
int pthread_detach(void *t) { return 0; }
int pthread_join(void *t, void **r) { return 0; }
C
clang --target=wasm32-wasi -O2 -c "$WORK/pthread.c" -o "$WORK/pthread.o"
llvm-ar-22 r "$LIB/self-contained/libc.a" "$WORK/pthread.o" 2>/dev/null
ln -sf /usr/lib/rustlib/$HOST/bin/wasm-component-ld "$BIN/wasm-component-ld"
for c in /usr/bin/lld-22 /usr/lib/llvm-22/bin/lld "$(rustc --print sysroot)/lib/rustlib/$HOST/bin/rust-lld"; do
  [ -x "$c" ] && { ln -sf "$c" "$BIN/rust-lld"; break; }
done
