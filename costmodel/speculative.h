#pragma once

#include <optional>

#include "costmodel/cost_report.h"

/// Speculative decoding: a draft proposes tokens one by one, the target checks them in one step.
namespace plait::costmodel {

struct Speculation {
  spec::Dim draft_tokens = 2;  ///< k, 1 to kMostDraftTokens
  double acceptance = 0.7;     ///< alpha in [0, 1]: chance that a drafted token is accepted, each on its own
};
inline constexpr spec::Dim kMostDraftTokens = 64;

/// Adds what is out of range, below `path`.
void validate(const Speculation& speculation, const std::string& path, spec::Problems& problems);

/// Per round: k steps of the draft, then one of the target over k + 1 tokens of every sequence.
struct SpeculativeCost {
  Estimate draft_step;
  Estimate verify_step;
  Estimate round;
  double tokens_per_round = 1;   ///< (1 - alpha^(k + 1)) / (1 - alpha): accepted drafts and the target's own token
  double seconds_per_token = 0;  ///< of each sequence
  double speedup = 1;            ///< over decoding without a draft
  std::int64_t extra_state_bytes = 0;  ///< a recurrent state per drafted token, so that rejected ones can be undone
};

/// Component-aware self-speculation (arXiv 2605.01106): the draft is the model's own recurrent part. Layers with
/// softmax attention or MLA are left out; of parallel branches the recurrent ones stay. It shares the model's weights,
/// caches and embedding. Nothing when no recurrent layer, or nothing but them, is there. Acceptance was .68 for
/// parallel branches (Falcon-H1) but .04 for a sequential hybrid (Qwen3.5-0.8B).
std::optional<spec::ModelSpec> recurrent_draft(const spec::ModelSpec& model);

/// Both models valid; `workload` is the target's. Throws SpecError as cost_report.
SpeculativeCost speculative_cost(const spec::ModelSpec& target, const spec::ModelSpec& draft,
                                 const spec::Workload& workload, const Speculation& speculation,
                                 const HardwareProfile& hardware);

}  // namespace plait::costmodel
