#include "src/interchange/fla_import.h"

#include <algorithm>
#include <array>
#include <set>

#include "src/interchange/fla.h"
#include "src/spec/notation.h"

namespace plait::interchange::fla {
namespace {

using spec::Dim;
using spec::Json;

/// The other model types of fla, with what stands in their layers.
constexpr auto kOtherTypes = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"abc", "ABC attention"},
    {"bitnet", "attention with ternary weights"},
    {"cat", "CAT attention"},
    {"comba", "Comba"},
    {"cyclic_flow_attention", "cyclic flow attention"},
    {"deltaformer", "DeltaFormer attention"},
    {"forgetting_transformer", "forgetting attention"},
    {"gated_deltaproduct", "Gated DeltaProduct"},
    {"gsa", "gated slot attention"},
    {"lightnet", "LightNet"},
    {"linear_attn", "linear attention without decay"},
    {"log_linear_mamba2", "log-linear Mamba-2"},
    {"mamba", "Mamba-1"},
    {"mamba3", "Mamba-3"},
    {"mesa_net", "MesaNet"},
    {"moba", "block attention (MoBA)"},
    {"mom", "mixture of memories"},
    {"nsa", "native sparse attention"},
    {"parallax", "Parallax attention"},
    {"path_attn", "PaTH attention"},
    {"precond_gated_deltanet", "preconditioned Gated DeltaNet"},
    {"precond_kda", "preconditioned KDA"},
    {"raven", "Raven"},
    {"rodimus", "Rodimus"},
    {"rwkv6", "RWKV-6"},
    {"rwkv7", "RWKV-7"},
    {"samba", "Mamba-1"},
    {"stickbreaking_attn", "stick-breaking attention"},
    {"wall_transformer", "Wall attention"},
    {"yoco", "a decoder-decoder"},
    {"momentum_deltanet", ""},
});

std::string_view model_type_in(const Json& value) {
  if (!value.is_object() || !value.contains("model_type") || !value["model_type"].is_string()) return {};
  return value["model_type"].get_ref<const std::string&>();
}

std::string readable_types() {
  std::vector<std::string> names;
  for (const ModelType& type : model_types()) names.emplace_back(type.name);
  return spec::quoted_list(names);
}

/// Keys of transformers' own base class, and of checkpoints: they say nothing about the model's shape.
const std::set<std::string_view> kBaseKeys{"model_type",           "architectures",   "transformers_version",
                                           "_name_or_path",        "auto_map",        "dtype",
                                           "torch_dtype",          "return_dict",     "output_attentions",
                                           "output_hidden_states", "use_return_dict", "chunk_size_feed_forward",
                                           "is_encoder_decoder",   "id2label",        "label2id",
                                           "problem_type"};

/// Keys that change what a layer computes, but neither its parameters nor its cost: plait has no member for them.
constexpr auto kFunctionKeys = std::to_array<std::string_view>(
    {"feature_map", "clamp_min", "hidden_act", "qk_norm", "qk_activation", "output_gate_activation", "norm_before_gate",
     "dt_limit", "rope_scaling", "rope_theta", "use_output_norm"});

/// Keys that a model type reads beyond its constructor's arguments.
bool is_extra_key(std::string_view type, std::string_view key) {
  return type == "mamba2" && (key == "dt_limit" || key == "num_heads" || key == "intermediate_size");
}

/// Reads `attn` into one softmax mixer per listed layer, by the rules of fla 0.5.2 and later.
class AttentionReader {
 public:
  AttentionReader(Dim layers, Dim d_model, spec::Problems& problems, std::vector<std::string>& notes)
      : d_model_(d_model),
        problems_(problems),
        notes_(notes),
        mixers_(static_cast<std::size_t>(layers)),
        assigned_by_(static_cast<std::size_t>(layers)) {}

  /// `attn` is null, one object or a list of them. Layers that nobody lists hold nothing.
  std::vector<std::optional<spec::Mixer>> read(const Json& attn, const std::string& path) {
    if (attn.is_object()) {
      read_spec(attn, path);
    } else if (attn.is_array()) {
      for (std::size_t i = 0; i < attn.size(); ++i) {
        const std::string where = spec::index_path(path, i);
        if (attn[i].is_object()) {
          read_spec(attn[i], where);
        } else {
          problems_.add(where, fmt::format("must be an object with layers and num_heads; got {}", attn[i].dump()));
        }
      }
    } else if (!attn.is_null()) {
      problems_.add(path, fmt::format("must be null, an object or a list of objects; got {}", attn.dump()));
    }
    return std::move(mixers_);
  }

