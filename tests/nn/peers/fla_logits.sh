#!/bin/sh
# Compares populations with the real flash-linear-attention in .deps/peers; without it, skips in words (77 is ctest's
# SKIP_RETURN_CODE).
#   fla_logits.sh PROGRAM [GOLDEN]    PROGRAM: that of fla_logits.cpp; GOLDEN: rewrite the golden files there
root=$(cd "$(dirname "$0")/../../.." && pwd)
if [ ! -f "$root/.deps/peers/stamp" ]; then
  echo "SKIPPED: the real flash-linear-attention is not installed; ./dev peers makes $root/.deps/peers (590 MB)"
  exit 77
fi
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$1" write "$scratch"
"$root/.deps/peers/bin/python" "$root/tests/nn/peers/fla_logits.py" "$scratch" ${2:+"$2"}
"$1" compare "$scratch"
