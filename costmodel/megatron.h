#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "src/spec/model_spec.h"

/// What Megatron-LM itself says about a model, to the digit and mistakes included, so that TFLOP/s and memory compare
/// with published ones. Sources: `num_floating_point_operations` and `theoretical_memory_usage` at d98e8a6 (0.19.2
/// gives the same), KDA as in Megatron-Bridge 067f987. What the model really costs is in cost_report.h and
/// training_memory.h.
namespace plait::costmodel {

struct MegatronFlops {
  /// Multi-token prediction: one more layer each, and one more output head.
  std::vector<spec::LayerSpec> mtp_layers{};
  /// Mamba-2's inner width is heads x head_dim, as it should be; Megatron takes 2 d_model whatever the heads.
  bool true_mamba_width = false;
};

/// Training FLOPs (3 x forward) of `sequences` sequences of `tokens` tokens. Layouts with Mamba-2 or with a layer
/// without channel mixer take the hybrid path (Megatron's layout pattern), in which MLA layers and output gates count
/// nothing; all others take the GPT path. Both count L^2 / 2 pairs of causal attention, sliding windows as full
/// attention, no router, no diagonal, Mamba-2's convolution not, and 8 d_v^2 per token and head for Gated DeltaNet.
/// Nothing when Megatron has no formula for a layer: other mixers, parallel branches, shared weights or caches. Throws
/// SpecError past 2^63 - 1.
std::optional<std::int64_t> megatron_training_flops(const spec::ModelSpec& model, spec::Dim tokens, spec::Dim sequences,
                                                    const MegatronFlops& options = {});

/// How a training is spread, in Megatron's words.
struct MegatronTraining {
  spec::Dim sequence = 4096;
  spec::Dim micro_batch = 1;
  spec::Dim microbatches = 1;
  spec::Dim tensor = 1;
  spec::Dim pipeline = 1;
  spec::Dim data = 1;
  spec::Dim expert = 1;
  spec::Dim expert_tensor = 1;
  bool distributed_optimizer = true;
};

/// Bytes on the most loaded device.
struct MegatronMemory {
  double weights_and_optimizer = 0;
  double activations_selective = 0;  ///< sequence parallel and selective recomputation
  double activations_other = 0;      ///< neither

  bool operator==(const MegatronMemory&) const = default;
};

/// Megatron's estimate. Nothing for layouts that it does not cover: anything but softmax attention or MLA with a
/// channel mixer in every layer. The model must be valid and `training` positive.
std::optional<MegatronMemory> megatron_memory(const spec::ModelSpec& model, const MegatronTraining& training);

}  // namespace plait::costmodel
