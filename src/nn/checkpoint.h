#pragma once

#include <string>

#include "src/nn/population.h"

/// Weights of one member as a model.safetensors of flash-linear-attention 0.6.0.
namespace plait::nn {

/// A population's name of a weight as the library's model class has it. They differ where the whole layout is Mamba-2
/// without channel mixers: "backbone.layers.i.mixer." for "model.layers.i.attn.", and so on.
std::string library_name(const spec::ModelSpec& model, const std::string& name);

/// Throws std::system_error when the file cannot be written.
void save_checkpoint(const Population& population, std::int64_t member, const std::string& file);

/// Every weight must be there with its shape, in any dtype that read_safetensors knows; a tied model may also bring the
/// copy "lm_head.weight" of its embeddings. Throws spec::SpecError that lists what is missing, unknown or differs, and
/// what read_safetensors throws.
void load_checkpoint(Population& population, std::int64_t member, const std::string& file);

}  // namespace plait::nn
