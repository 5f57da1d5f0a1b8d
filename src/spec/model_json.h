#pragma once

#include <string>

#include "src/spec/json_reader.h"
#include "src/spec/model_spec.h"
#include "src/spec/notation.h"

/// The JSON form of a model ("a model file of ours"):
///
///     {"format": "plait-model/1", "name": "gdn-hybrid", "d_model": 2048, "vocab_size": 32000, ...,
///      "channel_mixer": {"type": "swiglu", "width": 5632},
///      "mixers": {"G": {"type": "gated_delta_net", "heads": 8}, "*": "full_attention"},
///      "layout": "(GG*)x8"}
///
/// A mixer is its name (default dimensions at d_model) or an object whose missing members take those defaults.
/// Symbols missing from `mixers` stand for the letter's default. `layout` is a notation; `layers`, a list of
/// {"mixer", "channel_mixer", "kv_from", "weights_from"}, is accepted in its place and written when the notation cannot
/// express the layout.
namespace plait::spec {

inline constexpr std::string_view kModelFormat = "plait-model/1";

Mixer mixer_from_json(const Json& value, Dim d_model, const std::string& path, Problems& problems);
ChannelMixer channel_mixer_from_json(const Json& value, Dim d_model, const std::string& path, Problems& problems);
OrderedJson to_json(const Mixer& mixer);
OrderedJson to_json(const ChannelMixer& mixer);

/// Reads the `mixers`, `channel_mixer`, `dense` and `experts` members of an object on top of
/// `Palette::defaults(d_model)`.
Palette palette_from_json(ObjectReader& object, Dim d_model);

/// Everything but the layout (`layout`/`layers`): what a study calls its base model. `layout` stays empty.
ModelSpec model_header_from_json(ObjectReader& object);

/// Reads and validates; problems are located below `path`.
ModelSpec model_from_json(const Json& value, const std::string& path, Problems& problems);
OrderedJson to_json(const ModelSpec& model);

}  // namespace plait::spec
