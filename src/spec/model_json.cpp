#include "src/spec/model_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <type_traits>

namespace plait::spec {
namespace {

std::vector<std::string> mixer_names() {
  std::vector<std::string> names;
  for (const MixerInfo& info : mixer_table()) names.emplace_back(info.name);
  return names;
}

/// `type` of {"type": ...}, or the string itself. Returns the index in `names`, or nothing after reporting.
std::optional<std::size_t> type_index(const Json& value, const std::vector<std::string>& names, const std::string& path,
                                      std::string_view what, Problems& problems) {
  std::string where = path;
  const Json* type = &value;
  if (value.is_object()) {
    where = join_path(path, "type");
    const auto it = value.find("type");
    if (it == value.end()) {
      problems.add(where, fmt::format("is missing; one of {}", quoted_list(names)));
      return std::nullopt;
    }
    type = &*it;
  }
  if (!type->is_string()) {
    problems.add(where, fmt::format("must be the name of a {} or an object with \"type\"", what));
    return std::nullopt;
  }
  const auto given = type->get<std::string>();
  const auto it = std::ranges::find(names, given);
  if (it != names.end()) return static_cast<std::size_t>(it - names.begin());
  const std::string close = closest_name(given, names);
  problems.add(where, fmt::format("unknown {} \"{}\"; one of {}{}", what, given, quoted_list(names),
                                  close.empty() ? "" : fmt::format("; did you mean \"{}\"?", close)));
  return std::nullopt;
}

SingleMixer single_from_json(const Json& value, Dim d_model, const std::string& path, Problems& problems) {
  const Mixer mixer = mixer_from_json(value, d_model, path, problems);
  return std::visit(
      [&](const auto& alternative) -> SingleMixer {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(alternative)>, ParallelMixer>) {
          problems.add(path, "a branch cannot itself be parallel");
          return FullAttention{};
        } else {
          return alternative;
        }
      },
      mixer);
}

/// A head count that was given alone sets its partner too: {"heads": 16} is MHA unless kv_heads says otherwise.
template <class M>
void couple_heads(const ObjectReader& object, M& mixer) {
  if constexpr (requires { mixer.kv_heads; }) {
    if (object.has("heads") && !object.has("kv_heads")) mixer.kv_heads = mixer.heads;
  }
  if constexpr (requires { mixer.value_heads; }) {
    if (object.has("heads") && !object.has("value_heads")) mixer.value_heads = mixer.heads;
  }
}

Layout layers_from_json(const Json& value, Dim d_model, const Palette& palette, const std::string& path,
                        Problems& problems) {
  Layout layout;
  if (!value.is_array()) {
    problems.add(path, "must be a list of layers");
    return layout;
  }
  if (value.size() > kMaxLayers) {
    problems.add(path, fmt::format("{} layers; at most {} are allowed", value.size(), kMaxLayers));
    return layout;
  }
  for (std::size_t i = 0; i < value.size(); ++i) {
    ObjectReader object(value[i], index_path(path, i), problems);
    LayerSpec layer;
    if (const Json* mixer = object.require("mixer")) {
      layer.mixer = mixer_from_json(*mixer, d_model, object.path("mixer"), problems);
    }
    layer.channel_mixer = palette.channel_mixer;
    if (const Json* channel = object.get("channel_mixer")) {
      layer.channel_mixer = channel_mixer_from_json(*channel, d_model, object.path("channel_mixer"), problems);
    }
    const auto link = [&](std::string_view key) -> std::optional<std::size_t> {
      if (!object.has(key)) return std::nullopt;
      return static_cast<std::size_t>(object.integer(key, 0, static_cast<Dim>(kMaxLayers)));
    };
    layer.kv_from = link("kv_from");
    layer.weights_from = link("weights_from");
    object.finish();
    layout.layers.push_back(std::move(layer));
  }
  return layout;
}

}  // namespace

