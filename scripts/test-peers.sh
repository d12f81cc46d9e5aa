#!/usr/bin/env bash
# Whether filch still stands beside its peers: builds, lints and tests benches/peers and benches/rayon, and
# takes the tables once, quickly. Their figures mean nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
# forte doesn't build with older ones, whatever it asks for.
if [ "$(rustc --version | cut -d. -f2)" -lt 95 ]; then
    echo "SKIPPED: forte doesn't build with $(rustc --version)"
    exit 0
fi
peers() {
    local command=$1
    shift
    cargo "$command" --manifest-path benches/peers/Cargo.toml --target-dir target/peers \
        --release --locked --ignore-rust-version "$@"
}
cargo fmt --manifest-path benches/peers/Cargo.toml --check
peers build
peers clippy --all-targets -- -D warnings
peers test
plots=$(mktemp -d)
trap 'rm -r "$plots"' EXIT
FILCH_BENCH_QUICK=1 target/peers/release/peers table --plots "$plots"
cargo fmt --manifest-path benches/rayon/Cargo.toml --check
cargo clippy --manifest-path benches/rayon/Cargo.toml --target-dir target/rayon-bench/lints -- -D warnings
ROUNDS=1 THREADS=2 scripts/bench-rayon.sh
echo "all programs work"
