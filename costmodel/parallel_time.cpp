#include "costmodel/parallel_time.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <variant>

#include "costmodel/channel_shape.h"
#include "costmodel/collective.h"
#include "costmodel/device_parameters.h"
#include "costmodel/layer_ops.h"
#include "costmodel/mixers/layer_shapes.h"

namespace plait::costmodel {
namespace {

constexpr double kFp32Bytes = 4;

Estimate operator*(double factor, const Estimate& e) { return {factor * e.value, factor * e.low, factor * e.high}; }
Estimate operator+(Estimate a, const Estimate& b) { return a += b; }

double bytes_per_element(spec::DType type) { return static_cast<double>(spec::bits_of(type)) / 8; }

/// Ranks that must send to each other, by the order in which devices are numbered.
struct Groups {
  explicit Groups(const Parallelism& p)
      : tensor{p.tensor, 1},
        context{p.context, p.tensor},
        expert{p.expert, p.tensor},
        replicas{p.data * p.context, p.tensor},
        expert_replicas{p.data * p.context / p.expert, p.tensor * p.expert},
        pipeline{p.pipeline, p.tensor * p.context * p.data} {}

  DeviceGroup tensor, context, expert, replicas, expert_replicas, pipeline;
};

/// Times of one device, with what it waits for apart from what it computes.
struct Work {
  Estimate compute;
  Estimate waits;  ///< for collectives
};

/// Runs operators on one device of a parallelism.
class Device {
 public:
  Device(const spec::ModelSpec& model, const spec::Workload& replica, const Parallelism& p,
         const HardwareProfile& hardware, bool sequence)
      : model_(model),
        replica_(replica),
        p_(p),
        hardware_(hardware),
        groups_(p),
        share_{.tensor = static_cast<double>(p.tensor),
               .expert = static_cast<double>(p.expert),
               .context = static_cast<double>(p.context),
               .norms = static_cast<double>(sequence ? p.tensor : 1)} {}

  const Share& share() const { return share_; }
  const Groups& groups() const { return groups_; }
  double element() const { return activation_element_bytes(model_); }
  double weight() const { return bytes_per_element(model_.dtype); }
  /// Of the replica's batch on this device in one pass.
  double tokens(Phase phase) const {
    const auto batch = static_cast<double>(replica_.batch);
    return phase == Phase::decode ? batch : batch * static_cast<double>(replica_.context) / share_.context;
  }

  Estimate time(std::span<const Op> ops) const {
    Timeline timeline;
    for (const Op& op : ops) timeline.add(op, hardware_, arithmetic_type(op, model_));
    return timeline.time();
  }
  Estimate time(const Op& op) const { return time(std::span(&op, 1)); }

  std::vector<Op> layer(const spec::LayerSpec& layer, Phase phase) const {
    return layer_ops(layer, model_, replica_, phase, share_);
  }

  /// Collectives of one layer in one direction.
  std::vector<Op> collectives(const spec::LayerSpec& layer, Phase phase) const {
    std::vector<Op> ops;
    const auto add = [&](const Op& op) {
      if (op.launches > 0) ops.push_back(op);
    };
    const auto d = static_cast<double>(model_.d_model);
    const bool has_channel = !std::holds_alternative<spec::None>(layer.channel_mixer);
    for (int i = 0; i < (has_channel ? 2 : 1); ++i) {
      add(all_reduce(tokens(phase) * d * element(), groups_.tensor, hardware_));
    }
    if (const auto* moe = std::get_if<spec::MoE>(&layer.channel_mixer)) {
      const auto width = static_cast<double>(moe->latent_width > 0 ? moe->latent_width : model_.d_model);
      const double token_bytes = tokens(phase) * width * element() / share_.norms;
      for (int i = 0; i < 2; ++i) {
        add(dispatch(token_bytes, static_cast<double>(moe->active), groups_.expert, hardware_));
      }
    }
    if (p_.context > 1) {
      for_each_shape(layer, model_.d_model, [&](const MixerShape& s) { add(context_exchange(s, phase)); });
    }
    return ops;
  }

  Op stage_boundary(Phase phase) const {
    const double bytes = tokens(phase) * static_cast<double>(model_.d_model) * element() / share_.norms;
    return p_.pipeline == 1 ? Op{.launches = 0} : send(bytes, groups_.pipeline, hardware_);
  }

