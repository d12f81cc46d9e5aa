#!/usr/bin/env bash
# All that is too long for `.ci/run`: many seeds, more preemptions, sanitizers, mutants, an hour of
# soak, comparisons with others. Writes for each step when it ran, on what, for how long and with
# what result into docs/TESTING.md, and what it printed into target/deep. Takes about a day on 2
# CPUs; with arguments, runs only the steps that these are. A step's result is the last line that it
# prints.
set -euo pipefail
cd "$(dirname "$0")/.."
page=docs/TESTING.md
logs=$PWD/target/deep
mkdir -p "$logs"
chosen=("$@")
known=()
failures=0
row=$(mktemp)
trap 'rm "$row"' EXIT

step() {
    local name=$1 start=$SECONDS result
    shift
    known+=("$name")
    if [ ${#chosen[@]} -gt 0 ] && [[ " ${chosen[*]} " != *" $name "* ]]; then
        return
    fi
    echo "== $name: $*, into $logs/$name"
    if "$@" >"$logs/$name" 2>&1; then
        result=$(awk 'NF { last = $0 } END { print last }' "$logs/$name")
    else
        result="**failed**: $(awk 'NF { last = $0 } END { print last }' "$logs/$name")"
        failures=$((failures + 1))
    fi
    echo "   $result"
    printf '| %s | `%s` | %s, %s | %s min | %s |\n' "$name" "$*" "$(date +%F)" "$(git describe --always --dirty)" \
        $(((SECONDS - start + 59) / 60)) "$result" >"$row"
    # In its own place, or else behind the others.
    awk -v name="| $name |" -v row="$(cat "$row")" '
        index($0, name) == 1 { print row; done = 1; next }
        $0 == "<!-- /deep -->" && !done { print row }
        { print }' "$page" >"$row" && cat "$row" >"$page"
}

step optimised cargo test --release --locked --tests
step one-cpu taskset -c 0 cargo test --release --locked --tests
step models scripts/models 3 300
step shuttle scripts/shuttle 10000
step miri scripts/sanitize miri 16
step address scripts/sanitize address
step memcheck scripts/sanitize memcheck
step thread scripts/sanitize thread
step fuzz scripts/fuzz 600
step mutants scripts/mutants
step stress env FILCH_STRESS_SECONDS=600 cargo test --release --locked --test stress
step soak nice -n 5 scripts/soak.sh 60
step rayon scripts/test-rayon.sh
step programs scripts/test-programs.sh
step exporters cargo test --manifest-path examples/export/Cargo.toml --target-dir target/export --locked
step exporters-lints cargo clippy --manifest-path examples/export/Cargo.toml --target-dir target/export --all-targets --locked -- -D warnings
step hygiene scripts/hygiene
step plain env RUSTFLAGS="--cfg filch_no_membarrier --cfg filch_no_affinity --cfg filch_no_futex" \
    cargo test --locked --lib --tests --target-dir target/plain
step benches env FILCH_BENCH_QUICK=1 cargo bench --locked
step peers scripts/test-peers.sh

for name in "${chosen[@]}"; do
    [[ " ${known[*]} " == *" $name "* ]] || { echo "no step is called $name; there are: ${known[*]}"; exit 2; }
done
[ "$failures" = 0 ] || { echo "$failures steps failed"; exit 1; }
