#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/nn/population.h"
#include "src/spec/mixer.h"

/// The parts of a population. A group is the members whose layer at one depth is the same: it computes at once, with its
/// members along the leading axis G.
namespace plait::nn {

/// Fills the weight of one member, fp32 on the CPU, from a generator that depends on (seed, name, shape) alone.
using Init = std::function<void(at::Tensor& weight, at::Generator& generator)>;

Init constant(double value);
Init normal(double deviation);
Init uniform(double low, double high);

/// Makes the weights of one group and appends them to the population's parameters.
class WeightFactory {
 public:
  WeightFactory(std::vector<Parameter>& parameters, std::string prefix, std::vector<std::int64_t> members,
                std::span<const std::uint64_t> seeds, PopulationOptions options);

  /// The same group, one level down: names begin with `name` and a dot.
  WeightFactory below(const std::string& name) const;

  /// A leaf [G, shape...] called `name`, which later optimiser steps change in place: keep the tensor.
  at::Tensor add(const std::string& name, at::IntArrayRef shape, const Init& init, bool weight_decay = true);

  /// A projection without bias, [G, out, in], from N(0, 0.02).
  at::Tensor linear(const std::string& name, std::int64_t out, std::int64_t in);

 private:
  std::vector<Parameter>& parameters_;
  std::string prefix_;
  std::vector<std::int64_t> members_;
  std::span<const std::uint64_t> seeds_;  ///< of the population
  PopulationOptions options_;
};

/// x [G, B, T, in], weight [G, out, in], bias [G, out] or undefined -> [G, B, T, out], in x's dtype.
at::Tensor project(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

/// [G, B, T, H * d] -> [G * B, T, H, d], the form of the kernels, and back.
at::Tensor split_heads(const at::Tensor& x, std::int64_t heads);
at::Tensor merge_heads(const at::Tensor& x, std::int64_t members);

/// What one layer of one group carries from token to token when decoding: recurrent states, convolution histories, keys
/// and values. Each layer fills and reads its own; empty is the state before the first token.
struct LayerState {
  std::vector<at::Tensor> tensors;
  std::int64_t position = 0;  ///< tokens seen
};

struct LayerInput {
  at::Tensor x;                 ///< [G, B, T, d_model], normed
  at::Tensor lower_bound;       ///< [G, width], of HGRN and HGRN2 with lower bounds after the first layer; else undefined
  LayerState* state = nullptr;  ///< decoding: x are the tokens that follow those seen, and the state moves on
};

/// A token mixer of one group.
class MixerLayer {
 public:
  virtual ~MixerLayer() = default;
  virtual at::Tensor forward(const LayerInput& input) const = 0;  ///< [G, B, T, d_model]
};

/// What a layer must know of its model.
struct LayerSite {
  std::int64_t d_model = 0;
  std::int64_t layer = 0;   ///< 0-based
  std::int64_t layers = 0;
  double norm_eps = 1e-6;
};

/// One per mixer, in mixers/<stem>.cpp. Names are those of the library's layer ("q_proj.weight", "o_norm.weight").
std::unique_ptr<MixerLayer> make_mixer(const spec::FullAttention& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::SlidingWindowAttention& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::MultiHeadLatentAttention& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::RetNet& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::Gla& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::Hgrn& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::Hgrn2& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::DeltaNet& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::GatedDeltaNet& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::KimiDeltaAttention& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::Mamba2& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::MLstm& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::MomentumDeltaNet& mixer, WeightFactory weights, const LayerSite& site);
std::unique_ptr<MixerLayer> make_mixer(const spec::ParallelMixer& mixer, WeightFactory weights, const LayerSite& site);

}  // namespace plait::nn