Mixer mixer_from_json(const Json& value, Dim d_model, const std::string& path, Problems& problems) {
  const std::optional<std::size_t> index = type_index(value, mixer_names(), path, "mixer", problems);
  if (!index) return FullAttention{};
  Mixer mixer = default_mixer(*index, d_model);
  if (!value.is_object()) return mixer;
  ObjectReader object(value, path, problems);
  object.get("type");
  std::visit(
      [&](auto& alternative) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(alternative)>, ParallelMixer>) {
          if (const Json* branches = object.require("branches"); branches && branches->is_array()) {
            alternative.branches.clear();
            for (std::size_t i = 0; i < branches->size(); ++i) {
              alternative.branches.push_back(
                  single_from_json((*branches)[i], d_model, index_path(object.path("branches"), i), problems));
            }
          } else if (branches) {
            problems.add(object.path("branches"), "must be a list of mixers");
          }
          alternative.fusion = object.choice<Fusion>("fusion", Fusion::sum);
        } else {
          object.fields(alternative);
          couple_heads(object, alternative);
        }
      },
      mixer);
  object.finish();
  return mixer;
}

ChannelMixer channel_mixer_from_json(const Json& value, Dim d_model, const std::string& path, Problems& problems) {
  const auto table = channel_mixer_names();
  const std::vector<std::string> names(table.begin(), table.end());
  const std::optional<std::size_t> index = type_index(value, names, path, "channel mixer", problems);
  const ChannelMixer defaults[] = {default_swiglu(d_model), Mlp{.width = 4 * d_model}, MoE{}, None{}};
  ChannelMixer mixer = defaults[index.value_or(0)];
  if (!index || !value.is_object()) return mixer;
  ObjectReader object(value, path, problems);
  object.get("type");
  std::visit([&](auto& alternative) { object.fields(alternative); }, mixer);
  object.finish();
  return mixer;
}

OrderedJson to_json(const Mixer& mixer) {
  OrderedJson out;
  out["type"] = mixer_info(mixer).name;
  std::visit(
      [&](const auto& alternative) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(alternative)>, ParallelMixer>) {
          out["branches"] = OrderedJson::array();
          for (const SingleMixer& branch : alternative.branches) out["branches"].push_back(to_json(to_mixer(branch)));
          out["fusion"] = enum_names(Fusion{})[static_cast<std::size_t>(alternative.fusion)].second;
        } else {
          write_fields(alternative, out);
        }
      },
      mixer);
  return out;
}

OrderedJson to_json(const ChannelMixer& mixer) {
  OrderedJson out;
  out["type"] = name_of(mixer);
  std::visit([&](const auto& alternative) { write_fields(alternative, out); }, mixer);
  return out;
}

Palette palette_from_json(ObjectReader& object, Dim d_model) {
  Palette palette = Palette::defaults(d_model);
  Problems& problems = object.problems();
  const auto channel = [&](std::string_view key, ChannelMixer& out) {
    const Json* value = object.get(key);
    if (value) out = channel_mixer_from_json(*value, d_model, object.path(key), problems);
    return value != nullptr;
  };
  if (channel("channel_mixer", palette.channel_mixer)) {
    if (std::holds_alternative<MoE>(palette.channel_mixer)) {
      palette.experts = palette.channel_mixer;
    } else if (!std::holds_alternative<None>(palette.channel_mixer)) {
      palette.dense = palette.channel_mixer;
    }
  }
  channel("dense", palette.dense);
  channel("experts", palette.experts);
  if (const Json* mixers = object.get("mixers")) {
    const std::string path = object.path("mixers");
    if (!mixers->is_object()) {
      problems.add(path, "must be an object from symbols (\"G\", \"*\", \"S2\") to mixers");
      return palette;
    }
    for (const auto& [symbol, value] : mixers->items()) {
      const std::string where = fmt::format("{}[\"{}\"]", path, symbol);
      const bool letter = !symbol.empty() && (std::isalpha(static_cast<unsigned char>(symbol[0])) != 0 ||
                                              symbol[0] == '*' || symbol[0] == '+');
      const bool digits = symbol.size() < 5 && symbol.find_first_not_of("0123456789", 1) == std::string::npos;
      if (!letter || !digits || symbol[0] == 'E' || symbol[0] == 'x') {
        problems.add(where, "a symbol is one letter (not E or x), '*' or '+', with up to three digits");
        continue;
      }
      const std::size_t before = problems.size();
      Mixer mixer = mixer_from_json(value, d_model, where, problems);
      // A broken mixer leaves the default in its place, so that what uses it is not blamed.
      if (problems.size() == before || !palette.mixers.contains(symbol)) palette.mixers[symbol] = std::move(mixer);
    }
  }
  return palette;
}