 private:
  void read_spec(const Json& object, const std::string& path) {
    static const spec::OrderedJson defaults{
        {"num_kv_heads", nullptr}, {"qkv_bias", false}, {"window_size", nullptr}, {"rope_theta", 10000.0}};
    ConfigReader reader(object, defaults, path, problems_);

    spec::SoftmaxAttention attention;
    if (object.contains("num_heads")) {
      attention.heads = reader.integer("num_heads");
    } else {
      reader.problem("num_heads", "is missing; must be an integer of at least 1");
      attention.heads = d_model_;
    }
    attention.kv_heads = reader.optional_integer("num_kv_heads").value_or(attention.heads);
    if (attention.heads % attention.kv_heads != 0) {
      reader.problem("num_kv_heads", "{} does not divide num_heads {}", attention.kv_heads, attention.heads);
    }
    // fla cuts the head width down in silence here.
    if (d_model_ % attention.heads != 0) {
      reader.problem("num_heads", "{} does not divide hidden_size {}", attention.heads, d_model_);
    }
    attention.head_dim = std::max<Dim>(1, d_model_ / attention.heads);
    attention.qkv_bias = reader.boolean("qkv_bias");
    attention.rope_theta = reader.positive("rope_theta");
    const std::optional<Dim> window = reader.optional_integer("window_size");
    const spec::Mixer mixer = window ? spec::Mixer(spec::SlidingWindowAttention{attention, *window})
                                     : spec::Mixer(spec::FullAttention{attention});

    for (const auto& [key, value] : object.items()) {
      if (key != "layers" && key != "num_heads" && !defaults.contains(key)) {
        notes_.push_back(fmt::format("{}: fla keeps this key and ignores it", spec::join_path(path, key)));
      }
    }
    read_layers(object, path, mixer);
  }

  void read_layers(const Json& object, const std::string& path, const spec::Mixer& mixer) {
    const std::string where = spec::join_path(path, "layers");
    if (!object.contains("layers")) {
      problems_.add(where, "is missing; must be a list of layer indices");
      return;
    }
    const Json& layers = object["layers"];
    if (!layers.is_array()) {
      problems_.add(where, fmt::format("must be a list of layer indices; got {}", layers.dump()));
      return;
    }
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::string at = spec::index_path(where, i);
      if (!layers[i].is_number_integer() || layers[i] < 0 || layers[i] >= mixers_.size()) {
        problems_.add(at,
                      fmt::format("must be a layer index from 0 to {}; got {}", mixers_.size() - 1, layers[i].dump()));
        continue;
      }
      const auto layer = layers[i].get<std::size_t>();
      if (mixers_[layer]) {
        problems_.add(at, fmt::format("layer {} is already listed by {}", layer, assigned_by_[layer]));
        continue;
      }
      mixers_[layer] = mixer;
      assigned_by_[layer] = at;
    }
  }

  Dim d_model_;
  spec::Problems& problems_;
  std::vector<std::string>& notes_;
  std::vector<std::optional<spec::Mixer>> mixers_;
  std::vector<std::string> assigned_by_;  // path of the index that listed the layer
};

spec::ChannelMixer read_channel_mixer(ConfigReader& config, Dim d_model) {
  const std::string act = config.value("hidden_act").dump();
  if (act != "\"swish\"" && act != "\"powlu\"")
    config.problem("hidden_act", "must be \"swish\" or \"powlu\"; got {}", act);
  if (const auto width = config.optional_integer("intermediate_size")) return spec::SwiGlu{*width};
  const double ratio = config.value("hidden_ratio").is_null() ? 4.0 : config.positive("hidden_ratio");
  const double exact = static_cast<double>(d_model) * ratio * 2.0 / 3.0;
  if (!(exact < static_cast<double>(spec::kMaxDim - 256))) {
    config.problem("hidden_ratio", "{} of hidden_size {} makes the MLP wider than {}", ratio, d_model, spec::kMaxDim);
    return spec::SwiGlu{};
  }
  return spec::SwiGlu{std::max<Dim>(256, (static_cast<Dim>(exact) + 255) / 256 * 256)};
}

/// Switches of the layers that change which parameters exist.
void refuse_other_parameters(const ModelType& type, ConfigReader& config, const spec::OrderedJson& defaults) {
  if (!config.value("attnres_block_size").is_null()) {
    config.problem("attnres_block_size", "{}: plait has no attention residuals; only null",
                   config.value("attnres_block_size").dump());
  }
  // transformer and mla hold the key and read it nowhere.
  if (defaults.contains("elementwise_affine") && type.name != "transformer" && type.name != "mla" &&
      !config.value("elementwise_affine").is_null() && !config.boolean("elementwise_affine")) {
    config.problem("elementwise_affine", "false drops the weights of the layers' norms; plait's always have them");
  }
}

/// Two names of one function.
Json canonical_activation(const Json& value) { return value == "silu" ? Json("swish") : value; }

