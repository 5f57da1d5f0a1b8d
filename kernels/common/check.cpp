#include "kernels/common/check.h"

#include <cmath>
#include <sstream>
#include <stdexcept>

namespace plait::kernels {
namespace {

[[noreturn]] void refuse(std::string_view op, std::string_view name, const auto& given, const auto& allowed) {
  std::ostringstream message;
  message << op << ": " << name << " is " << given << "; allowed is " << allowed;
  throw std::invalid_argument(message.str());
}

std::string text(at::IntArrayRef sizes) {
  std::ostringstream out;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    out << (i == 0 ? "[" : ", ");
    if (sizes[i] < 0)
      out << "any";
    else
      out << sizes[i];
  }
  out << (sizes.empty() ? "[]" : "]");
  return out.str();
}

void check_sizes(std::string_view op, const Expected& expected) {
  const auto& [name, tensor, allowed, may_be_fp32] = expected;
  if (!tensor.defined()) refuse(op, name, "undefined", text(allowed));
  const auto sizes = tensor.sizes();
  bool fits = sizes.size() == allowed.size();
  for (std::size_t i = 0; fits && i < sizes.size(); ++i) {
    const auto size = allowed.begin()[i];
    fits = sizes[i] > 0 && (size < 0 || sizes[i] == size);
  }
  if (!fits) refuse(op, name, text(sizes), text(allowed) + ", none of them 0");
}

void check_device(std::string_view op, std::string_view name, const at::Tensor& tensor, const at::Tensor& like) {
  if (tensor.device() != like.device()) refuse(op, name, tensor.device(), like.device());
}

void check_like(std::string_view op, std::string_view name, const at::Tensor& tensor, const at::Tensor& like,
                bool may_be_fp32 = false) {
  if (tensor.scalar_type() != like.scalar_type() && !(may_be_fp32 && tensor.scalar_type() == at::kFloat))
    refuse(op, name, tensor.scalar_type(), like.scalar_type());
  check_device(op, name, tensor, like);
}

}  // namespace

void check_tensors(std::string_view op, std::initializer_list<Expected> tensors) {
  const auto& first = *tensors.begin();
  for (const auto& expected : tensors) {
    check_sizes(op, expected);
    if (!expected.tensor.is_floating_point())
      refuse(op, expected.name, expected.tensor.scalar_type(), "floating point");
    check_like(op, expected.name, expected.tensor, first.tensor, expected.may_be_fp32);
  }
}

void check_state(std::string_view op, const Expected& state, const at::Tensor& like) {
  if (!state.tensor.defined()) return;
  check_sizes(op, state);
  if (!state.tensor.is_floating_point()) refuse(op, state.name, state.tensor.scalar_type(), "floating point");
  check_device(op, state.name, state.tensor, like);
}

void check_log_decay(std::string_view op, const at::Tensor& g, const at::Tensor& k) {
  if (!g.defined()) return;
  const auto sizes = k.sizes();
  if (g.sizes() != sizes && g.sizes() != sizes.slice(0, 3))
    refuse(op, "g", text(g.sizes()), text(sizes.slice(0, 3)) + " or " + text(sizes));
  check_like(op, "g", g, k, /*may_be_fp32=*/true);
}

void check_chunk(std::string_view op, std::int64_t chunk) {
  if (chunk != 0 && chunk != 16 && chunk != 32 && chunk != 64) refuse(op, "chunk", chunk, "0, 16, 32 or 64");
}

at::ScalarType accumulation_type(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

double scale_of(double scale, std::int64_t key_width) {
  return scale == 0.0 ? 1.0 / std::sqrt(static_cast<double>(key_width)) : scale;
}

std::optional<at::Tensor> given(const at::Tensor& x) { return x.defined() ? std::optional(x) : std::nullopt; }

at::Tensor initial_or_zeros(const at::Tensor& initial, at::IntArrayRef sizes, const at::Tensor& like,
                            at::ScalarType dtype) {
  return initial.defined() ? initial.to(dtype) : at::zeros(sizes, like.options().dtype(dtype));
}

}  // namespace plait::kernels
