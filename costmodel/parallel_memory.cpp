#include "costmodel/parallel_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <variant>

#include "costmodel/channel_shape.h"
#include "costmodel/cost_report.h"
#include "costmodel/device_parameters.h"
#include "costmodel/mixers/layer_shapes.h"
#include "costmodel/size_of.h"

namespace plait::costmodel {
namespace {

constexpr Dim kFp32 = 4;

Dim ceil_div(Dim a, Dim b) { return (a + b - 1) / b; }
/// A count that is split evenly; a remainder goes to the first rank, which is the one that is asked for.
Count split(Count count, Dim ranks, const char* name) {
  return ranks == 1 ? count : ceil_div(count.exact(name), ranks);
}

DeviceParameters layer_parameters(const spec::LayerSpec& layer, const spec::ModelSpec& model, const Parallelism& p) {
  if (layer.weights_from) return {};
  const Count norm = Count(model.norm == spec::NormKind::layer ? 2 : 1) * model.d_model;
  DeviceParameters weights{.dense = norm + fusion_parameters(layer, model.d_model)};
  for_each_shape(layer, model.d_model, [&](const MixerShape& s) {
    const Sharding& h = s.sharding;
    const Count shared = h.kv_parameters + h.replicated;
    weights.dense += split(s.parameters().exact("parameters") - shared.exact("parameters"), p.tensor, "parameters") +
                     split(h.kv_parameters, std::min(p.tensor, h.kv_heads), "parameters") + h.replicated;
  });
  if (std::holds_alternative<spec::None>(layer.channel_mixer)) return weights;
  weights.dense += norm;
  const ChannelShape channel = channel_shape(layer.channel_mixer, model.d_model);
  weights.expert += split(channel.expert * channel.experts, p.tensor * p.expert, "parameters");
  Count replicated = 0;  // router, latent projections, gate of the shared expert
  if (const auto* moe = std::get_if<spec::MoE>(&layer.channel_mixer)) {
    replicated = Count(model.d_model) * (moe->experts + 2 * moe->latent_width + (moe->shared_gate ? 1 : 0));
  }
  weights.dense += split(channel.dense.exact("parameters") - replicated.exact("parameters"), p.tensor, "parameters");
  weights.dense += replicated;
  return weights;
}

/// Bytes of what one layer keeps of `sequences` x `tokens` for its backward pass.
Count layer_activations(const spec::LayerSpec& layer, const spec::ModelSpec& model, const Parallelism& p,
                        Recompute recompute, Dim sequences, Dim tokens) {
  const Dim rows = sequences * tokens;
  const Dim outside = p.sequence ? p.tensor : 1;
  const Count input = split(size_of(Count(rows) * model.d_model, model.dtype), outside, "activations");
  if (recompute == Recompute::full) return input;
  const bool all = recompute == Recompute::none;
  Count elements = 0;  // split by tensor parallelism
  Count fp32 = 0;
  for_each_shape(layer, model.d_model, [&](const MixerShape& s) {
    const Recurrence& r = s.recurrence;
    const Count core = Count(r.heads) * r.value_dim + s.attention.output;
    elements += Count(rows) * (s.saved_width + core * 2);
    if (s.attention.output.approximate() > 0) fp32 += Count(rows) * s.sharding.heads;
    if (!all) return;
    elements += Count(rows) * s.convolved + Count(sequences * ceil_div(tokens, kChunk)) * state_elements(s);
    const bool delta = r.kernel == ChunkKernel::delta || r.kernel == ChunkKernel::channel_delta ||
                       r.kernel == ChunkKernel::momentum_delta;
    if (delta) elements += Count(rows) * r.heads * r.value_dim;
  });
  Count bytes = input * 2;
  if (!std::holds_alternative<spec::None>(layer.channel_mixer)) {
    const ChannelShape channel = channel_shape(layer.channel_mixer, model.d_model);
    bytes += input * 2;
    elements += Count(rows) * channel.hidden;
    if (all) elements += Count(rows) * channel.product;
    if (const auto* moe = std::get_if<spec::MoE>(&layer.channel_mixer)) {
      const Dim width = moe->latent_width > 0 ? moe->latent_width : model.d_model;
      bytes += split(Count(rows) * moe->experts * kFp32, outside, "activations");
      bytes += split(size_of(Count(rows) * moe->active * width, model.dtype), outside, "activations");
    }
  }
  return bytes + split(size_of(elements, model.dtype) + fp32 * kFp32, p.tensor, "activations");
}

void require_division(Dim value, Dim by, std::string_view what, std::string_view axis, const std::string& path,
                      spec::Problems& problems) {
  if (by > 0 && value % by != 0) {
    problems.add(path, fmt::format("{} ({}) is not divisible by {} = {}", what, value, axis, by));
  }
}

}  // namespace

/// The embedding stands in the first stage; final norm and, when untied or far from it, the output head in the last.
DeviceParameters stage_parameters(const spec::ModelSpec& model, const Parallelism& p, Dim stage) {
  const auto per_stage = static_cast<Dim>(model.layout.size()) / p.pipeline;
  DeviceParameters sum;
  for (Dim i = stage * per_stage; i < (stage + 1) * per_stage; ++i) {
    sum += layer_parameters(model.layout.layers[static_cast<std::size_t>(i)], model, p);
  }
  const bool first = stage == 0;
  const bool last = stage == p.pipeline - 1;
  const ModelParameters own = model_parameters(model);
  const Count table = split(own.embedding, p.tensor, "parameters");
  if (first) sum.dense += table;
  if (last && (!model.tied_embeddings || !first)) sum.dense += table;
  if (last) sum.dense += own.final_norm;
  sum.dense += own.lower_bounds;  // every layer's cumulative sum needs all rows
  return sum;
}

void validate(const Parallelism& p, const spec::ModelSpec& model, const std::string& path, spec::Problems& problems) {
  bool in_range = true;
  spec::for_each_field<Parallelism>([&](const auto& field) {
    if constexpr (std::is_same_v<std::decay_t<decltype(p.*(field.member))>, Dim>) {
      const Dim value = p.*(field.member);
      if (value >= field.low && value <= field.high) return;
      in_range = false;
      problems.add(spec::join_path(path, field.key),
                   fmt::format("is {}; allowed are {} to {}", value, field.low, field.high));
    }
  });
  if (!in_range) return;
  const std::string tensor = spec::join_path(path, "tensor");
  const auto layers = static_cast<Dim>(model.layout.size());
  require_division(layers, p.pipeline, "the number of layers", "pipeline", spec::join_path(path, "pipeline"), problems);
  require_division(model.vocab_size, p.tensor, "vocab_size", "tensor", tensor, problems);
  require_division(p.data * p.context, p.expert, "data x context", "expert", spec::join_path(path, "expert"), problems);
  const spec::LayerSpec* checked = nullptr;  // runs of equal layers are reported once
  for (std::size_t i = 0; i < model.layout.size(); ++i) {
    const spec::LayerSpec& layer = model.layout.layers[i];
    if (checked != nullptr && *checked == layer) continue;
    checked = &layer;
    const std::string at = fmt::format("layer {} ({})", i, spec::mixer_info(layer.mixer).name);
    for_each_shape(layer, model.d_model, [&](const MixerShape& s) {
      require_division(s.sharding.heads, p.tensor, at + ": heads", "tensor", tensor, problems);
      if (s.sharding.kv_heads < p.tensor) {
        require_division(p.tensor, s.sharding.kv_heads, at + ": tensor", "key/value heads or groups", tensor, problems);
      } else {
        require_division(s.sharding.kv_heads, p.tensor, at + ": key/value heads or groups", "tensor", tensor, problems);
      }
    });
    if (const auto* m = std::get_if<spec::SwiGlu>(&layer.channel_mixer)) {
      require_division(m->width, p.tensor, at + ": width", "tensor", tensor, problems);
    } else if (const auto* dense = std::get_if<spec::Mlp>(&layer.channel_mixer)) {
      require_division(dense->width, p.tensor, at + ": width", "tensor", tensor, problems);
    } else if (const auto* moe = std::get_if<spec::MoE>(&layer.channel_mixer)) {
      require_division(moe->expert_width, p.tensor, at + ": expert_width", "tensor", tensor, problems);
      require_division(moe->shared_width, p.tensor, at + ": shared_width", "tensor", tensor, problems);
      require_division(moe->experts, p.expert, at + ": experts", "expert", spec::join_path(path, "expert"), problems);
    }
  }
}

void validate(const Training& training, const Parallelism& p, const spec::ModelSpec& model,
              const spec::Workload& workload, const std::string& path, spec::Problems& problems) {
  if (training.micro_batch < 1 || training.micro_batch > workload.batch) {
    problems.add(spec::join_path(path, "micro_batch"),
                 fmt::format("is {}; allowed are 1 to the batch, {}", training.micro_batch, workload.batch));
    return;
  }
  if (training.zero_stage < 0 || training.zero_stage > 3) {
    problems.add(spec::join_path(path, "zero_stage"), fmt::format("is {}; allowed are 0 to 3", training.zero_stage));
  }
  if (training.interleave < 1 || training.interleave > 64) {
    problems.add(spec::join_path(path, "interleave"), fmt::format("is {}; allowed are 1 to 64", training.interleave));
  } else if (training.interleave > 1 && p.pipeline == 1) {
    problems.add(spec::join_path(path, "interleave"),
                 fmt::format("is {}, but there is one pipeline stage", training.interleave));
  } else {
    require_division(static_cast<Dim>(model.layout.size()) / p.pipeline, training.interleave, "the layers of a stage",
                     "interleave", spec::join_path(path, "interleave"), problems);
  }
  require_division(workload.batch, p.data * training.micro_batch, "the batch", "data x micro_batch", path, problems);
  require_division(workload.context, p.context, "the context", "context ranks", path, problems);
}

TrainingMemory training_memory(const spec::ModelSpec& model, const spec::Workload& workload, const Parallelism& p,
                               const Training& training) {
  const Dim tokens = workload.context / p.context;
  const Dim rows = (Count(tokens) * training.micro_batch).exact("training_memory.activations");
  const Dim microbatches = workload.batch / (p.data * training.micro_batch);
  const auto per_stage = static_cast<Dim>(model.layout.size()) / p.pipeline;
  const Dim replicas = p.data * p.context;
  const Dim expert_replicas = replicas / p.expert;
  TrainingMemory most;
  for (Dim stage = 0; stage < p.pipeline; ++stage) {
    const DeviceParameters weights = stage_parameters(model, p, stage);
    const auto bytes = [&](Count per_parameter_bytes, int split_from) {
      const bool is_split = training.zero_stage >= split_from;
      return split(weights.dense * per_parameter_bytes, is_split ? replicas : 1, "training_memory") +
             split(weights.expert * per_parameter_bytes, is_split ? expert_replicas : 1, "training_memory");
    };
    Count kept = 0;
    Count largest = 0;
    for (Dim i = stage * per_stage; i < (stage + 1) * per_stage; ++i) {
      const spec::LayerSpec& layer = model.layout.layers[static_cast<std::size_t>(i)];
      kept += layer_activations(layer, model, p, training.recompute, training.micro_batch, tokens);
      if (training.recompute == Recompute::full) {
        const Count whole = layer_activations(layer, model, p, Recompute::none, training.micro_batch, tokens);
        if (whole.approximate() > largest.approximate()) largest = whole;
      }
    }
    TrainingMemory memory{.stage = stage};
    // 1F1B: a stage runs ahead of the last by the chunks of layers that it has in flight.
    const Dim ahead = training.interleave == 1
                          ? p.pipeline - stage
                          : 2 * (p.pipeline - stage - 1) + (training.interleave - 1) * p.pipeline + 1;
    const Dim chunks = std::min(ahead, microbatches * training.interleave);
    memory.activations = (split(kept * chunks, training.interleave, "training_memory.activations") + largest)
                             .exact("training_memory.activations");
    const Count held = size_of(weights.dense, model.dtype);
    const Count held_expert = size_of(weights.expert, model.dtype);
    const bool split_weights = training.zero_stage >= 3;
    memory.weights = (split(held, split_weights ? replicas : 1, "training_memory") +
                      split(held_expert, split_weights ? expert_replicas : 1, "training_memory"))
                         .exact("training_memory.weights");
    memory.gradients = bytes(kFp32, 2).exact("training_memory.gradients");
    memory.optimizer = bytes(3 * kFp32, 1).exact("training_memory.optimizer");
    if (stage == p.pipeline - 1) {
      const Count scores = split(Count(rows) * model.vocab_size, p.tensor, "training_memory.logits");
      memory.logits = (size_of(scores, model.dtype) + scores * kFp32).exact("training_memory.logits");
    }
    if (stage == 0 || memory.total() > most.total()) most = memory;
  }
  return most;
}

ServingMemory serving_memory(const spec::ModelSpec& model, const spec::Workload& workload, const Parallelism& p) {
  const Count sequences = ceil_div(workload.batch, p.data);
  const auto per_stage = static_cast<Dim>(model.layout.size()) / p.pipeline;
  ServingMemory most;
  for (Dim stage = 0; stage < p.pipeline; ++stage) {
    const DeviceParameters weights = stage_parameters(model, p, stage);
    Count kv = 0;
    Count state = 0;
    for (Dim i = stage * per_stage; i < (stage + 1) * per_stage; ++i) {
      for_each_shape(model.layout.layers[static_cast<std::size_t>(i)], model.d_model, [&](const MixerShape& s) {
        const Dim kv_ranks = std::min(p.tensor, s.sharding.kv_heads);
        if (s.attention.owns_cache) {
          kv += size_of(sequences * split(cached_elements(s, workload.context), kv_ranks * p.context, "kv_cache"),
                        model.kv_dtype);
        }
        state += size_of(sequences * split(state_elements(s), p.tensor, "state"), model.state_dtype);
        const Count own_window = s.conv_window.exact("state") - s.sharding.kv_conv_window.exact("state");
        state += size_of(
            sequences * (split(own_window, p.tensor, "state") + split(s.sharding.kv_conv_window, kv_ranks, "state")),
            model.kv_dtype);
      });
    }
    const Count held = size_of(weights.dense + weights.expert, model.dtype);
    const ServingMemory memory{.stage = stage,
                               .weights = held.exact("serving_memory.weights"),
                               .kv_cache = kv.exact("serving_memory.kv_cache"),
                               .state = state.exact("serving_memory.state")};
    if (stage == 0 || memory.total() > most.total()) most = memory;
  }
  return most;
}

spec::Dim largest_batch(const spec::ModelSpec& model, const spec::Workload& workload, const Parallelism& p,
                        const HardwareProfile& hardware, double memory_share) {
  const double usable = hardware.memory_bytes.value * memory_share;
  const auto fits = [&](Dim per_replica) {
    const ServingMemory memory = serving_memory(model, {.context = workload.context, .batch = per_replica * p.data}, p);
    return static_cast<double>(memory.total()) <= usable;
  };
  // Bytes grow with the batch: the largest that fits is found by doubling, then halving.
  if (!fits(1)) return 0;
  Dim low = 1;
  while (low < (Dim{1} << 20) && fits(2 * low)) low *= 2;
  for (Dim step = low; step > 0; step /= 2) {
    if (fits(low + step)) low += step;
  }
  return low * p.data;
}

}  // namespace plait::costmodel
