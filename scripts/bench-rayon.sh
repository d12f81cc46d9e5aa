#!/usr/bin/env bash
# rayon on its own rayon-core and on filch: builds the programs of benches/rayon with both, has them
# take turns, and prints how they compare, with 2 and with 8 threads. Takes about 3 minutes on a quiet
# machine. With arguments, only runs the shapes that these are. ROUNDS and THREADS may be set.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$root/target/rayon-bench
rounds=${ROUNDS:-5}
threads=(${THREADS:-2 8})

# Both with aligned functions and branch targets: where the linker happens to put a serial loop
# changed its time by 10 %, with either pool.
export RUSTFLAGS="${RUSTFLAGS-} -C llvm-args=-align-all-functions=6 -C llvm-args=-align-all-nofallthru-blocks=5"
for kind in stock filch; do
    mkdir -p "$work/$kind"
    # The same sources; only what lies under rayon differs. Neither may have the other's lock file.
    {
        sed '/^\[workspace\]/d' benches/rayon/Cargo.toml
        printf '\n[workspace]\n[[bin]]\nname = "shapes"\npath = "%s/benches/rayon/src/main.rs"\n' "$root"
        if [ "$kind" = filch ]; then
            printf '[patch.crates-io]\nrayon-core = { path = "%s/rayon-core" }\n' "$root"
        fi
    } >"$work/$kind/Cargo.toml"
    cargo build --release --quiet --manifest-path "$work/$kind/Cargo.toml" --target-dir "$work/$kind/target"
done
for count in "${threads[@]}"; do
    printf '\n%s threads, %s rounds:\n\n' "$count" "$rounds"
    RAYON_NUM_THREADS=$count "$work/stock/target/release/shapes" compare \
        "$work/stock/target/release/shapes" "$work/filch/target/release/shapes" "$rounds" "$@"
done
