#!/bin/sh
# Everything at once, for so many minutes (60), on pools that come and go (tests/soak). Prints a line a minute and
# the figures at the end; fails if a task is lost, a lease is kept, memory, files or threads grow, or nothing
# gets on for a minute: what everybody was doing is printed then.
set -eu
cd "$(dirname "$0")/.."
FILCH_SOAK_MINUTES=${1:-60}
export FILCH_SOAK_MINUTES
exec cargo test --release --locked --test soak -- --ignored --exact soak --nocapture
