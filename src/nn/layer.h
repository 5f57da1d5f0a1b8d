#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/joined_weights/joined_weights.h"
#include "kernels/sequence/sequence.h"
#include "src/nn/population.h"
#include "src/spec/mixer.h"

/// The parts of a population. A group is the members whose layer at one depth is the same: it computes at once, with
/// its members along the leading axis G.
namespace plait::nn {

/// Fills the weight of one member, fp32 on the CPU, from a generator that depends on (seed, name, shape) alone.
using Init = std::function<void(at::Tensor& weight, at::Generator& generator)>;

Init constant(double value);
Init normal(double deviation);
Init uniform(double low, double high);
/// log U(low, high): A_log of the decays.
Init log_uniform(double low, double high);
/// Inverse softplus of a time step that is log-uniform in [1e-3, 0.1]: dt_bias (Mamba, arXiv 2312.00752).
Init time_step_bias();

/// Makes the weights of one group and appends them to the population's parameters, and what is joined of them to
/// `joined`; without it nothing is.
class WeightFactory {
 public:
  WeightFactory(std::vector<Parameter>& parameters, std::string prefix, std::vector<std::int64_t> members,
                std::span<const std::uint64_t> seeds, PopulationOptions options,
                std::vector<kernels::JoinedWeights>* joined = nullptr);

  /// The same group, one level down: names begin with `name` and a dot.
  WeightFactory below(const std::string& name) const;

  /// A leaf [G, shape...] called `name`, which later optimiser steps change in place: keep the tensor.
  at::Tensor add(const std::string& name, at::IntArrayRef shape, const Init& init, bool weight_decay = true);

  /// A projection without bias, [G, out, in], from N(0, 0.02).
  at::Tensor linear(const std::string& name, std::int64_t out, std::int64_t in);

  /// A depthwise convolution without bias, [G, channels, 1, width], from N(0, 0.02); undefined for width 0.
  at::Tensor convolution(const std::string& name, std::int64_t channels, std::int64_t width);

  /// Weights [G, rows_i, ...] for one product, or one kernel, side by side; `rows` from their sum on are zero. Where
  /// they fit, they are joined in `dtype` at the start of every pass through the population.
  kernels::JoinedWeights joined(std::vector<at::Tensor> parts, std::int64_t rows, at::ScalarType dtype);
  kernels::JoinedWeights joined(std::vector<at::Tensor> parts);  ///< all rows, in the compute dtype

  at::TensorOptions activations() const { return at::TensorOptions(options_.compute).device(options_.device); }

  /// What belongs to no projection: norms, biases and per-head scalars. No weight decay.
  at::Tensor vector(const std::string& name, std::int64_t size, const Init& init);

 private:
  std::vector<Parameter>& parameters_;
  std::string prefix_;
  std::vector<std::int64_t> members_;
  std::span<const std::uint64_t> seeds_;  ///< of the population
  PopulationOptions options_;
  std::vector<kernels::JoinedWeights>* joined_;
};

/// x [G, ..., in], weight [G, out, in], bias [G, out] or undefined -> [G, ..., out], in x's dtype.
at::Tensor project(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});
/// By all of them at once: [G, ..., rows].
at::Tensor project(const at::Tensor& x, const kernels::JoinedWeights& weights);

/// [G, B, T, H * d] -> [G * B, T, H, d], the form of the kernels, and back.
at::Tensor split_heads(const at::Tensor& x, std::int64_t heads);
at::Tensor merge_heads(const at::Tensor& x, std::int64_t members);

/// [N, T, H, d] -> [N, T, heads, d]: every head `heads` / H times in a row (grouped queries or values).
at::Tensor repeat_heads(const at::Tensor& x, std::int64_t heads);

/// [G, B, T, H] -> [G * B, T, H], and a parameter [G, n] beside [G, B, T, n].
at::Tensor fold_members(const at::Tensor& x);
at::Tensor beside_tokens(const at::Tensor& parameter);

/// x in fp32, as gates are computed (fp64 stays fp64).
at::Tensor in_full_precision(const at::Tensor& x);

/// Norm of each head on its own: x [G * B, T, H, d], weight [G, d], members G; result in the same form. A gate has x's
/// form.
at::Tensor head_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
at::Tensor gated_head_norm(const at::Tensor& x, const at::Tensor& gate, const at::Tensor& weight, double eps,
                           kernels::GateActivation activation);

/// What one layer of one group carries from token to token when decoding: recurrent states, convolution histories, keys
/// and values. Each layer fills and reads its own; empty is the state before the first token.
struct LayerState {
  std::vector<at::Tensor> tensors;
  std::vector<LayerState> branches;  ///< of a ParallelMixer, which moves their positions on
  std::int64_t position = 0;         ///< tokens seen; the population moves it on after the layer has run
};

/// Tensor `slot` of a state: undefined without a state and before the first token.
at::Tensor carried(const LayerState* state, std::size_t slot);
/// Sets it; nothing without a state.
void carry(LayerState* state, std::size_t slot, const at::Tensor& value);

/// kernels::short_conv of x [G, B, T, D] with weight [G, D, 1, W] that continues from the tokens seen, kept in `slot`.
at::Tensor continued_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, LayerState* state,
                          std::size_t slot, kernels::ConvActivation activation = kernels::ConvActivation::none);

/// Keys and values of softmax attention, all tokens so far, [G * B, S, Hkv, d] each.
struct KeysValues {
  at::Tensor keys;
  at::Tensor values;
};

struct LayerInput {
  at::Tensor x;            ///< [G, B, T, d_model], normed
  at::Tensor lower_bound;  ///< [G, width], of HGRN and HGRN2 with lower bounds after the first layer; else undefined
  LayerState* state = nullptr;         ///< decoding: x are the tokens that follow those seen, and the state moves on
  KeysValues* publish = nullptr;       ///< softmax attention that a later layer's kv_from names: put them here
  const KeysValues* shared = nullptr;  ///< softmax attention with kv_from: read these instead of its own
};

/// A token mixer of one group.
class MixerLayer {
 public:
  virtual ~MixerLayer() = default;
  virtual at::Tensor forward(const LayerInput& input) const = 0;  ///< [G, B, T, d_model]
  /// Which of its implementations an operator with several takes for activations of these options, in words; else
  /// empty.
  virtual std::string scan_path(const at::TensorOptions&) const { return {}; }
};

/// What a layer must know of its model.
struct LayerSite {
  std::int64_t d_model = 0;
  std::int64_t layer = 0;  ///< 0-based
  std::int64_t layers = 0;
  double norm_eps = 1e-6;
  bool shares_kv = false;  ///< kv_from: no key and value projections
};

/// One per mixer, in mixers/<stem>.cpp. Names are those of the library's layer ("q_proj.weight", "o_norm.weight").
std::unique_ptr<MixerLayer> make_mixer(const spec::FullAttention& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::SlidingWindowAttention& mixer, WeightFactory weights,
                                       const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::MultiHeadLatentAttention& mixer, WeightFactory weights,
                                       const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::RetNet& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::Gla& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::Hgrn& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::Hgrn2& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::DeltaNet& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::GatedDeltaNet& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::KimiDeltaAttention& mixer, WeightFactory weights,
                                       const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::Mamba2& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::MLstm& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::MomentumDeltaNet& mixer, WeightFactory weights,
                                       const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::ParallelMixer& mixer, WeightFactory weights, const LayerSite& site);

}  // namespace plait::nn
