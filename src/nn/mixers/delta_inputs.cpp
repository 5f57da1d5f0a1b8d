#include "src/nn/mixers/delta_inputs.h"

namespace plait::nn {

DeltaProjections::DeltaProjections(WeightFactory weights, std::int64_t d_model, const kernels::DeltaShape& shape)
    : shape_(shape),
      q_(weights, "q", shape.heads * shape.key_dim, d_model, shape.conv_width),
      k_(weights, "k", shape.heads * shape.key_dim, d_model, shape.conv_width),
      v_(weights, "v", shape.value_heads * shape.value_dim, d_model, shape.conv_width),
      b_(weights.linear("b_proj.weight", shape.value_heads, d_model)) {
  if (!shape.decays) return;
  a_ = weights.linear("a_proj.weight", shape.value_heads, d_model);
  a_log_ = weights.vector("A_log", shape.value_heads, log_uniform(0, 16));
  dt_bias_ = weights.vector("dt_bias", shape.value_heads, time_step_bias());
}

kernels::DeltaInputs DeltaProjections::operator()(const at::Tensor& x, LayerState* state) const {
  kernels::DeltaInputs in =
      state == nullptr && kernels::fits_delta_inputs(x.options(), shape_) ? in_one_product(x) : by_operations(x, state);
  in.q = repeat_heads(in.q, shape_.value_heads);
  in.k = repeat_heads(in.k, shape_.value_heads);
  return in;
}

std::vector<at::Tensor> DeltaProjections::weights() const {
  std::vector<at::Tensor> all = {q_.weight(), k_.weight(), v_.weight()};
  if (shape_.decays) all.push_back(a_);
  all.push_back(b_);
  return all;
}

std::vector<at::Tensor> DeltaProjections::filters() const { return {q_.filter(), k_.filter(), v_.filter()}; }

kernels::DeltaInputs DeltaProjections::in_one_product(const at::Tensor& x) const {
  std::vector<at::Tensor> rows = weights();
  if (const std::int64_t padding = shape_.padded_columns() - shape_.columns(); padding > 0)
    rows.push_back(at::zeros({b_.size(0), padding, b_.size(2)}, b_.options()));
  return kernels::delta_inputs(project(x, at::cat(rows, 1)), at::cat(filters(), 1).squeeze(2), a_log_, dt_bias_,
                               shape_);
}

kernels::DeltaInputs DeltaProjections::by_operations(const at::Tensor& x, LayerState* state) const {
  // SiLU even without a convolution, unlike in the linear mixers
  const auto activated = [&](const ConvolvedProjection& projection, std::size_t slot) {
    const at::Tensor y = projection.activated(x, state, slot);
    return projection.has_convolution() ? y : at::silu(y);
  };
  kernels::DeltaInputs in;
  in.q = kernels::l2norm(split_heads(activated(q_, 0), shape_.heads));
  in.k = kernels::l2norm(split_heads(activated(k_, 1), shape_.heads));
  in.v = split_heads(activated(v_, 2), shape_.value_heads);
  if (shape_.decays) {
    const at::Tensor step = at::softplus(in_full_precision(project(x, a_)) + beside_tokens(dt_bias_));
    in.g = fold_members(-beside_tokens(a_log_.exp()) * step);
  }
  const at::Tensor beta = at::sigmoid(fold_members(project(x, b_)));
  in.beta = shape_.beta_scale == 1 ? beta : shape_.beta_scale * beta;
  return in;
}

}  // namespace plait::nn
