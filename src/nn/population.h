#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "src/spec/model_spec.h"

/// Runnable models. The unit is a population: M models of one shape (d_model, vocabulary, number of layers) that train
/// side by side, each with its own layout, weights and seed. At every depth the members are grouped by mixer (and by
/// channel mixer), and each group computes at once. Layers follow flash-linear-attention 0.6.0: projections, gates,
/// norms, initialisation, parameter names and shapes.
namespace plait::nn {

/// One weight of all members of a group.
struct Parameter {
  std::string name;              ///< in one member, as in the library: "model.layers.3.attn.q_proj.weight"
  at::Tensor value;              ///< [G, ...] a leaf that requires a gradient, fp32
  std::vector<int64_t> members;  ///< [G] who of the population holds which row
  bool weight_decay = true;      ///< false for norms, biases, gates' A_log, dt_bias and the like, and embeddings
};

struct PopulationOptions {
  at::Device device = at::kCPU;
  at::ScalarType compute =
      at::kFloat;  ///< of activations and products; weights, norms and states are fp32 (all fp64 with kDouble)
};

/// What decoding carries from token to token.
class DecodeState {
 public:
  virtual ~DecodeState() = default;
};

class Population {
 public:
  /// One seed per member; initial weights depend on (seed, parameter name, shape) alone, so members that share a seed
  /// share what they have in common. Throws spec::SpecError located at "members[i]..." for a model that differs in
  /// d_model, vocabulary, number of layers, norm or tying, and for what cannot be run (said in words).
  Population(std::vector<spec::ModelSpec> members, std::vector<std::uint64_t> seeds, PopulationOptions options = {});
  ~Population();
  Population(Population&&) noexcept;

  /// Which implementations its operators with several take on its device, in words, each once.
  std::set<std::string> scan_paths() const;
  std::int64_t size() const;  ///< M
  const std::vector<spec::ModelSpec>& members() const;
  std::vector<Parameter>& parameters();

  /// tokens [M, B, T] int64 -> hidden [M, B, T, d_model] after the final norm.
  at::Tensor forward(const at::Tensor& tokens);
  /// hidden [M, R, d_model] (any rows that were picked) -> [M, R, vocabulary], fp32.
  at::Tensor logits(const at::Tensor& hidden);

  struct Scores {
    at::Tensor loss;  ///< [M] cross-entropy, fp32, nats, the mean over rows
    at::Tensor hits;  ///< [M, R] bool, whether the label has the largest logit
  };
  /// The logits' scores for labels [M, R] int64, without the logits in fp32.
  Scores score(const at::Tensor& hidden, const at::Tensor& labels);

  /// The state before the first token of `batch` sequences per member.
  std::unique_ptr<DecodeState> start_decode(std::int64_t batch);
  /// One token per sequence, [M, B] int64 -> hidden [M, B, d_model]; `state` moves on. Equals `forward` token by token.
  at::Tensor decode(const at::Tensor& tokens, DecodeState& state);

  /// The weights of one member under the library's names, and back (every name must be there with its shape; throws
  /// spec::SpecError that lists what is missing, unknown or differs).
  std::map<std::string, at::Tensor> weights(std::int64_t member) const;
  void set_weights(std::int64_t member, const std::map<std::string, at::Tensor>& weights);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace plait::nn
