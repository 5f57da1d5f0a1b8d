#include "costmodel/megatron.h"

#include <algorithm>
#include <variant>

#include "costmodel/count.h"

namespace plait::costmodel {
namespace {

using spec::Dim;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

bool takes_hybrid_path(const spec::Layout& layout) {
  return std::ranges::any_of(layout.layers, [](const spec::LayerSpec& layer) {
    return std::holds_alternative<spec::Mamba2>(layer.mixer) || std::holds_alternative<spec::None>(layer.channel_mixer);
  });
}

/// Multiply-adds per token that do not depend on the context, and those per token and token of context.
struct Terms {
  Count fixed;
  Count per_context;
};

Terms softmax(const spec::SoftmaxAttention& a, Dim h, bool hybrid) {
  const Dim q = a.heads * a.head_dim;
  const Dim kv = a.kv_heads * a.head_dim;
  const Count gate = a.output_gate && !hybrid ? q : 0;
  return {Count(h) * (Count(2) * q + Count(2) * kv + gate), q};
}

Terms latent(const spec::MultiHeadLatentAttention& m, Dim h) {
  const Dim q_width = m.heads * (m.nope_dim + m.rope_dim);
  const Count q = m.q_lora_rank == 0 ? Count(h) * q_width : Count(m.q_lora_rank) * (Count(h) + q_width + 1);
  const Count kv = Count(m.kv_lora_rank) * (Count(h) + Count(m.heads) * (m.nope_dim + m.value_dim) + 1);
  // Twice the pairs' half: Megatron divides both products by two.
  return {q + kv + Count(h) * m.rope_dim + Count(m.heads) * m.value_dim * h,
          (Count(m.heads) * (m.nope_dim + m.rope_dim + m.value_dim)).half_rounded_up()};
}

Terms delta(const spec::GatedDeltaNet& m, Dim h) {
  const Dim qk = m.heads * m.key_head_dim;
  const Dim v = m.value_heads * m.value_head_dim;
  return {Count(h) * (2 * qk + 2 * v + 2 * m.value_heads) + Count(m.conv_width) * (2 * qk + v) +
              Count(4) * m.value_heads * m.value_head_dim * m.value_head_dim + Count(h) * v,
          0};
}

Terms kimi(const spec::KimiDeltaAttention& m, Dim h) {
  const Dim d = m.value_head_dim;
  const Dim p = m.value_heads * d;
  return {Count(h) * p * 5 + Count(h) * m.value_heads + Count(h) * d + Count(d) * p + Count(m.conv_width) * 3 * p +
              Count(4) * m.value_heads * d * d,
          0};
}

/// Twice the multiply-adds: the scan is 7 FLOPs per element, no even number.
Count mamba_flops(const spec::Mamba2& m, Dim h, bool true_width) {
  const Dim inner = true_width ? m.heads * m.head_dim : 2 * h;
  return Count(2) * h * (2 * inner + 2 * m.groups * m.state_dim + m.heads) + Count(7) * inner * m.state_dim +
         Count(2) * inner * h;
}

Count channel_terms(const spec::ChannelMixer& mixer, Dim h) {
  return std::visit(Overloaded{[&](const spec::SwiGlu& m) { return Count(3) * h * m.width; },
                               [&](const spec::Mlp& m) { return Count(2) * h * m.width; },
                               [&](const spec::MoE& m) {
                                 const Count matrices = m.gated ? 3 : 2;
                                 const Dim width = m.latent_width == 0 ? h : m.latent_width;
                                 const Count projections = m.latent_width == 0 ? 0 : Count(2) * h * m.latent_width;
                                 return matrices * width * m.expert_width * m.active + projections +
                                        matrices * h * m.shared_width;
                               },
                               [](const spec::None&) { return Count(0); }},
                    mixer);
}

/// Forward FLOPs of one layer over one sequence.
std::optional<Count> layer_flops(const spec::LayerSpec& layer, Dim h, Dim tokens, bool hybrid, bool true_width) {
  if (layer.kv_from || layer.weights_from) return std::nullopt;
  const auto flops = [&](const Terms& t) { return Count(2) * tokens * (t.fixed + t.per_context * tokens); };
  const auto mixer = std::visit(
      Overloaded{
          [&](const spec::FullAttention& m) -> std::optional<Count> { return flops(softmax(m, h, hybrid)); },
          [&](const spec::SlidingWindowAttention& m) -> std::optional<Count> { return flops(softmax(m, h, hybrid)); },
          [&](const spec::MultiHeadLatentAttention& m) -> std::optional<Count> {
            return hybrid ? Count(0) : flops(latent(m, h));
          },
          [&](const spec::GatedDeltaNet& m) -> std::optional<Count> { return flops(delta(m, h)); },
          [&](const spec::KimiDeltaAttention& m) -> std::optional<Count> { return flops(kimi(m, h)); },
          [&](const spec::Mamba2& m) -> std::optional<Count> { return Count(tokens) * mamba_flops(m, h, true_width); },
          [](const auto&) -> std::optional<Count> { return std::nullopt; }},
      layer.mixer);
  if (!mixer) return std::nullopt;
  return *mixer + Count(2) * tokens * channel_terms(layer.channel_mixer, h);
}

/// Parameters as Megatron groups them: split by tensor parallelism, on every rank, and of routed experts.
struct Parameters {
  Count split{};
  Count replicated{};
  Count expert{};
};

std::optional<Parameters> layer_parameters(const spec::LayerSpec& layer, Dim h, Count norm) {
  if (layer.kv_from || layer.weights_from || std::holds_alternative<spec::None>(layer.channel_mixer)) {
    return std::nullopt;
  }
  Parameters p{.replicated = Count(2) * norm};
  if (const auto* full = std::get_if<spec::FullAttention>(&layer.mixer)) {
    p.split = softmax(*full, h, false).fixed;
  } else if (const auto* window = std::get_if<spec::SlidingWindowAttention>(&layer.mixer)) {
    p.split = softmax(*window, h, false).fixed;
  } else if (const auto* mla = std::get_if<spec::MultiHeadLatentAttention>(&layer.mixer)) {
    p.split = latent(*mla, h).fixed;
  } else {
    return std::nullopt;
  }
  if (const auto* moe = std::get_if<spec::MoE>(&layer.channel_mixer)) {
    const Count matrices = moe->gated ? 3 : 2;
    const Dim width = moe->latent_width == 0 ? h : moe->latent_width;
    p.expert = matrices * width * moe->expert_width * moe->experts;
    p.split += matrices * h * moe->shared_width;
    p.replicated += Count(h) * moe->experts;
    if (moe->latent_width != 0) p.replicated += Count(2) * h * moe->latent_width;
  } else {
    p.split += channel_terms(layer.channel_mixer, h);
  }
  return p;
}

/// Hidden width of the dense layers, Megatron's ffn_hidden_size; of a model without one, of an expert.
Dim feed_forward_width(const spec::Layout& layout) {
  Dim width = 0;
  for (const auto& layer : layout.layers) {
    if (const auto* m = std::get_if<spec::SwiGlu>(&layer.channel_mixer)) return m->width;
    if (const auto* m = std::get_if<spec::Mlp>(&layer.channel_mixer)) return m->width;
    if (const auto* m = std::get_if<spec::MoE>(&layer.channel_mixer)) width = m->expert_width;
  }
  return width;
}

}  // namespace

std::optional<std::int64_t> megatron_training_flops(const spec::ModelSpec& model, Dim tokens, Dim sequences,
                                                    const MegatronFlops& options) {
  const Dim h = model.d_model;
  const bool hybrid = takes_hybrid_path(model.layout);
  const auto mtp = static_cast<Dim>(options.mtp_layers.size());
  Count forward = Count(2) * tokens * h * model.vocab_size * (1 + mtp);
  if (!hybrid) forward += Count(2) * tokens * mtp * (Count(3) * h + Count(2) * h * h);
  for (const auto* layers : {&model.layout.layers, &options.mtp_layers}) {
    for (const auto& layer : *layers) {
      const auto flops = layer_flops(layer, h, tokens, hybrid, options.true_mamba_width);
      if (!flops) return std::nullopt;
      forward += *flops;
    }
  }
  return (Count(3) * sequences * forward).exact("megatron_training_flops");
}

std::optional<MegatronMemory> megatron_memory(const spec::ModelSpec& model, const MegatronTraining& t) {
  const Dim h = model.d_model;
  const Count norm = Count(model.norm == spec::NormKind::layer ? 2 : 1) * h;
  Parameters sum{.replicated = norm};
  for (const auto& layer : model.layout.layers) {
    const auto p = layer_parameters(layer, h, norm);
    if (!p) return std::nullopt;
    sum.split += p->split;
    sum.replicated += p->replicated;
    sum.expert += p->expert;
  }
  const auto real = [](Dim value) { return static_cast<double>(value); };
  const double tp = real(t.tensor);
  const double pp = real(t.pipeline);
  const double table = (Count(model.vocab_size) * h).approximate();
  const double dense = (sum.split.approximate() / pp + table) / tp + sum.replicated.approximate() / pp +
                       (!model.tied_embeddings && t.pipeline == 1 ? table / tp : 0);
  const double expert = sum.expert.approximate() / (real(t.expert_tensor) * real(t.expert) * pp);
  const double world = tp * pp * real(t.data);
  const double expert_data = world / (real(t.expert_tensor) * real(t.expert) * pp);
  // bf16 weight, fp32 gradient; fp32 weight and two Adam moments, split over the replicas by a distributed optimizer.
  const auto bytes = [&](double replicas) { return t.distributed_optimizer ? 6 + 12 / replicas : 18.0; };

  MegatronMemory memory;
  memory.weights_and_optimizer = dense * bytes(real(t.data)) + expert * bytes(expert_data);
  const double rows = real(t.sequence) * real(t.micro_batch);
  const double layer_rows = real(static_cast<Dim>(model.layout.size())) * rows * real(h);
  const double embedding = 8 * rows * pp + rows * real(h) * pp;
  const double in_flight = t.pipeline > 1 ? std::min(1.0, real(t.microbatches) / pp) : 1;
  const double vocabulary_ratio = real(model.vocab_size) / real(h);
  const double ffn_ratio = real(feed_forward_width(model.layout)) / real(h);
  const double selective = (layer_rows * (18 + 4 * ffn_ratio) + embedding) * in_flight +
                           (t.pipeline == 1 ? 4 * rows * real(h) * (1 + vocabulary_ratio) : 0);
  memory.activations_selective = selective / tp;
  const double other = (layer_rows * (10 + 24 / tp) + embedding) * in_flight +
                       (t.pipeline == 1 ? 2 * (rows * real(model.vocab_size) / tp + rows * real(h)) : 0);
  memory.activations_other = 1.05 * other;
  return memory;
}

}  // namespace plait::costmodel
