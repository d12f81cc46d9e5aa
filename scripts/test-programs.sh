#!/usr/bin/env bash
# Runs the tests of well-known crates that use rayon, with filch beneath: each as it was published,
# but for a patch that puts our rayon-core under its rayon; and prints how many passed and failed.
# Programs among them are also run on real files, and must print what they print over the registry's
# rayon-core. The sources come from the registry, into target/programs; nothing of theirs lies in this
# repository. With the argument `stock`, runs the same tests over the registry's rayon-core: what
# fails there too isn't filch's fault.
#
# RAYON_NUM_THREADS is what it is outside, or else 4: tasks get stolen even on a small machine.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$root/target/programs
kind=${1:-filch}
if [ $# -gt 1 ] || { [ "$kind" != filch ] && [ "$kind" != stock ]; }; then
    echo "usage: $0 [stock]" >&2
    exit 2
fi
core=1.13.0
# Of each the newest version whose archive has its tests. jwalk 0.9 and ndarray 0.17 are left out for
# that: the one's tests need half of git in Rust, the other's aren't there. So is blake3 itself,
# whose tests need a crate that isn't published; b3sum uses it.
declare -A versions=(
    [b3sum]=1.8.7
    [fclones]=0.35.0
    [hashbrown]=0.17.2
    [indexmap]=2.14.2
    [jwalk]=0.8.1
    [ndarray]=0.16.1
    [tokei]=15.0.0
)
# Where rayon is a feature.
declare -A features=([hashbrown]=rayon [indexmap]=rayon [ndarray]=rayon)
export RAYON_NUM_THREADS=${RAYON_NUM_THREADS:-4}
# Nobody debugs what is built here, and it's built sooner so.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 CARGO_INCREMENTAL=0
# Warnings about their code are theirs to mend.
export RUSTFLAGS="${RUSTFLAGS:-} --cap-lints=allow"
# One for all, so that what two of them need is built once.
export CARGO_TARGET_DIR=$work/target

source scripts/upstream.sh

dependencies=()
for name in "${!versions[@]}"; do
    # Nobody builds them here, so they do without their features.
    dependencies+=("$name = { version = \"=${versions[$name]}\", default-features = false }")
done
fetch "${dependencies[@]}"

# Takes a dependency that only tests have out of a manifest.
without() {
    awk -v head="[dev-dependencies.$1]" '/^\[/ { out = $0 == head } !out' "$2" >"$2.new"
    mv "$2.new" "$2"
}

# copy NAME filch|stock: lays the sources, with or without the patch.
copy() {
    local to=$work/$2/$1
    rm -rf "$to"
    mkdir -p "$work/$2"
    cp -r "$work/vendor/$1-${versions[$1]}" "$to"
    chmod -R u+w "$to"
    rm -f "$to/.cargo-checksum.json"
    printf '\n[workspace]\n' >>"$to/Cargo.toml"
    if [ "$2" = filch ]; then
        printf '[patch.crates-io]\nrayon-core = { path = "%s" }\n' "$root/rayon-core" >>"$to/Cargo.toml"
    fi
    # Only benchmarks use it, and it's half of what there is to build.
    without criterion "$to/Cargo.toml"
    if [ "$1" = tokei ]; then
        # Its tests ask libgit2, a minute's building, only for a directory that looks like a repository.
        without git2 "$to/Cargo.toml"
        sed -i 's/git2::Repository::init(dir.path())/fs::create_dir_all(dir.path().join(".git\/info"))/' \
            "$to/src/utils/fs.rs"
    fi
    # Its lock file stays, as that of a program that takes up filch does; but rayon-core must be the
    # version that the patch is for.
    cargo update --quiet --manifest-path "$to/Cargo.toml" rayon-core
}

# uses NAME filch|stock: whether the rayon-core beneath is that one.
uses() {
    local tree want="rayon-core v$core"
    [ "$2" = stock ] || want+=" ($root/rayon-core)"
    tree=$(cargo tree --quiet --manifest-path "$work/$2/$1/Cargo.toml" --features "${features[$1]:-}" \
        -e all -i rayon-core --depth 0) || true
    if [ "$tree" != "$want" ]; then
        echo "$1 uses '$tree', not '$want'" >&2
        return 1
    fi
}

total_failed=0

# check NAME ARGUMENT...: runs its tests.
check() {
    local name=$1
    shift
    copy "$name" "$kind"
    uses "$name" "$kind"
    passed=0
    failed=0
    # One that waits for ever has failed.
    tally timeout 600 cargo test --quiet --no-fail-fast --manifest-path "$work/$kind/$name/Cargo.toml" \
        --features "${features[$name]:-}" "$@"
    echo "$name ${versions[$name]}: $passed passed, $failed failed"
    total_failed=$((total_failed + failed))
}

# build NAME filch|stock: builds a program, to be found as bin/NAME-KIND.
build() {
    mkdir -p "$work/bin"
    uses "$1" "$2"
    cargo build --quiet --manifest-path "$work/$2/$1/Cargo.toml"
    cp "$work/target/debug/$1" "$work/bin/$1-$2"
}

# same NAME ARGUMENT...: whether the program prints the same lines with both.
same() {
    local name=$1 which
    shift
    for which in filch stock; do
        # In what order they come is left to the threads.
        if ! timeout 300 "$work/bin/$name-$which" "$@" 2>"$work/log" | sort >"$work/out-$which"; then
            echo "$name $* fails with $which:"
            tail -n 20 "$work/log"
            total_failed=$((total_failed + 1))
            return
        fi
    done
    if [ ! -s "$work/out-filch" ] || ! cmp -s "$work/out-filch" "$work/out-stock"; then
        echo "$name $* prints with filch (<) and stock (>):"
        diff "$work/out-filch" "$work/out-stock" | awk 'NR <= 20' || true
        total_failed=$((total_failed + 1))
        return
    fi
    echo "$name ${versions[$name]}: $* prints the same with both"
}

check jwalk
check hashbrown
check indexmap
# Only these of its tests use rayon; and one of the others needs a crate that isn't published.
check ndarray --lib --test par_azip --test par_rayon --test par_zip
check b3sum
# These two read files that aren't in the archive.
check tokei -- --skip jupyter_notebook_has_correct_totals --skip lf_embedded_language_is_counted
check fclones

if [ "$kind" = filch ]; then
    for name in b3sum tokei fclones; do
        copy "$name" stock
        build "$name" stock
        build "$name" filch
    done
    seq 20000000 >"$work/big"
    same b3sum "$work/big"
    same b3sum --num-threads 1 "$work/big"
    same tokei src
    # In fewer columns it panics at long names, with stock too.
    same tokei --columns 250 --files --no-ignore "$work/vendor"
    # In this format it says nothing of the time.
    same fclones group --format fdupes --no-ignore --min 1 "$work/vendor"
    rm "$work/big"
fi
[ "$total_failed" = 0 ]