void note_ignored(const ModelType& type, const Json& config, const spec::OrderedJson& defaults,
                  std::vector<std::string>& notes) {
  std::vector<std::string> unknown;
  for (const auto& [key, value] : config.items()) {
    const bool known = defaults.contains(key) || is_extra_key(type.name, key);
    if (!known && !kBaseKeys.contains(key) && !(key == "attn" && !type.takes_attn)) unknown.push_back(key);
    if (known && std::ranges::find(kFunctionKeys, key) != kFunctionKeys.end() &&
        !(type.name == "transformer" && (key == "qk_norm" || key == "rope_theta"))) {
      static const Json no_limit{0.0, {{"__float__", "Infinity"}}};
      const Json usual = key == "dt_limit" ? no_limit : Json(defaults.at(key));
      if (canonical_activation(value) != canonical_activation(usual)) {
        notes.push_back(fmt::format("{} {}: not part of a plait model (its costs are the same); an export writes {}",
                                    key, value.dump(), usual.dump()));
      }
    }
  }
  if (!unknown.empty()) {
    notes.push_back(fmt::format("keys that {} of fla {} does not read, ignored: {}", type.name, kVersion,
                                fmt::join(unknown, ", ")));
  }
  if (!type.takes_attn && config.contains("attn") && !config["attn"].is_null()) {
    notes.push_back(fmt::format("attn: fla's {} ignores it, so every layer is {}", type.name, type.mixer_class));
  }
  if (type.name == "retnet" && config.value("use_short_conv", Json(false)) == true) {
    notes.push_back("use_short_conv: fla's retnet does not hand it to its layers, so no convolution is built");
  }
  if (type.name == "mamba2" && (config.contains("time_step_min") || config.contains("layer_norm_epsilon"))) {
    notes.push_back(
        "time_step_*, rms_norm and layer_norm_epsilon are names of transformers' own Mamba2Config; read as fla");
  }
}

}  // namespace

bool recognises(const Json& value) {
  const std::string_view type = model_type_in(value);
  return !type.empty() && (find_model_type(type) || std::ranges::find(kOtherTypes, type, [](const auto& row) {
                                                      return row.first;
                                                    }) != kOtherTypes.end());
}

ImportResult read(const Json& value, const std::string& path, spec::Problems& problems) {
  const std::string_view name = model_type_in(value);
  const ModelType* type = find_model_type(name);
  if (!type) {
    const auto other = std::ranges::find(kOtherTypes, name, [](const auto& row) { return row.first; });
    const std::string why =
        other == kOtherTypes.end() ? fmt::format("{} is no model type of flash-linear-attention", Json(name).dump())
        : name == "momentum_deltanet"
            ? fmt::format(
                  "\"momentum_deltanet\" is a layer of flash-linear-attention {} without a model class; in a plait "
                  "model file it is momentum_delta_net",
                  kVersion)
            : fmt::format("\"{}\" is built of {}, which plait does not have", name, other->second);
    problems.add(spec::join_path(path, "model_type"), fmt::format("{}; readable: {}", why, readable_types()));
    return {};
  }

  const spec::OrderedJson& defaults = *class_defaults(name);
  ConfigReader config(value, defaults, path, problems);
  ImportResult result;
  spec::ModelSpec& model = result.model;
  const Json given_name = config.value("_name_or_path");
  model.name = given_name.is_string() && given_name != "" ? given_name.get<std::string>() : std::string(name);
  model.d_model = config.integer("hidden_size");
  model.vocab_size = config.integer("vocab_size");
  model.tied_embeddings = config.boolean("tie_word_embeddings");
  model.norm_eps = config.positive("norm_eps");
  if (defaults.contains("max_position_embeddings") || value.contains("max_position_embeddings")) {
    model.max_position = config.integer("max_position_embeddings");
  }
  const Dim depth = config.integer("num_hidden_layers", 1, static_cast<Dim>(spec::kMaxLayers));

  spec::ChannelMixer channel_mixer = spec::None{};
  if (defaults.contains("intermediate_size")) channel_mixer = read_channel_mixer(config, model.d_model);
  refuse_other_parameters(*type, config, defaults);

  std::vector<std::optional<spec::Mixer>> mixers(static_cast<std::size_t>(depth));
  if (type->takes_attn) {
    AttentionReader attention(depth, model.d_model, problems, result.notes);
    mixers = attention.read(config.value("attn"), spec::join_path(path, "attn"));
  }
  // A class whose native mixer stands nowhere never builds it: its dimensions may then be anything.
  std::optional<spec::Mixer> native;
  if (std::ranges::any_of(mixers, [](const auto& mixer) { return !mixer; })) native = type->read(config, model.d_model);
  for (const auto& mixer : mixers) model.layout.layers.push_back({mixer ? *mixer : *native, channel_mixer, {}, {}});

  note_ignored(*type, value, defaults, result.notes);
  if (problems.empty()) spec::validate(model, path, problems);
  return result;
}

}  // namespace plait::interchange::fla
