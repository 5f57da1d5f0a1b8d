#pragma once

#include <string>

#include "src/spec/layout.h"

namespace plait::spec {

enum class DType { fp32, bf16, fp16, fp8, int8, int4 };
inline constexpr std::array<std::pair<DType, std::string_view>, 6> enum_names(DType) {
  return {{{DType::fp32, "fp32"},
           {DType::bf16, "bf16"},
           {DType::fp16, "fp16"},
           {DType::fp8, "fp8"},
           {DType::int8, "int8"},
           {DType::int4, "int4"}}};
}
/// Bits of one element.
constexpr Dim bits_of(DType type) {
  switch (type) {
    case DType::fp32: return 32;
    case DType::bf16:
    case DType::fp16: return 16;
    case DType::fp8:
    case DType::int8: return 8;
    case DType::int4: return 4;
  }
  return 0;
}

/// RMSNorm has one weight per channel, LayerNorm a weight and a bias.
enum class NormKind { rms, layer };
inline constexpr std::array<std::pair<NormKind, std::string_view>, 2> enum_names(NormKind) {
  return {{{NormKind::rms, "rms"}, {NormKind::layer, "layer"}}};
}

/// A whole decoder-only language model: embedding, layers, final norm, output head.
struct ModelSpec {
  std::string name = "model";
  Dim d_model = 2048;
  Dim vocab_size = 32000;
  bool tied_embeddings = false;
  NormKind norm = NormKind::rms;
  double norm_eps = 1e-6;
  Dim max_position = 32768;         ///< longest context that the trainer is told of
  DType dtype = DType::bf16;        ///< weights and activations
  DType kv_dtype = DType::bf16;     ///< keys, values, latents and convolution windows
  DType state_dtype = DType::fp32;  ///< recurrent states
  Layout layout;

  bool operator==(const ModelSpec&) const = default;
};

/// What is asked of a model: `batch` sequences of `context` tokens. Prefill and training process them whole; a decode
/// step reads a cache of `context` tokens and adds one token to every sequence.
struct Workload {
  Dim context = 32768;
  Dim batch = 1;

  bool operator==(const Workload&) const = default;
};

/// Adds everything wrong with the model, layers included.
void validate(const ModelSpec& model, const std::string& path, Problems& problems);

}  // namespace plait::spec
