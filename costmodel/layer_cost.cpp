#include <algorithm>
#include <cmath>
#include <variant>

#include "costmodel/channel_shape.h"
#include "costmodel/cost_report.h"
#include "costmodel/layer_ops.h"
#include "costmodel/mixers/layer_shapes.h"
#include "costmodel/size_of.h"

namespace plait::costmodel {
namespace {

// A fused norm and residual sum reads and writes two vectors of d_model.
constexpr double kBlockPasses = 4;
// Heads are tiled to what one compute unit holds; value columns are independent, key channels are not.
constexpr double kTile = 128;

double bytes_per_element(spec::DType type) { return static_cast<double>(spec::bits_of(type)) / 8; }

/// Everything that is the same for all parts of one layer.
struct Job {
  Job(const spec::ModelSpec& m, const spec::Workload& w, Dim step, const Share& s = {})
      : model(m),
        workload(w),
        tokens(Count(w.batch) * w.context),
        share(s),
        device_tokens(tokens.approximate() / s.context),
        step_tokens(static_cast<double>(step)),
        weight_bytes(bytes_per_element(m.dtype)),
        activation_bytes(activation_element_bytes(m)),
        kv_bytes(bytes_per_element(m.kv_dtype)),
        state_bytes(bytes_per_element(m.state_dtype)) {}