 private:
  /// Prefill: every rank needs the keys and values before its own. Decoding: partial results of the ranks are added.
  Op context_exchange(const MixerShape& s, Phase phase) const {
    const auto batch = static_cast<double>(replica_.batch);
    if (s.attention.cached_per_token.approximate() > 0) {
      if (phase == Phase::decode) {
        return all_reduce(batch * s.attention.output.approximate() / share_.tensor * kFp32Bytes, groups_.context,
                          hardware_);
      }
      const auto seen = static_cast<double>(s.attention.window > 0 ? std::min(s.attention.window, replica_.context)
                                                                   : replica_.context);
      return all_gather(batch * seen * s.attention.cached_per_token.approximate() * element() / share_.tensor,
                        groups_.context, hardware_);
    }
    if (phase == Phase::decode) return {.launches = 0};  // the state is where the last token is
    return all_gather(batch * state_elements(s).approximate() * kFp32Bytes / share_.tensor * share_.context,
                      groups_.context, hardware_);
  }

  const spec::ModelSpec& model_;
  spec::Workload replica_;
  const Parallelism& p_;
  const HardwareProfile& hardware_;
  Groups groups_;
  Share share_;
};

bool can_be_timed(const Parallelism& p, const HardwareProfile& hardware) {
  return p.devices() == 1 || hardware.links.has_value();
}

/// What the backward pass of an operator does.
Op backward(Op op) {
  constexpr double kAttention = 3;
  constexpr double kRecurrence = 2.5;
  constexpr double kRecurrenceError = 0.6;
  switch (op.kind) {
    case OpKind::attention_prefill:
      op.flops *= kAttention;
      op.bytes *= 2;
      break;
    case OpKind::linear_prefill:
      op.flops *= kRecurrence;
      op.bytes *= kRecurrence;
      op.chunk_factor *= kRecurrence;
      op.kernel_error = (1 + op.kernel_error) * (1 + kRecurrenceError) - 1;
      break;
    default:
      op.flops *= 2;
      op.bytes *= 2;
      op.launches *= 2;
      op.launches_apart *= 2;
  }
  return op;
}

/// Forward and backward, and what is computed twice, of one micro-batch.
std::vector<Op> training_ops(const std::vector<Op>& forward, Recompute recompute) {
  std::vector<Op> ops = forward;
  for (const Op& op : forward) ops.push_back(backward(op));
  for (const Op& op : forward) {
    const bool light = op.kind == OpKind::elementwise;
    if (recompute == Recompute::full || (recompute == Recompute::selective && light)) ops.push_back(op);
  }
  return ops;
}

/// Waiting beside computation: what is longer than that remains. `low` has no waiting, `high` all of it.
Estimate exposed(const Estimate& waiting, const Estimate& beside) {
  return {std::max(0.0, waiting.value - beside.value), 0, waiting.high};
}

Estimate waited(const Estimate& waiting) { return {waiting.value, 0, waiting.high}; }

HardwareProfile for_training(const HardwareProfile& hardware) {
  constexpr std::string_view kTrainable = "fla";
  const bool known =
      std::ranges::any_of(hardware.other_backends, [](const Backend& b) { return b.name == kTrainable; });
  return known ? with_backend(hardware, kTrainable) : hardware;
}

}  // namespace

std::optional<TrainingTime> training_time(const spec::ModelSpec& model, const spec::Workload& workload,
                                          const Parallelism& p, const Training& training,
                                          const HardwareProfile& profile) {
  if (!can_be_timed(p, profile)) return std::nullopt;
  const HardwareProfile hardware = for_training(profile);
  const Device device(model, {.context = workload.context, .batch = training.micro_batch}, p, hardware, p.sequence);
  const auto microbatches = static_cast<double>(workload.batch / (p.data * training.micro_batch));
  const auto stages = static_cast<double>(p.pipeline);
  const auto interleave = static_cast<double>(training.interleave);
  const auto per_stage = static_cast<Dim>(model.layout.size()) / p.pipeline;
  const auto gathered = [&](double dense, double expert) {  // over the replicas, in bytes
    Estimate time;
    for (const Op& op : {all_gather(dense, device.groups().replicas, hardware),
                         all_gather(expert, device.groups().expert_replicas, hardware)}) {
      if (op.launches > 0) time += device.time(op);
    }
    return time;
  };

  TrainingTime slowest;
  for (Dim stage = 0; stage < p.pipeline; ++stage) {
    Work work;  // of one micro-batch
    const spec::LayerSpec* last = nullptr;
    Work last_work;  // of runs of equal layers
    for (Dim i = stage * per_stage; i < (stage + 1) * per_stage; ++i) {
      const spec::LayerSpec& layer = model.layout.layers[static_cast<std::size_t>(i)];
      if (last == nullptr || !(*last == layer)) {
        last_work = {device.time(training_ops(device.layer(layer, Phase::prefill), training.recompute)), {}};
        const Estimate once = device.time(device.collectives(layer, Phase::prefill));
        last_work.waits = (training.recompute == Recompute::full ? 3 : 2) * once;
        last = &layer;
      }
      work.compute += last_work.compute;
      work.waits += last_work.waits;
    }
    const double tokens = device.tokens(Phase::prefill);
    if (stage == p.pipeline - 1) {
      const OpList head = head_ops(model, tokens, tokens, device.share());
      work.compute += device.time(training_ops({head.begin(), head.end()}, Recompute::none));
    }
    if (p.pipeline > 1) work.waits += (2 * interleave) * device.time(device.stage_boundary(Phase::prefill));

    const DeviceParameters held = stage_parameters(model, p, stage);
    const double dense = held.dense.approximate();
    const double expert = held.expert.approximate();
    const auto replicas = static_cast<double>(device.groups().replicas.size);
    const auto expert_replicas = static_cast<double>(device.groups().expert_replicas.size);
    // Gradients are added up in fp32 by every micro-batch.
    work.compute += device.time(Op{.kind = OpKind::elementwise, .bytes = 2 * kFp32Bytes * (dense + expert)});
    work.compute = kTrainingOverhead * work.compute;
    const double updated = training.zero_stage >= 1 ? dense / replicas + expert / expert_replicas : dense + expert;
    // AdamW reads gradient, weight and two moments in fp32, and writes the last three and the weight in its own type.
    const Estimate update =
        device.time(Op{.kind = OpKind::elementwise, .bytes = (7 * kFp32Bytes + device.weight()) * updated});

    const Estimate scatter = gathered(kFp32Bytes * dense, kFp32Bytes * expert);
    const Estimate gather = gathered(device.weight() * dense, device.weight() * expert);
    Estimate data = training.zero_stage >= 3
                        ? exposed(microbatches * (scatter + 2 * gather), microbatches * work.compute)
                        : exposed(scatter + gather, work.compute);
    if (replicas <= 1 && expert_replicas <= 1) data = {};

    const Estimate per_microbatch = work.compute + waited(work.waits);
    const double waiting_stages = (stages - 1) / interleave;
    TrainingTime time;
    time.step = (microbatches + waiting_stages) * per_microbatch + update + data;
    time.update = update;
    time.communication = microbatches * waited(work.waits) + data;
    time.bubble_share = waiting_stages * per_microbatch.value / time.step.value;
    if (stage == 0 || time.step.value > slowest.step.value) slowest = time;
  }
  const double tokens = static_cast<double>(workload.batch) * static_cast<double>(workload.context);
  const double rate = tokens / static_cast<double>(p.devices());
  slowest.tokens_per_s_per_device = {rate / slowest.step.value, rate / slowest.step.high, rate / slowest.step.low};
  return slowest;
}

std::optional<ServingTime> serving_time(const spec::ModelSpec& model, const spec::Workload& workload,
                                        const Parallelism& p, const HardwareProfile& hardware) {
  if (!can_be_timed(p, hardware)) return std::nullopt;
  const spec::Workload replica{.context = workload.context, .batch = (workload.batch + p.data - 1) / p.data};
  const Device device(model, replica, p, hardware, /*sequence=*/false);
  const auto pass = [&](Phase phase) {
    Work work;
    const spec::LayerSpec* last = nullptr;
    Work last_work;
    for (const spec::LayerSpec& layer : model.layout.layers) {
      if (last == nullptr || !(*last == layer)) {
        last_work = {device.time(device.layer(layer, phase)), device.time(device.collectives(layer, phase))};
        last = &layer;
      }
      work.compute += last_work.compute;
      work.waits += last_work.waits;
    }
    const auto rows = static_cast<double>(replica.batch);
    const OpList head = head_ops(model, rows, device.tokens(phase), device.share());
    work.compute += device.time({head.data(), head.size()});
    if (p.pipeline > 1) {
      work.waits += static_cast<double>(p.pipeline - 1) * device.time(device.stage_boundary(phase));
    }
    return work;
  };
  const Work prefill = pass(Phase::prefill);
  const Work decode = pass(Phase::decode);
  return ServingTime{.prefill = prefill.compute + waited(prefill.waits),
                     .decode_step = decode.compute + waited(decode.waits),
                     .prefill_communication = waited(prefill.waits),
                     .decode_communication = waited(decode.waits)};
}

}  // namespace plait::costmodel
