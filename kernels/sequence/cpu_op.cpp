#include "kernels/sequence/cpu_op.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <optional>

#include "kernels/common/check.h"
#include "kernels/common/real.h"
#include "kernels/sequence/rows.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kNumbersOfShare = 1 << 14;  ///< what a thread takes at a time, at the least

template <class Real>
NormRows<Real> norm_of(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& factor, double divisor,
                       double eps) {
  NormRows<Real> out{};
  out.members = x.dim() > 1 ? x.size(0) : 1;
  out.width = x.size(-1);
  out.rows = x.numel() / (out.members * out.width);
  out.divisor = static_cast<Real>(divisor);
  out.eps = static_cast<Real>(eps);
  out.x = reals<Real>(x);
  out.weight = reals<Real>(weight);
  out.factor = reals<Real>(factor);
  return out;
}

/// All dense and of one dtype.
struct CpuNorm : torch::autograd::Function<CpuNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const std::optional<at::Tensor>& weight,
                            const std::optional<at::Tensor>& factor, double divisor, double eps) {
    const at::Tensor w = weight.value_or(at::Tensor()), z = factor.value_or(at::Tensor());
    context->save_for_backward({x, w, z});
    context->saved_data["divisor"] = divisor;
    context->saved_data["eps"] = eps;
    const at::Tensor y = at::empty_like(x);
    with_real(x, [&]<class Real>(Real) {
      NormRows<Real> rows = norm_of<Real>(x, w, z, divisor, eps);
      rows.y = reals<Real>(y);
      at::parallel_for(0, rows.members * rows.rows, kNumbersOfShare / rows.width + 1,
                       [&](std::int64_t begin, std::int64_t end) { norm_forward(rows, begin, end); });
    });
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &factor = saved[2];
    const at::Tensor dy = gradients[0].contiguous(), dx = at::empty_like(x);
    const at::Tensor d_factor = empty_if(factor);
    at::Tensor d_weight;
    with_real(x, [&]<class Real>(Real) {
      NormRows<Real> rows = norm_of<Real>(x, weight, factor, context->saved_data["divisor"].toDouble(),
                                          context->saved_data["eps"].toDouble());
      // Shares do not depend on the number of threads, so that sums repeat to the bit.
      const std::int64_t share_rows = std::min(rows.rows, 4 * kNumbersOfShare / rows.width + 1);
      const std::int64_t shares = (rows.rows + share_rows - 1) / share_rows;
      at::Tensor sums;
      if (weight.defined()) sums = at::empty({rows.members, shares, rows.width}, weight.options());
      rows.dy = reals<Real>(dy);
      rows.dx = reals<Real>(dx);
      rows.d_factor = reals<Real>(d_factor);
      rows.d_weight = reals<Real>(sums);
      at::parallel_for(0, rows.members * shares, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t share = begin; share < end; ++share) {
          const std::int64_t member = share / shares, first = share % shares * share_rows;
          norm_backward(rows, member * rows.rows + first, member * rows.rows + std::min(first + share_rows, rows.rows),
                        share);
        }
      });
      if (weight.defined()) d_weight = sums.sum(1);
    });
    return {dx, d_weight, d_factor, {}, {}};
  }
};

template <class Real>
ConvRows<Real> conv_of(const at::Tensor& x, const at::Tensor& taps, const at::Tensor& bias) {
  ConvRows<Real> out{};
  out.members = x.size(0);
  out.batch = x.size(1);
  out.tokens = x.size(2);
  out.channels = x.size(3);
  out.width = taps.size(1);
  out.x = reals<Real>(x);
  out.taps = reals<Real>(taps);
  out.bias = reals<Real>(bias);
  return out;
}

/// x [M, B, T, D], taps [M, W, D], bias [M, D], dense and of one dtype.
struct CpuShortConv : torch::autograd::Function<CpuShortConv> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& taps,
                            const std::optional<at::Tensor>& bias) {
    const at::Tensor offset = bias.value_or(at::Tensor());
    context->save_for_backward({x, taps, offset});
    const at::Tensor y = at::empty_like(x);
    with_real(x, [&]<class Real>(Real) {
      ConvRows<Real> rows = conv_of<Real>(x, taps, offset);
      rows.y = reals<Real>(y);
      at::parallel_for(0, rows.members * rows.batch, kNumbersOfShare / (rows.tokens * rows.channels) + 1,
                       [&](std::int64_t begin, std::int64_t end) { conv_forward(rows, begin, end); });
    });
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &taps = saved[1], &bias = saved[2];
    const at::Tensor dy = gradients[0].contiguous(), dx = at::empty_like(x);
    const std::int64_t W = taps.size(1);
    const at::Tensor sums = at::empty({x.size(0), x.size(1), W + 1, x.size(3)}, x.options());
    with_real(x, [&]<class Real>(Real) {
      ConvRows<Real> rows = conv_of<Real>(x, taps, bias);
      rows.dy = reals<Real>(dy);
      rows.dx = reals<Real>(dx);
      rows.d_taps = reals<Real>(sums);
      at::parallel_for(0, rows.members * rows.batch, kNumbersOfShare / (rows.tokens * rows.channels) + 1,
                       [&](std::int64_t begin, std::int64_t end) { conv_backward(rows, begin, end); });
    });
    const at::Tensor of_member = sums.sum(1);  // [M, W + 1, D]
    return {dx, of_member.narrow(1, 0, W), bias.defined() ? of_member.select(1, W) : at::Tensor()};
  }
};

}  // namespace

bool fits_cpu_rows(const at::Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble);
}

at::Tensor cpu_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& factor, double divisor,
                    double eps) {
  const auto dense = [&](const at::Tensor& y) { return y.defined() ? y.to(x.scalar_type()).contiguous() : y; };
  return CpuNorm::apply(dense(x), given(dense(weight)), given(dense(factor)), divisor, eps);
}

at::Tensor cpu_short_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor taps = weight.flip(2).transpose(1, 2).contiguous();  // s steps back first to last
  return CpuShortConv::apply(x.contiguous(), taps, given(bias.defined() ? bias.contiguous() : bias));
}

}  // namespace plait::kernels
