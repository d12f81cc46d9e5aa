#!/usr/bin/env bash
# Runs rayon's own tests on filch: those of rayon, doc tests included, and of rayon-core, without,
# with 1, 2 and 4 threads, and prints how many passed and failed; and, before that, our test of the
# interface with rayon's own rayon-core. Their sources come from the registry, into
# target/rayon; nothing of rayon's lies in this repository. With arguments, only runs the numbers of
# threads that these are; with --tests before them, no doc tests, and not what rayon-core itself does.
#
# Left out are what upstream itself ignores, and two tests of rayon-core that look into its private
# parts: workers_stop and sleeper_stop, which rayon-core/tests/pool.rs replaces.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$root/target/rayon
rayon=1.12.0
core=1.13.0
kinds=()
[ "${1-}" != --tests ] || { kinds=(--tests) && shift; }
counts=(${@:-1 2 4})
source scripts/upstream.sh

fetch "rayon = \"=$rayon\"" "rayon-core = \"=$core\""

# rayon, as it is but for the patch.
patch() {
    printf '\n[workspace]\n[patch.crates-io]\nrayon-core = { path = "%s" }\n' "$root/rayon-core"
}
rm -rf "$work/rayon" "$work/core"
cp -r "$work/vendor/rayon-$rayon" "$work/rayon"
chmod -R u+w "$work/rayon"
rm -f "$work/rayon/Cargo.lock" "$work/rayon/.cargo-checksum.json"
patch >>"$work/rayon/Cargo.toml"

# rayon-core's tests, all as tests from outside: what they have of the crate is what it shows.
upstream=$work/vendor/rayon-core-$core
mkdir -p "$work/core/src" "$work/core/tests"
touch "$work/core/src/lib.rs"
{
    cat <<END
[package]
name = "rayon-core-tests"
version = "0.0.0"
edition = "2021"
[dependencies]
rayon-core = "=$core"
# A test of theirs uses what the crate itself depends on.
crossbeam-utils = "0.8"
END
    sed -n '/^\[dev-dependencies/,$p; /^\[target.*dev-dependencies/,$p' "$upstream/Cargo.toml" | awk '!seen[$0]++ || /^$/'
    patch
} >"$work/core/Cargo.toml"
cp "$upstream"/tests/*.rs "$work/core/tests"
for source in "$upstream"/src/test.rs "$upstream"/src/*/test.rs; do
    name=$(basename "$(dirname "$source")")
    [ "$name" = src ] && name=lib
    {
        # The few private functions that they call, by public ones.
        cat <<'END'
#![allow(unused_imports, dead_code)]
use rayon_core::*;

mod unwind {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    pub fn halt_unwinding<R>(f: impl FnOnce() -> R) -> std::thread::Result<R> {
        catch_unwind(AssertUnwindSafe(f))
    }
}

mod registry {
    /// Calls `op` on a thread of the current pool, or else of the global one.
    pub fn in_worker<R: Send>(op: impl FnOnce(&(), bool) -> R + Send) -> R {
        rayon_core::scope(|_| op(&(), false))
    }
}

END
        awk '
            /^#!\[cfg\(test\)\]/ || /^\/\/!/ { next }
            # A test from its first attribute to its last line, to be left out or not.
            /^#\[/ && !test { held = held $0 "\n"; next }
            /^fn (workers_stop|sleeper_stop)\(/ { held = ""; skip = 1 }
            skip { if (/^}/) skip = 0; next }
            { printf "%s%s\n", held, $0; held = "" }
        ' "$source" | sed -e 's/\bcrate::\(unwind\|registry\)\b/\1/g' -e '/^use unwind;/d' \
            -e 's/\bcrate::/rayon_core::/g' -e '/^use super::\*;/d' -e 's/^use super::/use rayon_core::/'
    } >"$work/core/tests/unit_$name.rs"
done

if [ ${#kinds[@]} = 0 ]; then
    # What our test of the interface expects is what rayon-core has.
    mkdir -p "$work/stock/src" "$work/stock/tests"
    touch "$work/stock/src/lib.rs"
    cp rayon-core/tests/interface.rs "$work/stock/tests"
    sed 's/name = "fetch"/name = "stock"/; s/2021/2024/' "$work/fetch/Cargo.toml" >"$work/stock/Cargo.toml"
    cargo test --quiet --manifest-path "$work/stock/Cargo.toml" --target-dir "$work/stock/target" --test interface
fi

newest() {
    ls -t "$@" | awk 'NR == 1'
}

# rayon-core's doc tests, those that must not compile included: its sources are read for them, and
# they are linked with filch's.
core_doc_tests() {
    local face=$work/face/debug deps=$work/target/debug/deps
    cargo build --quiet --manifest-path rayon-core/Cargo.toml --target-dir "$work/face" || return
    rustdoc --test "$upstream/src/lib.rs" --crate-name rayon_core --edition 2021 \
        --extern rayon_core="$face/librayon_core.rlib" -L dependency="$face/deps" \
        --extern crossbeam_deque="$(newest "$face"/deps/libcrossbeam_deque-*.rlib)" \
        --extern crossbeam_utils="$(newest "$face"/deps/libcrossbeam_utils-*.rlib)" \
        --extern scoped_tls="$(newest "$deps"/libscoped_tls-*.rlib)"
}

for threads in "${counts[@]}"; do
    export RAYON_NUM_THREADS=$threads
    passed=0
    failed=0
    for package in rayon core; do
        tally cargo test --quiet --no-fail-fast "${kinds[@]}" --manifest-path "$work/$package/Cargo.toml" \
            --target-dir "$work/target"
    done
    [ ${#kinds[@]} -gt 0 ] || tally core_doc_tests
    echo "$threads threads: $passed passed, $failed failed"
    total_failed=$((${total_failed:-0} + failed))
done
[ "$total_failed" = 0 ]
