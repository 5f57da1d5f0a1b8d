#include <variant>

#include "src/nn/layer.h"
#include "src/nn/runnable.h"

namespace plait::nn {
namespace {

class ParallelLayer : public MixerLayer {
 public:
  ParallelLayer(const spec::ParallelMixer& mixer, const WeightFactory& weights, const LayerSite& site)
      : eps_(site.norm_eps) {
    for (std::size_t j = 0; j < mixer.branches.size(); ++j) {
      const std::string index = std::to_string(j);
      std::visit(
          [&](const auto& branch) {
            branches_.push_back(
                {make_mixer(branch, weights.below("branches." + index), site), read_bound_width(branch), {}});
          },
          mixer.branches[j]);
      if (mixer.fusion == spec::Fusion::normed_mean) {
        branches_.back().norm = weights.below("norms." + index).vector("weight", site.d_model, constant(1));
      }
    }
  }

  at::Tensor forward(const LayerInput& input) const override {
    if (input.state != nullptr) input.state->branches.resize(branches_.size());
    at::Tensor sum;
    for (std::size_t j = 0; j < branches_.size(); ++j) {
      const Branch& branch = branches_[j];
      LayerInput own = input;
      own.state = input.state != nullptr ? &input.state->branches[j] : nullptr;
      // The row is as wide as the widest branch reads it.
      if (input.lower_bound.defined()) own.lower_bound = input.lower_bound.narrow(1, 0, branch.bound_width);
      if (branch.bound_width == 0) own.lower_bound = at::Tensor();
      at::Tensor y = branch.layer->forward(own);
      if (own.state != nullptr) own.state->position += input.x.size(2);
      if (branch.norm.defined()) y = kernels::rms_norm(y, branch.norm, eps_) / static_cast<double>(branches_.size());
      sum = sum.defined() ? sum + y : y;
    }
    return sum;
  }

 private:
  struct Branch {
    std::unique_ptr<MixerLayer> layer;
    std::int64_t bound_width = 0;  ///< of the lower bounds of its forget gates; 0: has none
    at::Tensor norm;               ///< [G, d_model], of normed_mean
  };

  double eps_;
  std::vector<Branch> branches_;
};

}  // namespace

std::unique_ptr<MixerLayer> make_mixer(const spec::ParallelMixer& mixer, WeightFactory weights, const LayerSite& site) {
  return std::make_unique<ParallelLayer>(mixer, weights, site);
}

}  // namespace plait::nn
