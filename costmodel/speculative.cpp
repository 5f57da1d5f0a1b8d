#include "costmodel/speculative.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <variant>

namespace plait::costmodel {
namespace {

bool is_recurrent(spec::StateKind kind) { return kind == spec::StateKind::constant; }

}  // namespace

void validate(const Speculation& s, const std::string& path, spec::Problems& problems) {
  if (s.draft_tokens < 1 || s.draft_tokens > kMostDraftTokens) {
    problems.add(spec::join_path(path, "draft_tokens"),
                 fmt::format("is {}; allowed are 1 to {}", s.draft_tokens, kMostDraftTokens));
  }
  if (!(s.acceptance >= 0 && s.acceptance <= 1)) {
    problems.add(spec::join_path(path, "acceptance"), fmt::format("is {}; allowed are 0 to 1", s.acceptance));
  }
}

std::optional<spec::ModelSpec> recurrent_draft(const spec::ModelSpec& model) {
  spec::ModelSpec draft = model;
  draft.layout.layers.clear();
  bool is_whole = true;
  for (const spec::LayerSpec& layer : model.layout.layers) {
    spec::LayerSpec kept = layer;
    kept.kv_from.reset();
    kept.weights_from.reset();
    if (auto* parallel = std::get_if<spec::ParallelMixer>(&kept.mixer)) {
      const std::size_t before = parallel->branches.size();
      std::erase_if(parallel->branches,
                    [](const spec::SingleMixer& branch) { return !is_recurrent(spec::mixer_info(branch).state); });
      is_whole = is_whole && parallel->branches.size() == before;
      if (!parallel->branches.empty()) draft.layout.layers.push_back(std::move(kept));
    } else if (is_recurrent(spec::state_kind(layer.mixer))) {
      draft.layout.layers.push_back(std::move(kept));
    } else {
      is_whole = false;
    }
  }
  if (is_whole || draft.layout.layers.empty()) return std::nullopt;
  return draft;
}

SpeculativeCost speculative_cost(const spec::ModelSpec& target, const spec::ModelSpec& draft,
                                 const spec::Workload& workload, const Speculation& speculation,
                                 const HardwareProfile& hardware) {
  const Dim k = speculation.draft_tokens;
  const double alpha = speculation.acceptance;
  const CostReport plain = cost_report(target, workload, hardware);
  SpeculativeCost cost;
  cost.draft_step = cost_report(draft, workload, hardware).decode_step;
  cost.verify_step = cost_report(target, workload, hardware, k + 1).decode_step;
  cost.round = cost.verify_step;
  for (Dim i = 0; i < k; ++i) cost.round += cost.draft_step;
  cost.tokens_per_round = 0;
  for (Dim i = 0; i <= k; ++i) cost.tokens_per_round += std::pow(alpha, static_cast<double>(i));
  cost.seconds_per_token = cost.round.value / cost.tokens_per_round;
  cost.speedup = plain.decode_step.value / cost.seconds_per_token;
  cost.extra_state_bytes = (Count(plain.state_bytes) * k).exact("speculative.extra_state_bytes");
  return cost;
}

}  // namespace plait::costmodel
