#include "src/nn/layer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <xxhash.h>

#include <cmath>
#include <stdexcept>
#include <utility>

namespace plait::nn {
namespace {

/// A generator of its own for every weight, so that no weight depends on which others there are.
at::Generator generator_of(std::uint64_t seed, const std::string& name, at::IntArrayRef shape) {
  std::string key = name;
  for (const std::int64_t size : shape) key.append(1, ',').append(std::to_string(size));
  return at::detail::createCPUGenerator(XXH3_64bits_withSeed(key.data(), key.size(), seed));
}

}  // namespace

Init constant(double value) {
  return [value](at::Tensor& weight, at::Generator&) { weight.fill_(value); };
}

Init normal(double deviation) {
  return [deviation](at::Tensor& weight, at::Generator& generator) { weight.normal_(0.0, deviation, generator); };
}

Init uniform(double low, double high) {
  return [low, high](at::Tensor& weight, at::Generator& generator) { weight.uniform_(low, high, generator); };
}

Init log_uniform(double low, double high) {
  // A draw of 0 would give -infinity.
  return [low, high](at::Tensor& weight, at::Generator& generator) {
    weight.uniform_(low, high, generator).clamp_min_(1e-6).log_();
  };
}

Init time_step_bias() {
  return [](at::Tensor& weight, at::Generator& generator) {
    weight.uniform_(std::log(1e-3), std::log(0.1), generator).exp_().clamp_min_(1e-4);
    weight.add_(weight.neg().expm1().neg().log());
  };
}

WeightFactory::WeightFactory(std::vector<Parameter>& parameters, std::string prefix, std::vector<std::int64_t> members,
                             std::span<const std::uint64_t> seeds, PopulationOptions options,
                             std::vector<kernels::JoinedWeights>* joined)
    : parameters_(parameters),
      prefix_(std::move(prefix)),
      members_(std::move(members)),
      seeds_(seeds),
      options_(options),
      joined_(joined) {}

WeightFactory WeightFactory::below(const std::string& name) const {
  return {parameters_, prefix_ + name + ".", members_, seeds_, options_, joined_};
}

at::Tensor WeightFactory::add(const std::string& name, at::IntArrayRef shape, const Init& init, bool weight_decay) {
  const std::string full_name = prefix_ + name;
  std::vector<std::int64_t> sizes{static_cast<std::int64_t>(members_.size())};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  at::Tensor value = at::empty(sizes, at::kFloat);
  for (std::size_t row = 0; row < members_.size(); ++row) {
    at::Generator generator = generator_of(seeds_[static_cast<std::size_t>(members_[row])], full_name, shape);
    at::Tensor weight = value[static_cast<std::int64_t>(row)];
    init(weight, generator);
  }
  value = value.to(options_.device, options_.compute == at::kDouble ? at::kDouble : at::kFloat).requires_grad_();
  parameters_.push_back({full_name, value, members_, weight_decay});
  return value;
}

at::Tensor WeightFactory::linear(const std::string& name, std::int64_t out, std::int64_t in) {
  return add(name, {out, in}, normal(0.02));
}

at::Tensor WeightFactory::convolution(const std::string& name, std::int64_t channels, std::int64_t width) {
  return width == 0 ? at::Tensor() : add(name, {channels, 1, width}, normal(0.02));
}

kernels::JoinedWeights WeightFactory::joined(std::vector<at::Tensor> parts, std::int64_t rows, at::ScalarType dtype) {
  // In fp32 autograd makes products as well.
  if (joined_ != nullptr && options_.compute == at::kBFloat16 && kernels::fits_joined_weights(parts))
    return joined_->emplace_back(kernels::joined_weights(std::move(parts), rows, dtype));
  return {std::move(parts), {}};
}

kernels::JoinedWeights WeightFactory::joined(std::vector<at::Tensor> parts) {
  std::int64_t rows = 0;
  for (const at::Tensor& part : parts) rows += part.size(1);
  return joined(std::move(parts), rows, options_.compute);
}

at::Tensor WeightFactory::vector(const std::string& name, std::int64_t size, const Init& init) {
  return add(name, {size}, init, false);
}

namespace {

/// rows [M, R, in] of bf16 times rounded^T, [M, out, in] of bf16, on a GPU, which holds `weights` of fp32: their
/// gradient comes out of its product in fp32 and in their layout, where autograd's would be rounded, cast and copied.
struct MixedProduct : torch::autograd::Function<MixedProduct> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& rows,
                            const at::Tensor& rounded, at::TensorList weights) {
    context->save_for_backward({rows, rounded});
    context->saved_data["rows"] = kernels::rows_of(weights);
    return at::bmm(rows, rounded.transpose(1, 2));
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& d = gradients[0];
    torch::autograd::variable_list out = {context->needs_input_grad(0) ? at::bmm(d, saved[1]) : at::Tensor(), {}};
    for (const at::Tensor& part :
         kernels::parted(at::bmm(d.transpose(1, 2), saved[0], at::kFloat), context->saved_data["rows"].toIntVector()))
      out.push_back(part);
    return out;
  }
};

}  // namespace

