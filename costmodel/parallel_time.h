#pragma once

#include <optional>

#include "costmodel/cost_report.h"
#include "costmodel/parallel_memory.h"

/// Estimated times on the devices of a Parallelism, collectives included. Devices are numbered tensor ranks first, then
/// context, data and pipeline ranks, so that tensor ranks share a node.
///
///     tensor      an all-reduce of every token's d_model after the token mixer and after the channel mixer
///                 (arXiv 1909.08053; with sequence parallelism a gather and a scatter of the same bytes)
///     expert      two all-to-alls of a token's d_model for each expert that it visits
///     context     keys and values of the other ranks are gathered; recurrences pass their states on
///     pipeline    one message per micro-batch and boundary; a device waits for (p - 1) / interleave stages in every
///                 step (arXiv 2104.04473)
///     data        gradients (fp32) are scattered and weights gathered once per step, with ZeRO-3 weights in every
///                 micro-batch
///
/// `value` takes collectives of data parallelism as hidden behind the computation that runs beside them as far as that
/// is long enough, and all others as waited for. `low` takes all as hidden, `high` none.
namespace plait::costmodel {

/// What a training framework takes beyond its operators: the mean over seven published rates of Llama 3 8B and 70B
/// (Megatron-Bridge 25.11 and 26.02; marked as fitted in costmodel/VALIDATION.md).
inline constexpr double kTrainingOverhead = 1.25;

/// One optimizer step of Workload::batch sequences. The backward pass takes twice the forward's products and memory
/// passes, three times its attention (2.5 times the FLOPs at 0.85 of the rate: FlashAttention-3, arXiv 2407.08608) and
/// 2.5 times its recurrences (flash-linear-attention, HGRN and FlashQLA: 1.4 to 3). Recurrences run the kernels of
/// flash-linear-attention where they are measured, because those of FlashInfer have no backward pass. All of it takes
/// kTrainingOverhead times its operators.
struct TrainingTime {
  Estimate step;
  Estimate update;          ///< part of the step: the optimizer's pass over its state
  Estimate communication;   ///< part of the step that devices wait for collectives
  double bubble_share = 0;  ///< of the step that a device waits for other stages
  /// Tokens of the step over its seconds and devices; `low` belongs to the longest step.
  Estimate tokens_per_s_per_device;
};

/// Nothing when the profile has no links and there is more than one device. All arguments must be valid.
std::optional<TrainingTime> training_time(const spec::ModelSpec& model, const spec::Workload& workload,
                                          const Parallelism& parallelism, const Training& training,
                                          const HardwareProfile& hardware);

/// One batch in flight: its pipeline stages follow one another. Replicas share the batch.
struct ServingTime {
  Estimate prefill;
  Estimate decode_step;
  Estimate prefill_communication;  ///< part of `prefill`
  Estimate decode_communication;   ///< part of `decode_step`
};

/// On one device the times of the report, to the bit. Nothing as above.
std::optional<ServingTime> serving_time(const spec::ModelSpec& model, const spec::Workload& workload,
                                        const Parallelism& parallelism, const HardwareProfile& hardware);

}  // namespace plait::costmodel
