#!/bin/sh
# Makes .deps/imgui: the sources of Dear ImGui and ImPlot (54 MB to download, 5 MB kept), pinned by cmake/imgui.lock. A
# stamp with the hash of what it is made from makes the next run instant. Needs any Python 3 with pip, to download.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
lock=$root/cmake/imgui.lock
place=$root/.deps/imgui
want=$(cat "$lock" "$0" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$place/stamp" 2>/dev/null)" = "$want" ]; then
  echo "Dear ImGui: $place is up to date"
  exit 0
fi
echo "Dear ImGui: making $place (downloads 54 MB)"
rm -rf "$place"
mkdir -p "$place/download"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary=:all: --require-hashes \
  -d "$place/download" -r "$lock"
for tree in imgui/imgui implot/implot; do
  tar -xzf "$place"/download/*.tar.gz -C "$place" --strip-components=3 --wildcards "*_bundle-*/external/$tree/*" \
    --exclude='*/hello_imgui/*'
done
rm -rf "$place/download"
echo "$want" >"$place/stamp"
