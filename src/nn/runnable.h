#pragma once

#include <cstdint>
#include <vector>

#include "src/spec/model_spec.h"

/// What a population can run, read off its models. No LibTorch here.
namespace plait::nn {

/// Throws spec::SpecError with everything that is wrong with the models, that differs between them and must not, or
/// that the layers cannot run, each located at "members[i]...".
void check_runnable(const std::vector<spec::ModelSpec>& members);

/// Width of "model.lower_bounds", one row per layer: HGRN's width or HGRN2's d_model, the widest of all layers that
/// have lower bounds; 0 without such a layer.
std::int64_t bound_table_width(const spec::ModelSpec& model);

/// How much of its row a layer reads: the channels of its forget gate (of a ParallelMixer, of the widest branch).
std::int64_t read_bound_width(const spec::Mixer& mixer);

}  // namespace plait::nn
