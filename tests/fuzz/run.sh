#!/usr/bin/env bash
# run.sh SECONDS [TARGET...]: builds the libFuzzer targets (build/fuzz) and runs each for SECONDS, from the seeds and what
# earlier runs kept in build/fuzz/corpus. Exits non-zero after a finding and names its reproducer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(layout model study fla_config journal hardware)

cmake --preset fuzz >&2
cmake --build --preset fuzz --target fuzz_corpus "${targets[@]/#/fuzz_}" >&2
cd build/fuzz
./fuzz_corpus --seeds seeds
mkdir -p findings

failed=0
for target in "${targets[@]}"; do
  mkdir -p "corpus/$target"
  echo "== $target, $seconds s" >&2
  if ! "./fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 \
      -verbosity=0 -artifact_prefix="$PWD/findings/$target-" "corpus/$target" "seeds/$target" 2>"findings/$target.log"; then
    failed=1
    tail -n 40 "findings/$target.log" >&2
    echo "$target: a finding; reproducer: $(ls -t "$PWD/findings/$target-"* 2>/dev/null | head -n 1)" >&2
  else
    grep -E 'number_of_executed_units|new_units_added|peak_rss' "findings/$target.log" >&2 || true
  fi
done
exit $failed
