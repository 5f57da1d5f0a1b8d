#!/usr/bin/env bash
# tests/gpu/run.sh DIR: every test that needs an NVIDIA GPU, from the binaries in DIR, then the same kernels under
# compute-sanitizer's memcheck and racecheck; ends with a line each. Needs PyTorch 2.11 with CUDA for python3, for its
# libraries. Without a GPU the tests are skipped, in words.
set -uo pipefail
bin=${1:?tests/gpu/run.sh DIR}

torch=$(python3 -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])' 2>/dev/null) || torch=
if [ -n "$torch" ]; then
  # What CUDA builds of PyTorch link is in packages beside it.
  export LD_LIBRARY_PATH="$bin:$torch/lib:$(find "$torch/../nvidia" -maxdepth 3 -name lib -type d 2>/dev/null | tr '\n' ':')${LD_LIBRARY_PATH:-}"
fi
if nvidia-smi -L >/dev/null 2>&1; then
  gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -n 1)
else
  gpu=
fi

echo "${gpu:-no NVIDIA GPU here: the tests that need one are skipped}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

# check NAME COMMAND...: a line for what it ran; all that it said when it fails.
check() {
  local name=$1 begin=$SECONDS status=0 said
  shift
  "$@" >"$log" 2>&1 || status=$?
  if [ $status -ne 0 ]; then
    failed=1
    tail -n 60 "$log" >&2
  fi
  said=$(grep -aoE '(PASSED|SKIPPED) +\] [0-9]+ tests?|[0-9]+ FAILED TESTS?|(ERROR|RACECHECK) SUMMARY: .*' "$log" | tr -d ']' | tr -s ' ' | tr '\n' ';')
  printf '%-42s %s, %d s: %s\n' "$name" "$([ $status -eq 0 ] && echo passed || echo "FAILED ($status)")" $((SECONDS - begin)) "${said%;}"
}

check "delta rule, linear attention beside fp64" "$bin/test_kernels_cuda"
check "operators beside the CPU, whole steps" "$bin/test_proxy_trainer" --gtest_filter='GpuTest.*'
if [ -z "$gpu" ]; then exit $failed; fi
if ! command -v compute-sanitizer >/dev/null; then
  echo "compute-sanitizer is not here: nothing ran under it"
  exit $failed
fi
for tool in memcheck racecheck; do
  # Of plait's kernels alone: PyTorch's would take minutes.
  sanitizer=(compute-sanitizer --tool $tool --kernel-name kernel_substring=plait --error-exitcode 9)
  check "$tool: delta rule, linear attention" "${sanitizer[@]}" \
    "$bin/test_kernels_cuda" --gtest_filter='*AgreesForEveryHeadDim/bf16*'
  # cuBLAS's products, which cross-entropy needs, raise a hardware exception under racecheck.
  but=$([ $tool = racecheck ] && echo ':-*CrossEntropy*')
  check "$tool: the other operators" "${sanitizer[@]}" \
    "$bin/test_proxy_trainer" --gtest_filter="GpuTest.*Agree*:GpuTest.*AreThose*:GpuTest.AdamW*$but"
done
exit $failed
