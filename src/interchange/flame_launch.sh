#!/usr/bin/env bash
# Trains @MODEL@ with flame. Run from the root of a flame checkout: bash /path/to/this/launch.sh
# Change by environment: NNODE NGPU NAME TOKENIZER STEPS LEARNING_RATE DATASET DATASET_NAME. Every step takes
# @TOKENS@ tokens per GPU.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
steps=${STEPS:-20480}
rate=${LEARNING_RATE:-@RATE@}
name=${NAME:-@NAME@}
tokenizer=${TOKENIZER:-fla-hub/transformer-1.3B-100B}
folder=exp/$name/@SHAPE@.warmup1024.update1.steps$steps.lr$rate.cosine

# train.sh finds these four values by searching its own argument line: `--flag value`, no spaces or quotes inside.
for value in "$here" "$folder" "$tokenizer"; do
  case $value in
    *[[:space:]\'\"]*)
      echo "launch.sh: flame takes no spaces or quotes here: $value" >&2
      exit 2
      ;;
  esac
done
if [ ! -f train.sh ] || [ ! -d flame ]; then
  echo "launch.sh: run it from the root of a flame checkout (no train.sh here)" >&2
  exit 2
fi

NNODE=${NNODE:-1} NGPU=${NGPU:-8} LOG_RANK=${LOG_RANK:-0} bash train.sh \
  --job.config_file flame/models/fla.toml \
  --job.dump_folder "$folder" \
  --model.config "$here/config.json" \
  --model.tokenizer_path "$tokenizer" \
  --optimizer.name AdamW \
  --optimizer.eps 1e-15 \
  --optimizer.lr "$rate" \
  --lr_scheduler.warmup_steps 1024 \
  --lr_scheduler.lr_min 0.1 \
  --lr_scheduler.decay_type cosine \
@SEQUENCES@
  --training.gradient_accumulation_steps 1 \
  --training.steps "$steps" \
  --training.max_norm 1.0 \
  --training.skip_nan_inf \
  --training.dataset "${DATASET:-HuggingFaceFW/fineweb-edu}" \
  --training.dataset_name "${DATASET_NAME:-sample-100BT}" \
  --training.dataset_split train \
  --training.num_workers 32 \
  --training.prefetch_factor 2 \
  --training.seed 42 \
  --training.compile \
  --checkpoint.interval 2048 \
  --checkpoint.load_step -1 \
  --checkpoint.keep_latest_k 2 \
  --metrics.log_freq 1