at::Tensor project(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const std::int64_t members = x.size(0);
  const at::Tensor rows = x.reshape({members, -1, x.size(-1)});
  at::Tensor y;
  if (x.is_cuda() && x.scalar_type() == at::kBFloat16 && weight.scalar_type() == at::kFloat && !bias.defined()) {
    y = MixedProduct::apply(rows, weight.detach().to(x.scalar_type()), at::TensorList(weight));
  } else {
    const at::Tensor matrix = weight.to(x.scalar_type()).transpose(1, 2);
    y = bias.defined() ? at::baddbmm(bias.to(x.scalar_type()).unsqueeze(1), rows, matrix) : at::bmm(rows, matrix);
  }
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes.back() = weight.size(1);
  return y.reshape(sizes);
}

at::Tensor project(const at::Tensor& x, const kernels::JoinedWeights& weights) {
  if (!weights.joined.defined()) {
    return project(x, weights.parts.size() == 1 ? weights.parts[0] : at::cat(weights.parts, 1));
  }
  const at::Tensor y =
      MixedProduct::apply(x.reshape({x.size(0), -1, x.size(-1)}), weights.joined, at::TensorList(weights.parts));
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes.back() = weights.joined.size(1);
  return y.reshape(sizes);
}

at::Tensor split_heads(const at::Tensor& x, std::int64_t heads) {
  return x.reshape({x.size(0) * x.size(1), x.size(2), heads, x.size(3) / heads});
}

at::Tensor merge_heads(const at::Tensor& x, std::int64_t members) {
  return x.reshape({members, x.size(0) / members, x.size(1), x.size(2) * x.size(3)});
}

at::Tensor repeat_heads(const at::Tensor& x, std::int64_t heads) {
  const std::int64_t own = x.size(2);
  if (own == heads) return x;
  return x.unsqueeze(3)
      .expand({x.size(0), x.size(1), own, heads / own, x.size(3)})
      .reshape({x.size(0), x.size(1), heads, x.size(3)});
}

at::Tensor fold_members(const at::Tensor& x) { return x.flatten(0, 1); }

at::Tensor beside_tokens(const at::Tensor& parameter) { return parameter.unsqueeze(1).unsqueeze(1); }

at::Tensor in_full_precision(const at::Tensor& x) { return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat); }

at::Tensor head_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor grouped = x.unflatten(0, {weight.size(0), -1});
  return kernels::rms_norm(grouped, weight, eps).flatten(0, 1);
}

at::Tensor gated_head_norm(const at::Tensor& x, const at::Tensor& gate, const at::Tensor& weight, double eps,
                           kernels::GateActivation activation) {
  const std::int64_t members = weight.size(0);
  return kernels::gated_rms_norm(x.unflatten(0, {members, -1}), gate.unflatten(0, {members, -1}), weight, eps,
                                 activation)
      .flatten(0, 1);
}

at::Tensor carried(const LayerState* state, std::size_t slot) {
  return state != nullptr && slot < state->tensors.size() ? state->tensors[slot] : at::Tensor();
}

void carry(LayerState* state, std::size_t slot, const at::Tensor& value) {
  if (state == nullptr) return;
  if (slot >= state->tensors.size()) state->tensors.resize(slot + 1);
  state->tensors[slot] = value;
}

at::Tensor continued_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, LayerState* state,
                          std::size_t slot, kernels::ConvActivation activation) {
  const at::Tensor taps = weight.squeeze(2);
  const std::int64_t kept = taps.size(2) - 1;
  if (state == nullptr || kept == 0) return kernels::short_conv(x, taps, bias, {}, activation);
  at::Tensor history = carried(state, slot);
  if (!history.defined()) history = at::zeros({x.size(0), x.size(1), kept, x.size(3)}, x.options());
  carry(state, slot, at::cat({history, x}, 2).narrow(2, x.size(2), kept));
  return kernels::short_conv(x, taps, bias, history, activation);
}

}  // namespace plait::nn
