#include "src/interchange/fla_export.h"

#include <algorithm>
#include <set>

#include "src/interchange/fla.h"
#include "src/interchange/fla_files.h"

namespace plait::interchange::fla {
namespace {

using spec::Dim;
using spec::OrderedJson;

/// "layer 3", "layers 0-2, 7".
std::string layer_list(const std::vector<std::size_t>& layers) {
  std::string text = layers.size() == 1 ? "layer " : "layers ";
  for (std::size_t i = 0; i < layers.size();) {
    std::size_t end = i;
    while (end + 1 < layers.size() && layers[end + 1] == layers[end] + 1) ++end;
    text += fmt::format("{}{}", i ? ", " : "", layers[i]);
    if (end > i) text += fmt::format("-{}", layers[end]);
    i = end + 1;
  }
  return text;
}

/// Equal values and the layers that hold them, in order of first appearance.
template <class T>
struct Group {
  T value;
  std::vector<std::size_t> layers;
};

template <class T, class Projection>
std::vector<Group<T>> groups_of(const spec::Layout& layout, Projection&& of) {
  std::vector<Group<T>> groups;
  for (std::size_t i = 0; i < layout.size(); ++i) {
    const T value = of(layout.layers[i]);
    auto group = std::ranges::find(groups, value, &Group<T>::value);
    if (group == groups.end()) group = groups.insert(groups.end(), Group<T>{value, {}});
    group->layers.push_back(i);
  }
  return groups;
}

using MixerGroup = Group<spec::Mixer>;

const spec::SoftmaxAttention* softmax_attention(const spec::Mixer& mixer) {
  if (const auto* full = std::get_if<spec::FullAttention>(&mixer)) return full;
  return std::get_if<spec::SlidingWindowAttention>(&mixer);
}

std::string named(const MixerGroup& group) {
  return fmt::format("{} ({})", layer_list(group.layers), spec::mixer_info(group.value).name);
}

std::string named(const std::vector<MixerGroup>& groups) {
  std::vector<std::string> names;
  for (const MixerGroup& group : groups) names.push_back(named(group));
  return fmt::format("{}", fmt::join(names, ", "));
}

/// An entry of `attn`, all defaults written out.
OrderedJson attention_entry(const MixerGroup& group) {
  const spec::SoftmaxAttention& attention = *softmax_attention(group.value);
  const auto* sliding = std::get_if<spec::SlidingWindowAttention>(&group.value);
  return {{"layers", group.layers},
          {"num_heads", attention.heads},
          {"num_kv_heads", attention.kv_heads},
          {"qkv_bias", attention.qkv_bias},
          {"window_size", sliding ? OrderedJson(sliding->window) : OrderedJson()},
          {"rope_theta", attention.rope_theta}};
}

/// The config of a model, or why there is none.
struct Plan {
  const ModelType* type = nullptr;
  OrderedJson config;
  Support support;