  const spec::ModelSpec& model;
  const spec::Workload& workload;
  Count tokens;
  Share share;
  double device_tokens;  // of a prefill, on one device
  double step_tokens;    // that a decode step adds to every sequence
  double weight_bytes;   // bytes of one weight
  double activation_bytes;
  double kv_bytes;
  double state_bytes;
};

/// Of a decode step.
double decode_tokens(const Job& job) { return static_cast<double>(job.workload.batch) * job.step_tokens; }

/// Exact sums over the parts of a layer, and its two timelines.
struct Totals {
  const HardwareProfile& hardware;
  Count parameters{};
  Count active_parameters{};
  Count kv_bytes{};
  Count state_bytes{};
  Count forward_flops{};
  Count decode_flops{};
  Timeline prefill{};
  Timeline decode{};
};

/// Projections and elementwise passes of `tokens` tokens. In decoding the weights are read for a few tokens only.
void add_projections(const MixerShape& s, const Job& job, double tokens, OpList& ops) {
  const double tensor = job.share.tensor;
  ops.push_back({.kind = OpKind::gemm,
                 .flops = 2 * tokens * s.projections.approximate() / tensor,
                 .bytes = (job.weight_bytes * s.projections.approximate() +
                           job.activation_bytes * tokens * s.projection_io.approximate()) /
                          tensor,
                 .launches = static_cast<double>(s.projection_kernels),
                 .launches_apart = static_cast<double>(s.projections_apart)});
  ops.push_back({.kind = OpKind::elementwise,
                 .flops = 2 * tokens * s.convolutions.approximate() / tensor,
                 .bytes = job.activation_bytes * tokens * s.pass_io.approximate() / tensor,
                 .launches = static_cast<double>(s.passes),
                 .launches_apart = static_cast<double>(s.passes_apart)});
}

/// Ranks that share the keys and values; more ranks than key/value heads hold some of them twice.
double kv_ranks(const MixerShape& s, const Job& job) {
  return std::min(job.share.tensor, static_cast<double>(s.sharding.kv_heads)) * job.share.context;
}

OpList prefill_ops(const MixerShape& s, const Job& job) {
  const double tokens = job.device_tokens;
  const double tensor = job.share.tensor;
  const auto batch = static_cast<double>(job.workload.batch);
  const auto& r = s.recurrence;
  OpList ops;
  add_projections(s, job, tokens, ops);
  if (s.attention.cached_per_token.approximate() > 0) {
    ops.push_back({.kind = OpKind::attention_prefill,
                   .flops = batch * causal_pairs(job.workload.context, s.attention.window).approximate() *
                            s.attention.prefill_pair_flops.approximate() / (tensor * job.share.context),
                   .bytes = job.activation_bytes * tokens * s.attention.prefill_io_per_token.approximate() / tensor});
  }
  if (r.kernel != ChunkKernel::none) {
    const auto& kernel = chunk_kernel_time(r.kernel);
    const auto key = static_cast<double>(r.key_dim);
    const auto value = static_cast<double>(r.value_dim);
    const auto key_heads = static_cast<double>(r.key_heads == 0 ? r.heads : r.key_heads);
    const bool measured_tile = r.kernel == ChunkKernel::elementwise_scan || (key == kTile && value == kTile);
    const auto heads = static_cast<double>(r.heads);
    ops.push_back(
        {.kind = OpKind::linear_prefill,
         .flops = batch * core_prefill_flops(s, job.workload.context).approximate() / (tensor * job.share.context),
         .bytes = (job.activation_bytes * tokens * 2 * (key_heads * key + heads * value) +
                   job.state_bytes * batch * state_elements(s).approximate()) /
                  tensor,
         .strands = batch * (heads / tensor) * std::ceil(value / kTile),
         .chunks = std::ceil(static_cast<double>(job.workload.context) / (kChunk * job.share.context)),
         .chunk_factor = kernel.factor * std::max(1.0, key / kTile),
         .kernel_error = kernel.relative_error + (measured_tile ? 0.0 : 0.5)});
  }
  return ops;
}

OpList decode_ops(const MixerShape& s, const Job& job) {
  const auto batch = static_cast<double>(job.workload.batch);
  const double tokens = batch * job.step_tokens;
  const double moved = 1 + job.step_tokens;  // a state is read once and written after every token
  const double tensor = job.share.tensor;
  OpList ops;
  add_projections(s, job, tokens, ops);
  ops.back().bytes += moved * job.kv_bytes * batch * s.conv_window.approximate() / tensor;
  if (s.attention.cached_per_token.approximate() > 0) {
    ops.push_back(
        {.kind = OpKind::attention_decode,
         .flops = tokens * core_decode_flops(s, job.workload.context).approximate() / (tensor * job.share.context),
         .bytes = job.kv_bytes * batch * cached_elements(s, job.workload.context).approximate() / kv_ranks(s, job)});
  }
  if (s.recurrence.kernel != ChunkKernel::none) {
    ops.push_back({.kind = OpKind::state_decode,
                   .flops = tokens * core_decode_flops(s, job.workload.context).approximate() / tensor,
                   .bytes = moved * job.state_bytes * batch * state_elements(s).approximate() / tensor});
  }
  return ops;
}

void add_mixer(const MixerShape& s, const Job& job, Totals& totals) {
  const Count batch = job.workload.batch;
  const Dim context = job.workload.context;
  const Count per_token = Count(2) * (s.projections + s.convolutions);
  totals.parameters += s.parameters();
  totals.active_parameters += s.parameters();
  if (s.attention.owns_cache) totals.kv_bytes += size_of(batch * cached_elements(s, context), job.model.kv_dtype);
  totals.state_bytes += size_of(batch * state_elements(s), job.model.state_dtype);
  totals.state_bytes += size_of(batch * s.conv_window, job.model.kv_dtype);
  totals.forward_flops += job.tokens * per_token + batch * core_prefill_flops(s, context);
  totals.decode_flops += per_token + core_decode_flops(s, context);
  for (const Op& op : prefill_ops(s, job)) totals.prefill.add(op, totals.hardware, arithmetic_type(op, job.model));
  for (const Op& op : decode_ops(s, job)) totals.decode.add(op, totals.hardware, arithmetic_type(op, job.model));
}

void add_token_mixer(const spec::LayerSpec& layer, const Job& job, Totals& totals) {
  const Dim d = job.model.d_model;
  for_each_shape(layer, d, [&](const MixerShape& shape) { add_mixer(shape, job, totals); });
  totals.parameters += fusion_parameters(layer, d);
  totals.active_parameters += fusion_parameters(layer, d);
}

/// `tokens` tokens through the channel mixer. Of the experts only those that some token visits are read; the ranks that
/// experts are dealt over bring as many tokens each.
OpList channel_ops(const ChannelShape& s, const Job& job, double tokens) {
  const double tensor = job.share.tensor;
  const double expert = job.share.expert;
  const double weights = s.dense.approximate() + s.expert.approximate() * expected_experts(s, tokens * expert) / expert;
  const double hidden = s.hidden.approximate();
  const double product = s.product.approximate();
  const double d = static_cast<double>(job.model.d_model);
  OpList ops;
  ops.push_back(
      {.kind = OpKind::gemm,
       .flops = 2 * tokens * s.active_parameters().approximate() / tensor,
       .bytes = (job.weight_bytes * weights + job.activation_bytes * tokens * (2 * d + hidden + product)) / tensor,
       .launches = static_cast<double>(s.products),
       .launches_apart = static_cast<double>(s.products_apart)});
  ops.push_back({.kind = OpKind::elementwise, .bytes = job.activation_bytes * tokens * (hidden + product) / tensor});
  if (s.experts > 0) {  // tokens are sorted by expert, and their results added up: each read and written
    const double routed = static_cast<double>(s.active) * static_cast<double>(s.routed_width);
    ops.push_back({.kind = OpKind::elementwise,
                   .bytes = job.activation_bytes * tokens * 4 * routed / job.share.norms,
                   .launches = 2});
  }
  return ops;
}

void add_channel_mixer(const ChannelShape& s, const Job& job, Totals& totals) {
  const Count per_token = Count(2) * s.active_parameters();
  totals.parameters += s.parameters();
  totals.active_parameters += s.active_parameters();
  totals.forward_flops += job.tokens * per_token;
  totals.decode_flops += per_token;
  for (const Op& op : channel_ops(s, job, job.device_tokens)) {
    totals.prefill.add(op, totals.hardware, job.model.dtype);
  }
  for (const Op& op : channel_ops(s, job, decode_tokens(job))) {
    totals.decode.add(op, totals.hardware, job.model.dtype);
  }
}

/// Norm before the sub-block and residual sum after it.
Op block_op(const Job& job, double tokens) {
  const double row = kBlockPasses * job.activation_bytes * static_cast<double>(job.model.d_model);
  // Apart: of a layer's four kernels the second norm takes in the first sum, as in flash-linear-attention.
  return {.kind = OpKind::elementwise, .bytes = row * tokens / job.share.norms, .launches_apart = 1.5};
}

void add_block(const Job& job, Totals& totals) {
  const Count norm = Count(job.model.norm == spec::NormKind::layer ? 2 : 1) * job.model.d_model;
  totals.parameters += norm;
  totals.active_parameters += norm;
  totals.prefill.add(block_op(job, job.device_tokens), totals.hardware, job.model.dtype);
  totals.decode.add(block_op(job, decode_tokens(job)), totals.hardware, job.model.dtype);
}

}  // namespace

OpList prefill_ops(const MixerShape& shape, const spec::ModelSpec& model, const spec::Workload& workload) {
  return prefill_ops(shape, Job(model, workload, kOneToken));
}

OpList decode_ops(const MixerShape& shape, const spec::ModelSpec& model, const spec::Workload& workload) {
  return decode_ops(shape, Job(model, workload, kOneToken));
}

std::vector<Op> layer_ops(const spec::LayerSpec& layer, const spec::ModelSpec& model, const spec::Workload& workload,
                          Phase phase, const Share& share) {
  const Job job(model, workload, kOneToken, share);
  const bool prefill = phase == Phase::prefill;
  const double tokens = prefill ? job.device_tokens : decode_tokens(job);
  std::vector<Op> ops = {block_op(job, tokens)};
  const auto append = [&](const OpList& more) { ops.insert(ops.end(), more.begin(), more.end()); };
  for_each_shape(layer, model.d_model,
                 [&](const MixerShape& s) { append(prefill ? prefill_ops(s, job) : decode_ops(s, job)); });
  if (std::holds_alternative<spec::None>(layer.channel_mixer)) return ops;
  ops.push_back(block_op(job, tokens));
  append(channel_ops(channel_shape(layer.channel_mixer, model.d_model), job, tokens));
  return ops;
}

OpList head_ops(const spec::ModelSpec& model, double rows, double tokens, const Share& share) {
  const auto d = static_cast<double>(model.d_model);
  const auto vocab = static_cast<double>(model.vocab_size);
  const double element = activation_element_bytes(model);
  OpList ops;
  ops.push_back({.kind = OpKind::elementwise, .bytes = 2 * element * d * tokens / share.norms});
  ops.push_back({.kind = OpKind::elementwise, .bytes = 2 * element * d * rows / share.norms});
  ops.push_back({.kind = OpKind::gemm,
                 .flops = 2 * rows * d * vocab / share.tensor,
                 .bytes = (bytes_per_element(model.dtype) * d * vocab + element * rows * (d + vocab)) / share.tensor});
  return ops;
}

LayerCost layer_cost(const spec::LayerSpec& layer, const spec::ModelSpec& model, const spec::Workload& workload,
                     const HardwareProfile& hardware, Dim step_tokens) {
  const Job job(model, workload, step_tokens);
  Totals totals{.hardware = hardware};
  add_block(job, totals);
  add_token_mixer(layer, job, totals);
  if (!std::holds_alternative<spec::None>(layer.channel_mixer)) {
    add_block(job, totals);
    add_channel_mixer(channel_shape(layer.channel_mixer, model.d_model), job, totals);
  }
  if (layer.weights_from) totals.parameters = totals.active_parameters = 0;

  LayerCost cost;
  cost.parameters = totals.parameters.exact("parameters");
  cost.active_parameters = totals.active_parameters.exact("active_parameters");
  cost.weights_bytes = size_of(totals.parameters, model.dtype).exact("weights_bytes");
  cost.kv_cache_bytes = totals.kv_bytes.exact("kv_cache_bytes");
  cost.state_bytes = totals.state_bytes.exact("state_bytes");
  cost.forward_flops = totals.forward_flops.exact("forward_flops");
  cost.training_flops = (Count(3) * totals.forward_flops).exact("training_flops");
  cost.decode_flops_per_token = totals.decode_flops.exact("decode_flops_per_token");
  cost.prefill = totals.prefill.time();
  cost.decode_step = totals.decode.time();
  cost.prefill_hbm_bytes = totals.prefill.whole_bytes("prefill_hbm_bytes");
  cost.decode_hbm_bytes = totals.decode.whole_bytes("decode_hbm_bytes");
  cost.prefill_energy = totals.prefill.energy();
  cost.decode_energy = totals.decode.energy();
  cost.prefill_bound = totals.prefill.bound();
  cost.decode_bound = totals.decode.bound();
  return cost;
}

}  // namespace plait::costmodel
