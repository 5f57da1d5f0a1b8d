#!/bin/sh
# Makes .deps/peers, a Python environment with the real flash-linear-attention for a machine without a GPU (about 590 MB
# to download, 1.6 GB on disk). A stamp with the hash of everything it is made from makes the next run instant.
# Needs Python 3.11 or 3.12 with venv, gcc and binutils. PYTHON names another interpreter.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
lock=$root/cmake/peers.lock
env=$root/.deps/peers

# A name on the PATH may be a shim that does not run: ask each one for its version.
version=none
for python in ${PYTHON:-python3.12 python3.11 python3}; do
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo none)
  case $version in 3.11 | 3.12) break ;; esac
done
case $version in
  3.11 | 3.12) ;;
  *) echo "peers: needs Python 3.11 or 3.12 (the wheels of $lock), found neither" >&2 && exit 1 ;;
esac
for tool in gcc readelf nm; do
  command -v $tool >/dev/null || { echo "peers: $tool is missing (packages gcc and binutils)" >&2 && exit 1; }
done

want=$({ cat "$lock" "$here/standins.py" "$0"; echo "$version $env"; } | sha256sum | cut -d' ' -f1)
if [ "$(cat "$env/stamp" 2>/dev/null)" = "$want" ]; then
  echo "peers: $env is up to date"
  exit 0
fi

echo "peers: making $env with Python $version (downloads about 590 MB)"
rm -rf "$env"
mkdir -p "$root/.deps"
"$python" -m venv "$env" || { echo "peers: Python has no venv module (package python$version-venv)" >&2 && exit 1; }
# --no-compile: the tests import a small part of these 8,000 files, and Python compiles what it imports.
"$env/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --no-compile \
  --only-binary=:all: -r "$lock"
"$env/bin/python" "$here/standins.py"
"$env/bin/python" -c 'import torch, fla, transformers; from fla.models import GLAConfig
print("peers: torch", torch.__version__, "fla", fla.__version__, "transformers", transformers.__version__)'
echo "$want" >"$env/stamp"