ModelSpec model_header_from_json(ObjectReader& object) {
  ModelSpec model;
  model.name = object.string("name", model.name);
  model.d_model = object.integer("d_model", 1, kMaxDim);
  model.vocab_size = object.integer("vocab_size", 1, kMaxDim, model.vocab_size);
  model.tied_embeddings = object.boolean("tied_embeddings", model.tied_embeddings);
  model.norm = object.choice<NormKind>("norm", model.norm);
  model.norm_eps = object.number("norm_eps", 1e-30, 0.999, model.norm_eps);
  model.max_position = object.integer("max_position", 1, Dim{1} << 40, model.max_position);
  model.dtype = object.choice<DType>("dtype", model.dtype);
  model.kv_dtype = object.choice<DType>("kv_dtype", model.kv_dtype);
  model.state_dtype = object.choice<DType>("state_dtype", model.state_dtype);
  return model;
}

ModelSpec model_from_json(const Json& value, const std::string& path, Problems& problems) {
  ObjectReader object(value, path, problems);
  if (object.has("format")) object.one_of("format", {std::string(kModelFormat)});
  ModelSpec model = model_header_from_json(object);
  const Palette palette = palette_from_json(object, model.d_model);
  const Json* layers = object.get("layers");
  const Json* layout = object.get("layout");
  const std::size_t before = problems.size();
  if (layers && layout) {
    problems.add(object.path("layers"), "give either \"layout\" or \"layers\", not both");
  } else if (layers) {
    model.layout = layers_from_json(*layers, model.d_model, palette, object.path("layers"), problems);
  } else if (const std::string text = object.string("layout"); problems.size() == before && layout) {
    try {
      model.layout = parse_layout(text, palette, object.path("layout"));
    } catch (const SpecError& error) {
      for (const Problem& problem : error.problems()) problems.add(problem.path, problem.message);
    }
  }
  object.finish();
  if (problems.size() == before) validate(model, path, problems);
  return model;
}

OrderedJson to_json(const ModelSpec& model) {
  OrderedJson out;
  const auto name = [](auto value) {
    for (const auto& [v, text] : enum_names(decltype(value){})) {
      if (v == value) return text;
    }
    return std::string_view{};
  };
  out["format"] = kModelFormat;
  out["name"] = model.name;
  out["d_model"] = model.d_model;
  out["vocab_size"] = model.vocab_size;
  out["tied_embeddings"] = model.tied_embeddings;
  out["norm"] = name(model.norm);
  out["norm_eps"] = model.norm_eps;
  out["max_position"] = model.max_position;
  out["dtype"] = name(model.dtype);
  out["kv_dtype"] = name(model.kv_dtype);
  out["state_dtype"] = name(model.state_dtype);
  try {
    const Palette palette = palette_for(model.layout);
    const std::string layout = print_layout(model.layout, palette);
    out["channel_mixer"] = to_json(palette.channel_mixer);
    out["dense"] = to_json(palette.dense);
    out["experts"] = to_json(palette.experts);
    for (const auto& [symbol, mixer] : palette.mixers) out["mixers"][symbol] = to_json(mixer);
    out["layout"] = layout;
  } catch (const SpecError&) {  // more channel mixers than the notation can name
    for (const LayerSpec& layer : model.layout.layers) {
      OrderedJson item;
      item["mixer"] = to_json(layer.mixer);
      item["channel_mixer"] = to_json(layer.channel_mixer);
      if (layer.kv_from) item["kv_from"] = *layer.kv_from;
      if (layer.weights_from) item["weights_from"] = *layer.weights_from;
      out["layers"].push_back(std::move(item));
    }
  }
  return out;
}

}  // namespace plait::spec
