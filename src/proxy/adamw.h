#pragma once

#include <torch/torch.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/adamw/adamw.h"
#include "src/nn/population.h"

namespace plait::proxy {

/// What one member carries from step to step, under parameter names. On the CPU, fp32.
struct MemberState {
  struct Weight {
    at::Tensor value, first_moment, second_moment;
  };
  std::map<std::string, Weight> weights;
};

/// AdamW (arXiv 1711.05101) for all members of a population at once, each with a learning rate, a bound on its gradient
/// norm and a life of its own. The parameters become views into a few flat buffers, so that a step is a dozen
/// operations however many parameters there are. Nothing reads back from the device.
class PopulationAdamW {
 public:
  /// Moves the parameters' values (not the tensors themselves: handles to them stay good).
  PopulationAdamW(std::vector<nn::Parameter> parameters, std::int64_t members, double weight_decay);

  const std::vector<nn::Parameter>& parameters() const { return parameters_; }

  /// Takes the gradients of this step, one beside each parameter (undefined is zero), and returns their norms by
  /// member, [M].
  at::Tensor take(const std::vector<at::Tensor>& gradients);

  /// Applies them, times `scale` [M] and with the learning rates `rate` [M]. Members that are not `alive` [M] keep
  /// their values, whatever their gradient is. `corrections` [2] holds bias_corrections of the step.
  void apply(const at::Tensor& scale, const at::Tensor& rate, const at::Tensor& alive, const at::Tensor& corrections);

  /// 1 - beta1^n and 1 - beta2^n, by which the moments are divided; n = step + 1.
  static std::array<double, 2> bias_corrections(std::int64_t step);

  std::vector<MemberState> states() const;
  /// Throws std::runtime_error when a weight is missing or has another shape.
  void set_state(std::int64_t member, const MemberState& state);

 private:
  /// Rows of equal width, each within one member's share of one parameter.
  struct Flat : kernels::AdamWRows {
    std::int64_t width = 1;
    std::vector<std::size_t> parameters;
  };
  struct Slice;
  template <class Use>
  void for_each_slice(const Use& use) const;
  void make_runs();

  std::vector<nn::Parameter> parameters_;
  std::int64_t members_ = 0;
  std::vector<Flat> flats_;
  std::vector<kernels::GradientRuns> runs_;  ///< of each flat; on a GPU alone
  at::Tensor runs_of_member_;                ///< [M, most]
};

}  // namespace plait::proxy
