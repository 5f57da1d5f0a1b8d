#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "costmodel/hardware.h"
#include "src/spec/model_spec.h"

/// What one device holds when a model is trained or served on several. Exact under the rules stated here; allocators
/// and kernels add their own (workspaces, fragmentation, padding).
namespace plait::costmodel {

/// How a model is spread over devices: tensor x pipeline x data x context of them. Tensor parallelism deals out heads,
/// hidden widths and vocabulary; key/value heads fewer than the ranks, norms, routers and low-rank down-projections are
/// held by several ranks. Pipeline stages are equal runs of layers. Experts are dealt over `expert` of the data and
/// context ranks, and each is split by tensor parallelism. Context parallelism splits the sequence.
struct Parallelism {
  spec::Dim tensor = 1;
  spec::Dim pipeline = 1;
  spec::Dim data = 1;
  spec::Dim expert = 1;
  spec::Dim context = 1;
  bool sequence = true;  ///< activations outside the tensor-parallel regions are split too (arXiv 2205.05198)

  spec::Dim devices() const { return tensor * pipeline * data * context; }
  bool operator==(const Parallelism&) const = default;
  static constexpr auto fields() {
    using P = Parallelism;
    constexpr spec::Dim kMost = 1 << 14;
    return std::tuple{spec::dim("tensor", &P::tensor, "tensor-parallel ranks", 1, kMost),
                      spec::dim("pipeline", &P::pipeline, "pipeline stages", 1, kMost),
                      spec::dim("data", &P::data, "data-parallel replicas", 1, kMost),
                      spec::dim("expert", &P::expert, "ranks that experts are dealt over", 1, kMost),
                      spec::dim("context", &P::context, "ranks that a sequence is dealt over", 1, kMost),
                      spec::flag("sequence", &P::sequence, "sequence parallelism beside tensor parallelism")};
  }
};

/// What is not kept for the backward pass: `selective` computes convolutions, chunk states and the activation of the
/// channel mixer again, `full` everything but a layer's input.
enum class Recompute { none, selective, full };
inline constexpr std::array<std::pair<Recompute, std::string_view>, 3> enum_names(Recompute) {
  return {{{Recompute::none, "none"}, {Recompute::selective, "selective"}, {Recompute::full, "full"}}};
}

/// One optimizer step over Workload::batch sequences of Workload::context tokens.
struct Training {
  spec::Dim micro_batch = 1;  ///< sequences per pass of one replica
  Recompute recompute = Recompute::selective;
  int zero_stage = 1;        ///< split over the data ranks: 1 the optimizer's state, 2 gradients too, 3 weights too
  spec::Dim interleave = 1;  ///< runs of layers that every pipeline stage holds (arXiv 2104.04473)
};

/// Bytes of one device. Weights in the model's dtype, gradients in fp32, optimizer: fp32 weights and AdamW's two
/// moments.
struct TrainingMemory {
  spec::Dim stage = 0;  ///< the pipeline stage that needs most
  std::int64_t weights = 0;
  std::int64_t gradients = 0;
  std::int64_t optimizer = 0;
  /// Kept for the backward pass, of the micro-batches in flight; with full recomputation also the largest layer of the
  /// stage, while it is computed again. Per token and layer, in the model's dtype unless said:
  ///
  ///     norm input and output     2 d_model, before the token mixer and before the channel mixer
  ///     token mixer               projection outputs (q, k, v, gates), * convolution outputs, core output, gated
  ///     output softmax attention         fp32 log-sum-exp per head recurrence                * K V per head every 64
  ///     tokens, for delta rules * V per head (corrected values) channel mixer             hidden activations, * their
  ///     product; experts: fp32 router scores, dispatched inputs
  ///
  /// * is computed again with selective recomputation.
  std::int64_t activations = 0;
  std::int64_t logits = 0;  ///< in the model's dtype and as fp32 probabilities; last stage only

  std::int64_t total() const { return weights + gradients + optimizer + activations + logits; }
};

/// Bytes of one device while decoding: its share of the weights, and of caches and states of its replica's sequences.
struct ServingMemory {
  spec::Dim stage = 0;  ///< the pipeline stage that needs most
  std::int64_t weights = 0;
  std::int64_t kv_cache = 0;
  std::int64_t state = 0;

  std::int64_t total() const { return weights + kv_cache + state; }
};

/// Adds what does not divide: heads, widths, experts, vocabulary, layers, sequence, batch.
void validate(const Parallelism& parallelism, const spec::ModelSpec& model, const std::string& path,
              spec::Problems& problems);
/// The parallelism must be valid.
void validate(const Training& training, const Parallelism& parallelism, const spec::ModelSpec& model,
              const spec::Workload& workload, const std::string& path, spec::Problems& problems);

/// Everything must be valid. Throws SpecError when a count does not fit 64 bits.
TrainingMemory training_memory(const spec::ModelSpec& model, const spec::Workload& workload,
                               const Parallelism& parallelism, const Training& training);
ServingMemory serving_memory(const spec::ModelSpec& model, const spec::Workload& workload,
                             const Parallelism& parallelism);

/// Most sequences that all replicas together can hold at the workload's context when a share of each device's memory
/// may be used (vLLM: 0.9); 0 when not one fits. Workload::batch is not read.
spec::Dim largest_batch(const spec::ModelSpec& model, const spec::Workload& workload, const Parallelism& parallelism,
                        const HardwareProfile& hardware, double memory_share = 0.9);

}  // namespace plait::costmodel
