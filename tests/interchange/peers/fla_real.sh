#!/bin/sh
# Runs check_fla.py with .deps/peers; without it, skips in words (77 is ctest's SKIP_RETURN_CODE).
root=$(cd "$(dirname "$0")/../../.." && pwd)
if [ ! -f "$root/.deps/peers/stamp" ]; then
  echo "SKIPPED: the real flash-linear-attention is not installed; ./dev peers makes $root/.deps/peers (590 MB)"
  exit 77
fi
exec "$root/.deps/peers/bin/python" "$root/tests/interchange/peers/check_fla.py" "$1" "$root"
