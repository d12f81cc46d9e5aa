# For scripts that run others' tests on filch: how to come by their sources, and to count. Sets
# and reads $work, the scripts' own directory, and $passed and $failed.

# fetch DEPENDENCY...: lays the sources of these, each a line of a manifest, and of what they need
# into $work/vendor. A package that depends on them has cargo do that; nobody builds it.
fetch() {
    mkdir -p "$work/fetch/src"
    touch "$work/fetch/src/lib.rs"
    {
        printf '[workspace]\n[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n'
        printf '%s\n' "$@"
    } >"$work/fetch/Cargo.toml"
    cargo vendor --quiet --versioned-dirs --manifest-path "$work/fetch/Cargo.toml" "$work/vendor" >/dev/null
}

# tally COMMAND...: adds up what the command's tests came to; what failed is printed.
tally() {
    local log=$work/log status=0
    "$@" >"$log" 2>&1 || status=$?
    sed -n '/^failures:/,$p; /^error/p; /panicked at/p' "$log" | awk 'NR <= 60'
    local sums
    sums=$(awk '/^test result:/ { for (i = 1; i < NF; i++) {
        if ($(i + 1) == "passed;") p += $i
        if ($(i + 1) == "failed;") f += $i
    } } END { print p + 0, f + 0 }' "$log")
    passed=$((passed + ${sums% *}))
    failed=$((failed + ${sums#* }))
    # A binary that died, or that could not be made, has no result; and no test at all is none passed.
    if [ "${sums#* }" = 0 ] && { [ "$status" != 0 ] || [ "${sums% *}" = 0 ]; }; then
        [ -s "$log" ] || echo "$* ended with $status and said nothing: is the disk full?"
        tail -n 40 "$log"
        failed=$((failed + 1))
    fi
}
