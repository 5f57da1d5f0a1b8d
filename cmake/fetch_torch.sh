#!/bin/sh
# Makes .deps/site: LibTorch as a C++ library (544 MB to download, 1.2 GB on disk), pinned by cmake/deps.lock. A stamp
# with the hash of what it is made from makes the next run instant. Needs any Python 3 with pip (to download, not to run).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
lock=$root/cmake/deps.lock
site=$root/.deps/site
want=$(cat "$lock" "$0" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$site/stamp" 2>/dev/null)" = "$want" ]; then
  echo "LibTorch: $site is up to date"
  exit 0
fi
echo "LibTorch: making $site (downloads 544 MB)"
wheels=$root/.deps/wheels
rm -rf "$site" "$wheels"
mkdir -p "$site" "$wheels"
# One fixed wheel, whatever python3 is.
python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
  --python-version 3.11 --implementation cp --abi cp311 --abi none --platform manylinux_2_28_x86_64 \
  --platform manylinux_2_25_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
  -d "$wheels" -r "$lock"
for wheel in "$wheels"/*.whl; do python3 -m zipfile -e "$wheel" "$site"; done
rm -rf "$wheels"
# What a CPU program neither includes nor links: the CUDA libraries, 0.5 GB.
rm -f "$site"/torch/lib/libtorch_cuda.so "$site"/torch/lib/libtorch_cuda_linalg.so "$site"/torch/lib/libtorch_nvshmem.so
echo "$want" >"$site/stamp"
