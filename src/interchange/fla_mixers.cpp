#include <algorithm>
#include <array>
#include <cmath>

#include "src/interchange/fla.h"

/// Native mixers of fla's model classes, one section each: config -> mixer, mixer -> config.
namespace plait::interchange::fla {
namespace {

using spec::Dim;
using spec::OrderedJson;
using Rounding = ConfigReader::Rounding;

/// The ratio with int(whole * ratio) == part in double arithmetic; an integer where it is one.
OrderedJson ratio_to(Dim whole, Dim part) {
  if (part % whole == 0) return part / whole;
  double ratio = static_cast<double>(part) / static_cast<double>(whole);
  while (static_cast<double>(whole) * ratio < static_cast<double>(part)) ratio = std::nextafter(ratio, INFINITY);
  return ratio;
}

/// The same where the class's default is a float.
double float_ratio_to(Dim whole, Dim part) { return ratio_to(whole, part).get<double>(); }

Dim read_conv(ConfigReader& config) {
  const Dim width = config.integer("conv_size", 1, 64);
  return config.boolean("use_short_conv") ? width : 0;
}

void write_conv(Dim width, OrderedJson& config) {
  config["use_short_conv"] = width > 0;
  if (width > 0) config["conv_size"] = width;
}

OrderedJson null_when_equal(Dim value, Dim other) { return value == other ? OrderedJson() : OrderedJson(value); }

void require_head_dim(std::string_view what, Dim head_dim, Dim limit, Reasons& reasons) {
  if (head_dim > limit) reasons.push_back(fmt::format("{} {}: fla's kernel takes at most {}", what, head_dim, limit));
}

/// Rotary embedding pairs channel i with i + head_dim / 2, in a kernel for up to 256 channels.
void require_rotary(std::string_view what, Dim head_dim, Reasons& reasons) {
  if (head_dim % 2 != 0) reasons.push_back(fmt::format("{} {}: rotary embedding needs an even one", what, head_dim));
  require_head_dim(what, head_dim, 256, reasons);
}

// Widths of the classes that derive head dims from hidden_size: expand_k, expand_v.

struct ExpandedHeads {
  Dim heads = 1, key_head_dim = 1, value_head_dim = 1;
};

ExpandedHeads read_expanded_heads(ConfigReader& config, Dim d_model) {
  const Dim heads = config.integer("num_heads");
  const Dim key_dim = config.product("expand_k", d_model, "hidden_size", Rounding::nearest);
  const Dim value_dim = config.product("expand_v", d_model, "hidden_size", Rounding::nearest);
  return {heads, config.quotient(key_dim, "key width hidden_size x expand_k =", "num_heads", heads),
          config.quotient(value_dim, "value width hidden_size x expand_v =", "num_heads", heads)};
}

template <class M>
void write_expanded_heads(const M& mixer, Dim d_model, OrderedJson& config) {
  config["num_heads"] = mixer.heads;
  config["expand_k"] = float_ratio_to(d_model, mixer.heads * mixer.key_head_dim);
  config["expand_v"] = float_ratio_to(d_model, mixer.heads * mixer.value_head_dim);
}

Dim read_kv_heads(ConfigReader& config, Dim heads) {
  const Dim kv_heads = config.optional_integer("num_kv_heads").value_or(heads);
  config.quotient(heads, "num_heads", "num_kv_heads", kv_heads);
  return kv_heads;
}

// GLA

spec::Gla read_gla(ConfigReader& config, Dim d_model) {
  const ExpandedHeads dims = read_expanded_heads(config, d_model);
  return {.heads = dims.heads,
          .kv_heads = read_kv_heads(config, dims.heads),
          .key_head_dim = dims.key_head_dim,
          .value_head_dim = dims.value_head_dim,
          .gate_rank = 16,
          .conv_width = read_conv(config),
          .output_gate = config.boolean("use_output_gate")};
}

void write_gla(const spec::Gla& mixer, Dim d_model, OrderedJson& config, Reasons& reasons) {
  write_expanded_heads(mixer, d_model, config);
  config["num_kv_heads"] = null_when_equal(mixer.kv_heads, mixer.heads);
  config["use_output_gate"] = mixer.output_gate;
  write_conv(mixer.conv_width, config);
  if (mixer.gate_rank != 16) reasons.push_back(fmt::format("gate_rank {}: fla's is always 16", mixer.gate_rank));
}

// RetNet: the class takes use_short_conv and conv_size, but its layers never see them

spec::RetNet read_retnet(ConfigReader& config, Dim d_model) {
  const ExpandedHeads dims = read_expanded_heads(config, d_model);
  if (dims.key_head_dim > 256) {
    config.problem("expand_k", "gives {} key channels per head; fla's rotary embedding takes at most 256",
                   dims.key_head_dim);
  }
  return {.heads = dims.heads,
          .kv_heads = read_kv_heads(config, dims.heads),
          .key_head_dim = dims.key_head_dim,
          .value_head_dim = dims.value_head_dim,
          .conv_width = 0,
          .output_gate = config.boolean("use_output_gate")};
}

void write_retnet(const spec::RetNet& mixer, Dim d_model, OrderedJson& config, Reasons& reasons) {
  write_expanded_heads(mixer, d_model, config);
  config["num_kv_heads"] = null_when_equal(mixer.kv_heads, mixer.heads);
  config["use_output_gate"] = mixer.output_gate;
  if (mixer.conv_width > 0) {
    reasons.push_back(fmt::format("conv_width {}: fla's retnet builds no short convolution", mixer.conv_width));
  }
  require_rotary("key_head_dim", mixer.key_head_dim, reasons);
}

// DeltaNet

spec::DeltaNet read_delta_net(ConfigReader& config, Dim d_model) {
  const ExpandedHeads dims = read_expanded_heads(config, d_model);
  if (!config.boolean("use_beta")) {
    config.problem("use_beta", "false drops the projection of beta; plait's delta_net always has it (use_beta true)");
  }
  return {.heads = dims.heads,
          .key_head_dim = dims.key_head_dim,
          .value_head_dim = dims.value_head_dim,
          .conv_width = read_conv(config),
          .output_gate = config.boolean("use_gate"),
          .negative_eigenvalues = config.boolean("allow_neg_eigval")};
}

void write_delta_net(const spec::DeltaNet& mixer, Dim d_model, OrderedJson& config, Reasons& reasons) {
  write_expanded_heads(mixer, d_model, config);
  config["use_gate"] = mixer.output_gate;
  config["allow_neg_eigval"] = mixer.negative_eigenvalues;
  write_conv(mixer.conv_width, config);
  require_head_dim("key_head_dim", mixer.key_head_dim, 256, reasons);
}

// Gated DeltaNet and Kimi Delta Attention: widths independent of hidden_size, grouped values

struct GroupedValueHeads {
  Dim heads = 1, value_heads = 1, key_head_dim = 1, value_head_dim = 1;
};

GroupedValueHeads read_grouped_value_heads(ConfigReader& config) {
  GroupedValueHeads dims;
  dims.heads = config.integer("num_heads");
  dims.value_heads = config.optional_integer("num_v_heads").value_or(dims.heads);
  if (dims.value_heads % dims.heads != 0) {
    config.problem("num_v_heads", "{} is not a multiple of num_heads {}", dims.value_heads, dims.heads);
  }
  dims.key_head_dim = config.integer("head_dim");
  dims.value_head_dim = config.product("expand_v", dims.key_head_dim, "head_dim", Rounding::exact_floor);
  return dims;
}

template <class M>
void write_grouped_value_heads(const M& mixer, OrderedJson& config, Reasons& reasons) {
  config["num_heads"] = mixer.heads;
  config["num_v_heads"] = null_when_equal(mixer.value_heads, mixer.heads);
  config["head_dim"] = mixer.key_head_dim;
  config["expand_v"] = float_ratio_to(mixer.key_head_dim, mixer.value_head_dim);
  config["allow_neg_eigval"] = mixer.negative_eigenvalues;
  write_conv(mixer.conv_width, config);
  require_head_dim("key_head_dim", mixer.key_head_dim, 256, reasons);
}

spec::GatedDeltaNet read_gated_delta_net(ConfigReader& config, Dim /*d_model*/) {
  const GroupedValueHeads dims = read_grouped_value_heads(config);
  return {.heads = dims.heads,
          .value_heads = dims.value_heads,
          .key_head_dim = dims.key_head_dim,
          .value_head_dim = dims.value_head_dim,
          .conv_width = read_conv(config),
          .output_gate = config.boolean("use_gate"),
          .negative_eigenvalues = config.boolean("allow_neg_eigval")};
}

void write_gated_delta_net(const spec::GatedDeltaNet& mixer, Dim /*d_model*/, OrderedJson& config, Reasons& reasons) {
  write_grouped_value_heads(mixer, config, reasons);
  config["use_gate"] = mixer.output_gate;
}

spec::KimiDeltaAttention read_kda(ConfigReader& config, Dim /*d_model*/) {
  const GroupedValueHeads dims = read_grouped_value_heads(config);
  // The bound acts whenever it is set; safe_gate only picks the faster kernel, and needs it.
  const std::optional<double> bound = config.optional_number("lower_bound");
  if (config.boolean("safe_gate") && !bound)
    config.problem("lower_bound", "must be set when safe_gate is true; got null");
  if (bound && !(*bound >= -5.0 && *bound < 0.0)) {
    config.problem("lower_bound", "must be null or in [-5, 0); got {}", *bound);
  }
  return {.heads = dims.heads,
          .value_heads = dims.value_heads,
          .key_head_dim = dims.key_head_dim,
          .value_head_dim = dims.value_head_dim,
          .conv_width = read_conv(config),
          .negative_eigenvalues = config.boolean("allow_neg_eigval"),
          .gate_lower_bound = bound.value_or(0.0)};
}

void write_kda(const spec::KimiDeltaAttention& mixer, Dim /*d_model*/, OrderedJson& config, Reasons& reasons) {
  write_grouped_value_heads(mixer, config, reasons);
  if (mixer.gate_lower_bound < 0) {
    config["safe_gate"] = true;
    config["lower_bound"] = mixer.gate_lower_bound;
  }
}

// HGRN

spec::Hgrn read_hgrn(ConfigReader& config, Dim d_model) {
  return {.width = config.product("expand_ratio", d_model, "hidden_size", Rounding::floor),
          .conv_width = read_conv(config),
          .lower_bound = config.boolean("use_lower_bound")};
}

void write_hgrn(const spec::Hgrn& mixer, Dim d_model, OrderedJson& config, Reasons& /*reasons*/) {
  config["expand_ratio"] = ratio_to(d_model, mixer.width);
  config["use_lower_bound"] = mixer.lower_bound;
  write_conv(mixer.conv_width, config);
}

// HGRN2: expand_ratio is the key width per head; the layer derives the number of heads from it whenever it is set

spec::Hgrn2 read_hgrn2(ConfigReader& config, Dim d_model) {
  const bool only_heads = config.config().contains("expand_ratio") && config.value("expand_ratio").is_null();
  Dim key_head_dim = 1;
  if (only_heads) {
    const auto heads = config.optional_integer("num_heads");
    if (!heads) config.problem("expand_ratio", "one of expand_ratio and num_heads must be set; both are null");
    key_head_dim = std::max<Dim>(1, d_model / heads.value_or(1));
  } else {
    key_head_dim = config.integer("expand_ratio");
    config.optional_integer("num_heads");
  }
  const Dim heads = d_model / key_head_dim;
  if (heads < 1) {
    config.problem("expand_ratio", "{} is more than hidden_size {}: no head is left", key_head_dim, d_model);
    return {};
  }
  if (d_model % heads != 0) {
    config.problem("expand_ratio", "{} gives {} heads, which do not divide hidden_size {}", key_head_dim, heads,
                   d_model);
  }
  return {.heads = heads,
          .key_head_dim = key_head_dim,
          .value_head_dim = d_model / heads,
          .conv_width = read_conv(config),
          .lower_bound = config.boolean("use_lower_bound")};
}

void write_hgrn2(const spec::Hgrn2& mixer, Dim d_model, OrderedJson& config, Reasons& reasons) {
  config["num_heads"] = mixer.heads;
  config["expand_ratio"] = mixer.key_head_dim;
  config["use_lower_bound"] = mixer.lower_bound;
  write_conv(mixer.conv_width, config);
  if (d_model / mixer.key_head_dim != mixer.heads) {
    reasons.push_back(fmt::format("{} heads with key_head_dim {}: fla takes d_model / key_head_dim = {} heads",
                                  mixer.heads, mixer.key_head_dim, d_model / mixer.key_head_dim));
  }
}

// Mamba-2

spec::Mamba2 read_mamba2(ConfigReader& config, Dim d_model) {
  const Dim inner = config.product("expand", d_model, "hidden_size", Rounding::floor);
  const Dim head_dim = config.integer("head_dim");
  const Dim heads = config.quotient(inner, "inner width hidden_size x expand =", "head_dim", head_dim);
  const Dim groups = config.integer("n_groups");
  config.quotient(heads, "number of heads", "n_groups", groups);
  for (const auto& [key, derived] : {std::pair{"num_heads", heads}, std::pair{"intermediate_size", inner}}) {
    const std::optional<Dim> given = config.optional_integer(key);
    if (inner > 0 && given && *given != derived) {
      config.problem(key, "{} contradicts hidden_size x expand and head_dim, which give {}", *given, derived);
    }
  }
  for (const char* key : {"use_bias", "D_has_hdim"}) {
    if (config.boolean(key)) config.problem(key, "true adds parameters that plait's mamba2 does not have; only false");
  }
  if (!config.boolean("rmsnorm")) config.problem("rmsnorm", "false drops the gated norm of plait's mamba2; only true");
  return {.heads = heads,
          .head_dim = head_dim,
          .state_dim = config.integer("state_size"),
          .groups = groups,
          .conv_width = config.integer("conv_kernel", 1, 64),
          .conv_bias = config.boolean("use_conv_bias")};
}

void write_mamba2(const spec::Mamba2& mixer, Dim d_model, OrderedJson& config, Reasons& /*reasons*/) {
  config["head_dim"] = mixer.head_dim;
  config["expand"] = ratio_to(d_model, mixer.heads * mixer.head_dim);
  config["state_size"] = mixer.state_dim;
  config["n_groups"] = mixer.groups;
  config["conv_kernel"] = mixer.conv_width;
  config["use_conv_bias"] = mixer.conv_bias;
}

// Attention alone: full or, with one window for all layers, sliding

spec::Mixer read_transformer(ConfigReader& config, Dim d_model) {
  spec::SoftmaxAttention attention;
  attention.heads = config.integer("num_heads");
  attention.kv_heads = read_kv_heads(config, attention.heads);
  attention.head_dim = config.quotient(d_model, "hidden_size", "num_heads", attention.heads);
  attention.qkv_bias = config.boolean("qkv_bias");
  attention.qk_norm = config.boolean("qk_norm") ? spec::QkNorm::per_head : spec::QkNorm::none;
  attention.rope_theta = config.positive("rope_theta");
  const std::optional<Dim> window = config.optional_integer("window_size");
  if (window) return spec::SlidingWindowAttention{attention, *window};
  return spec::FullAttention{attention};
}

void write_transformer(const spec::Mixer& mixer, Dim /*d_model*/, OrderedJson& config, Reasons& /*reasons*/) {
  const auto* sliding = std::get_if<spec::SlidingWindowAttention>(&mixer);
  const spec::SoftmaxAttention& attention =
      sliding ? static_cast<const spec::SoftmaxAttention&>(*sliding) : std::get<spec::FullAttention>(mixer);
  config["num_heads"] = attention.heads;
  config["num_kv_heads"] = null_when_equal(attention.kv_heads, attention.heads);
  config["qkv_bias"] = attention.qkv_bias;
  config["qk_norm"] = attention.qk_norm == spec::QkNorm::per_head;
  config["rope_theta"] = attention.rope_theta;
  config["window_size"] = sliding ? OrderedJson(sliding->window) : OrderedJson();
}

// MLA alone

spec::MultiHeadLatentAttention read_mla(ConfigReader& config, Dim /*d_model*/) {
  const Dim nope = config.integer("qk_nope_head_dim");
  const Dim rope = config.integer("qk_rope_head_dim");
  const std::optional<Dim> qk = config.optional_integer("qk_head_dim");
  if (qk && *qk != nope + rope) {
    config.problem("qk_head_dim", "{} is not qk_nope_head_dim {} + qk_rope_head_dim {}", *qk, nope, rope);
  }
  if (const auto window = config.optional_integer("window_size")) {
    config.problem("window_size", "{}: plait's multi_head_latent_attention sees the whole context; only null", *window);
  }
  return {.heads = config.integer("num_heads"),
          .q_lora_rank = config.optional_integer("q_lora_rank").value_or(0),
          .kv_lora_rank = config.integer("kv_lora_rank"),
          .nope_dim = nope,
          .rope_dim = rope,
          .value_dim = config.integer("v_head_dim")};
}

void write_mla(const spec::MultiHeadLatentAttention& mixer, Dim /*d_model*/, OrderedJson& config, Reasons& reasons) {
  config["num_heads"] = mixer.heads;
  config["q_lora_rank"] = mixer.q_lora_rank > 0 ? OrderedJson(mixer.q_lora_rank) : OrderedJson();
  config["kv_lora_rank"] = mixer.kv_lora_rank;
  config["qk_nope_head_dim"] = mixer.nope_dim;
  config["qk_rope_head_dim"] = mixer.rope_dim;
  config["qk_head_dim"] = mixer.nope_dim + mixer.rope_dim;
  config["v_head_dim"] = mixer.value_dim;
  if (mixer.rope_dim == 0) reasons.push_back("rope_dim 0: fla's MLA always rotates a part of the keys");
  require_rotary("rope_dim", mixer.rope_dim, reasons);
  require_head_dim("nope_dim + rope_dim", mixer.nope_dim + mixer.rope_dim, 256, reasons);
  // fla pads the values to the width of the queries for flash-attention.
  require_head_dim("value_dim", mixer.value_dim, mixer.nope_dim + mixer.rope_dim, reasons);
}

// Table

template <class M, auto Read, auto Write>
constexpr ModelType row(std::string_view name, std::string_view mixer_class, bool takes_attn) {
  return {name,
          mixer_class,
          spec::detail::IndexOf<M, spec::Mixer>::value,
          takes_attn,
          [](ConfigReader& config, Dim d_model) { return spec::Mixer(Read(config, d_model)); },
          [](const spec::Mixer& mixer, Dim d_model, OrderedJson& config, Reasons& reasons) {
            Write(std::get<M>(mixer), d_model, config, reasons);
          }};
}

constexpr std::array kModelTypes{
    ModelType{"transformer", "Attention", spec::detail::IndexOf<spec::FullAttention, spec::Mixer>::value, false,
              read_transformer, write_transformer},
    row<spec::MultiHeadLatentAttention, read_mla, write_mla>("mla", "MultiheadLatentAttention", false),
    row<spec::Gla, read_gla, write_gla>("gla", "GatedLinearAttention", true),
    row<spec::RetNet, read_retnet, write_retnet>("retnet", "MultiScaleRetention", true),
    row<spec::DeltaNet, read_delta_net, write_delta_net>("delta_net", "DeltaNet", true),
    row<spec::GatedDeltaNet, read_gated_delta_net, write_gated_delta_net>("gated_deltanet", "GatedDeltaNet", true),
    row<spec::KimiDeltaAttention, read_kda, write_kda>("kda", "KimiDeltaAttention", true),
    row<spec::Hgrn, read_hgrn, write_hgrn>("hgrn", "HGRNAttention", true),
    row<spec::Hgrn2, read_hgrn2, write_hgrn2>("hgrn2", "HGRN2Attention", true),
    row<spec::Mamba2, read_mamba2, write_mamba2>("mamba2", "Mamba2", false),
};

}  // namespace

std::span<const ModelType> model_types() { return kModelTypes; }

const ModelType* find_model_type(std::string_view name) {
  const auto type = std::ranges::find(kModelTypes, name, &ModelType::name);
  return type == kModelTypes.end() ? nullptr : &*type;
}

const ModelType* model_type_of(const spec::Mixer& mixer) {
  if (std::holds_alternative<spec::SlidingWindowAttention>(mixer)) return find_model_type("transformer");
  const auto type = std::ranges::find(kModelTypes, mixer.index(), &ModelType::mixer);
  return type == kModelTypes.end() ? nullptr : &*type;
}

Reasons attention_obstacles(const spec::SoftmaxAttention& attention, Dim d_model, bool qk_norm) {
  Reasons reasons;
  if (attention.heads * attention.head_dim != d_model) {
    reasons.push_back(fmt::format("{} heads of {}: fla's heads fill d_model {} exactly", attention.heads,
                                  attention.head_dim, d_model));
  }
  if (attention.qk_norm == spec::QkNorm::full_width) {
    reasons.push_back("qk_norm full_width: fla has per_head at most");
  } else if (attention.qk_norm == spec::QkNorm::per_head && !qk_norm) {
    reasons.push_back("qk_norm per_head: fla has it only where all layers are the same attention");
  }
  if (attention.output_gate) reasons.push_back("output_gate: fla's attention has none");
  if (attention.rope_theta == 0) {
    reasons.push_back("rope_theta 0 (no rotary): fla always rotates");
  } else if (attention.rope_fraction != 1.0) {
    reasons.push_back(fmt::format("rope_fraction {}: fla rotates the whole head", attention.rope_fraction));
  }
  require_rotary("head_dim", attention.head_dim, reasons);
  return reasons;
}

}  // namespace plait::interchange::fla