  void refuse(std::string reason) {
    support.ok = false;
    support.reasons.push_back(std::move(reason));
  }
};

/// The distinct mixers of a layout: softmax attention, and what is the native mixer of some class.
struct Parts {
  std::vector<MixerGroup> attention, native;
};

/// Refuses the mixers that are neither.
Parts parts_of(const spec::Layout& layout, Plan& plan) {
  Parts parts;
  for (MixerGroup& group : groups_of<spec::Mixer>(layout, [](const auto& layer) { return layer.mixer; })) {
    if (softmax_attention(group.value)) {
      parts.attention.push_back(std::move(group));
    } else if (model_type_of(group.value)) {
      parts.native.push_back(std::move(group));
    } else if (std::holds_alternative<spec::ParallelMixer>(group.value)) {
      plan.refuse(fmt::format("{}: fla has no layers with parallel branches", layer_list(group.layers)));
    } else if (std::holds_alternative<spec::MomentumDeltaNet>(group.value)) {
      plan.refuse(fmt::format("{}: fla {} has the layer but no model class for it", named(group), kVersion));
    } else {
      plan.refuse(fmt::format("{}: fla has no such mixer", named(group)));
    }
  }
  return parts;
}

void choose_type(const Parts& parts, Plan& plan) {
  if (parts.native.size() > 1) {
    const bool one_kind = std::ranges::all_of(parts.native, [&](const MixerGroup& group) {
      return group.value.index() == parts.native.front().value.index();
    });
    plan.refuse(fmt::format("{}: a fla model has one linear mixer{}", named(parts.native),
                            one_kind ? ", with the same dimensions in all its layers" : ""));
  } else if (parts.native.size() == 1) {
    plan.type = model_type_of(parts.native.front().value);
  } else if (parts.attention.size() == 1) {
    plan.type = find_model_type("transformer");
  } else if (parts.attention.size() > 1) {
    // Its attn lists every layer, so no Gated DeltaNet is built, and the class itself adds no parameters.
    plan.type = find_model_type("gated_deltanet");
    plan.support.notes.push_back(
        "attention of several kinds and no linear mixer: written as a gated_deltanet config whose attn lists every "
        "layer, "
        "since fla's transformer has one kind; no Gated DeltaNet layer is built");
  }
  if (plan.type && !parts.native.empty() && !parts.attention.empty() && !plan.type->takes_attn) {
    plan.refuse(fmt::format("{} beside {}: fla's {} ignores attn and would build {} everywhere", named(parts.attention),
                            named(parts.native), plan.type->name, plan.type->mixer_class));
  }
}

void check_attention(const spec::ModelSpec& model, const Parts& parts, Plan& plan) {
  const bool qk_norm = parts.native.empty() && parts.attention.size() == 1;
  for (const MixerGroup& group : parts.attention) {
    for (const std::string& obstacle : attention_obstacles(*softmax_attention(group.value), model.d_model, qk_norm)) {
      plan.refuse(fmt::format("{}: {}", named(group), obstacle));
    }
  }
}

void check_rest(const spec::ModelSpec& model, const Parts& parts, Plan& plan) {
  if (model.norm != spec::NormKind::rms) plan.refuse("norm layer: fla's models have RMSNorm");
  const auto link_of = [](const spec::LayerSpec& layer) { return std::pair(layer.kv_from, layer.weights_from); };
  using Link = std::pair<std::optional<std::size_t>, std::optional<std::size_t>>;
  for (const Group<Link>& group : groups_of<Link>(model.layout, link_of)) {
    if (group.value.first)
      plan.refuse(fmt::format("{}: kv_from: fla shares no keys and values", layer_list(group.layers)));
    if (group.value.second)
      plan.refuse(fmt::format("{}: weights_from: fla shares no weights", layer_list(group.layers)));
  }

  const bool mamba2 = parts.attention.empty() && plan.type && plan.type->name == "mamba2";
  std::vector<std::string> widths;
  for (const auto& group :
       groups_of<spec::ChannelMixer>(model.layout, [](const auto& layer) { return layer.channel_mixer; })) {
    const auto* swiglu = std::get_if<spec::SwiGlu>(&group.value);
    if (mamba2 && !std::holds_alternative<spec::None>(group.value)) {
      plan.refuse(fmt::format("{}: channel mixer {}: fla's mamba2 has none", layer_list(group.layers),
                              spec::name_of(group.value)));
    } else if (!mamba2 && !swiglu) {
      plan.refuse(fmt::format("{}: channel mixer {}: fla has swiglu only", layer_list(group.layers),
                              spec::name_of(group.value)));
    } else if (swiglu) {
      widths.push_back(fmt::format("{} ({})", swiglu->width, layer_list(group.layers)));
    }
  }
  if (widths.size() > 1) {
    plan.refuse(fmt::format("channel mixers of width {}: fla has one width for all layers", fmt::join(widths, ", ")));
  }
}

void write_config(const spec::ModelSpec& model, const Parts& parts, Plan& plan) {
  OrderedJson& config = plan.config;
  config = {{"model_type", plan.type->name}};
  for (const auto& [key, value] : class_defaults(plan.type->name)->items()) config[key] = value;
  config["hidden_size"] = model.d_model;
  config["num_hidden_layers"] = model.layout.size();
  config["vocab_size"] = model.vocab_size;
  config["norm_eps"] = model.norm_eps;
  config["tie_word_embeddings"] = model.tied_embeddings;
  if (config.contains("max_position_embeddings")) config["max_position_embeddings"] = model.max_position;
  if (const auto* swiglu = std::get_if<spec::SwiGlu>(&model.layout.layers.front().channel_mixer)) {
    config["intermediate_size"] = swiglu->width;
  }

  Reasons reasons;
  const MixerGroup* body = !parts.native.empty() ? &parts.native.front() : nullptr;
  if (!plan.type->takes_attn && !body) body = &parts.attention.front();
  if (body) plan.type->write(body->value, model.d_model, config, reasons);
  for (const std::string& reason : reasons) plan.refuse(fmt::format("{}: {}", named(*body), reason));

  if (plan.type->takes_attn && parts.attention.size() == 1) {
    config["attn"] = attention_entry(parts.attention.front());
  } else if (plan.type->takes_attn && parts.attention.size() > 1) {
    config["attn"] = OrderedJson::array();
    for (const MixerGroup& group : parts.attention) config["attn"].push_back(attention_entry(group));
  }
}

void add_notes(const spec::ModelSpec& model, const Parts& parts, Plan& plan) {
  std::vector<std::string>& notes = plan.support.notes;
  if (plan.config.contains("attn") && plan.config["attn"].is_array()) {
    notes.push_back("attn is a list: needs fla >= 0.5.2");
  }
  if (!parts.attention.empty() || plan.type->name == "mla")
    notes.push_back("attention layers need flash-attn installed");
  if (model.tied_embeddings) notes.push_back("tied embeddings: needs fla >= 0.6.0 with transformers 5");
  if (plan.type->name == "mamba2") {
    notes.push_back("model_type mamba2 exists in transformers too, with other keys: import fla before loading");
    notes.push_back(
        fmt::format("mamba2 configs have no max_position_embeddings: {} is not written", model.max_position));
  }
}

Plan plan_for(const spec::ModelSpec& model) {
  Plan plan;
  if (model.layout.size() == 0) {
    plan.refuse("the layout has no layers");
    return plan;
  }
  const Parts parts = parts_of(model.layout, plan);
  choose_type(parts, plan);
  check_attention(model, parts, plan);
  check_rest(model, parts, plan);
  if (!plan.type) return plan;
  write_config(model, parts, plan);
  if (plan.support.ok) add_notes(model, parts, plan);
  return plan;
}

Plan accepted_plan(const spec::ModelSpec& model, std::string_view target) {
  Plan plan = plan_for(model);
  spec::Problems problems;
  for (const std::string& reason : plan.support.reasons) problems.add(fmt::format("export to {}", target), reason);
  problems.throw_if_any();
  return plan;
}

}  // namespace

Support supports(const spec::ModelSpec& model) {
  Plan plan = plan_for(model);
  if (!plan.support.ok) plan.support.notes.clear();
  return plan.support;
}

ExportBundle write(const spec::ModelSpec& model, const Provenance& provenance) {
  Plan plan = accepted_plan(model, "fla");
  return fla_files({model, *plan.type, std::move(plan.config), std::move(plan.support.notes), provenance});
}

Support supports_flame(const spec::ModelSpec& model) {
  Support support = supports(model);
  if (support.ok) add_flame_notes(model, support.notes);
  return support;
}

ExportBundle write_flame(const spec::ModelSpec& model, const Provenance& provenance) {
  Plan plan = accepted_plan(model, "flame");
  add_flame_notes(model, plan.support.notes);
  return flame_files({model, *plan.type, std::move(plan.config), std::move(plan.support.notes), provenance});
}

}  // namespace plait::interchange::fla
