#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "costmodel/hardware.h"
#include "costmodel/roofline.h"
#include "src/spec/model_spec.h"

/// What a model costs. Counts are exact integers; times are estimates with an interval.
///
///   forward_flops           one pass over batch x context tokens, output head at every token. 2 FLOPs per
///   multiply-add.
///                           Counted: matrix products, depthwise convolutions, causal attention over exactly the pairs
///                           that are seen, chunked recurrences (chunks of 64). Not counted: norms, activations, gates,
///                           rotary, softmax, embedding lookup. Formulas: costmodel/README.md.
///   training_flops          3 x forward_flops (no recomputation).
///   decode_flops_per_token  one token of one sequence; `context` tokens are in the cache, its own included.
///   Recurrences
///                           count one recurrent step.
///   kv_cache_bytes          whole batch at `context` tokens, in kv_dtype: keys and values, MLA latents; of a sliding
///                           window, the last min(window, context) tokens.
///   state_bytes             whole batch, any context: recurrent states in state_dtype, convolution windows
///                           (width - 1 inputs) in kv_dtype.
///   weights_bytes           parameters x width of the model's dtype.
///   prefill                 one pass over the whole batch, output head at the last token of each sequence only.
///   decode_step             one token for every sequence of the batch.
///   *_hbm_bytes             main-memory traffic of the two, every operator reading its inputs and writing its outputs
///                           once; experts as expected (expected_experts), rounded to whole bytes per layer.
///                           Activations have the model's dtype, but 16 bits at least.
///   *_energy                joules of the two: an estimate, see roofline.h.
///
/// A layer with `kv_from` has no key and value projections and no cache, but reads the other layer's. A layer with
/// `weights_from` has no parameters (they are counted once, where they are), but computes and reads as any other.
namespace plait::costmodel {

/// What layers, the model's share and their sum all have.
struct Costs {
  std::int64_t weights_bytes = 0;
  std::int64_t forward_flops = 0;
  std::int64_t training_flops = 0;
  std::int64_t decode_flops_per_token = 0;
  std::int64_t prefill_hbm_bytes = 0;
  std::int64_t decode_hbm_bytes = 0;
  Estimate prefill;
  Estimate decode_step;
  Estimate prefill_energy;
  Estimate decode_energy;

  bool operator==(const Costs&) const = default;
};

/// What one layer costs: block norms, token mixer, channel mixer.
struct LayerCost : Costs {
  std::size_t index = 0;
  std::int64_t parameters = 0;
  std::int64_t active_parameters = 0;  ///< without the experts that a token does not visit
  std::int64_t kv_cache_bytes = 0;
  std::int64_t state_bytes = 0;
  Bound prefill_bound = Bound::compute;
  Bound decode_bound = Bound::memory;

  bool operator==(const LayerCost&) const = default;
};

/// Parameters that belong to no layer.
struct ModelParameters {
  std::int64_t embedding = 0;
  std::int64_t head = 0;  ///< 0 when tied
  std::int64_t final_norm = 0;
  std::int64_t lower_bounds = 0;  ///< one row per layer, whatever its mixer: HGRN's width, HGRN2's d_model

  std::int64_t total() const { return embedding + head + final_norm + lower_bounds; }
};

/// What belongs to no layer: embedding, final norm, and the output head, whose products count tied or not.
struct ModelCost : Costs {
  ModelParameters parameters;
};

struct ParameterCount {
  std::int64_t total = 0;
  std::int64_t active = 0;     ///< used by one token; equals total without mixtures of experts
  std::int64_t embedding = 0;  ///< input table, and the output head when untied
};

/// Every total is the sum over `layers` plus `model`.
struct CostReport : Costs {
  std::vector<LayerCost> layers;
  ModelCost model;
  ParameterCount parameters;
  std::int64_t kv_cache_bytes = 0;
  std::int64_t state_bytes = 0;
};

/// A decode step adds `step_tokens` tokens to every sequence: 1, or the drafts to be checked and one more (see
/// speculative.h). It reads weights and caches once; recurrences keep a state per token. Only decode_step,
/// decode_energy and decode_hbm_bytes depend on it.
inline constexpr spec::Dim kOneToken = 1;

/// One layer, whatever stands around it: only the model's width, norm and dtypes are read, not its layout. `index` is
/// 0. The layer must be valid for the model. Throws spec::SpecError when a count does not fit 64 bits.
LayerCost layer_cost(const spec::LayerSpec& layer, const spec::ModelSpec& model, const spec::Workload& workload,
                     const HardwareProfile& hardware, spec::Dim step_tokens = kOneToken);

/// Reads of the layout only its length and whether a layer has lower bounds.
ModelParameters model_parameters(const spec::ModelSpec& model);

/// What the model adds to its layers. Reads of the layout only its length and whether a layer has lower bounds.
ModelCost model_cost(const spec::ModelSpec& model, const spec::Workload& workload, const HardwareProfile& hardware,
                     spec::Dim step_tokens = kOneToken);

/// The whole model, which must be valid. Equal layers are costed once.
CostReport cost_report(const spec::ModelSpec& model, const spec::Workload& workload, const HardwareProfile& hardware,
                       spec::Dim step_tokens = kOneToken);

}  // namespace plait::costmodel
