#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "kernels/attention/attention.h"
#include "kernels/common/check.h"

namespace plait::kernels {
namespace {

constexpr auto kOp = "attention";

/// Below this a mask over all T x T is cheaper than the copies of a banded form (README.md).
constexpr std::int64_t kLong = 512;

/// Query i of T, at position S - T + i, sees key j of S when 0 <= S - T + i - j < window: [T, S].
at::Tensor visible(std::int64_t T, std::int64_t S, std::int64_t window, const at::Tensor& like) {
  auto mask = at::ones({T, S}, like.options().dtype(at::kBool)).tril_(S - T);
  return window < S ? mask.triu_(S - T - window + 1) : mask;
}

/// q [N, H, T, D], k [N, Hkv, S, D], v [N, Hkv, S, D]. An undefined mask with `causal` false hides nothing.
at::Tensor dot_product(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& mask,
                       bool causal, double scale) {
  return at::scaled_dot_product_attention(q, k, v, mask.defined() ? std::optional(mask) : std::nullopt, 0.0, causal,
                                          scale, q.size(1) != k.size(1));
}

/// Windows far shorter than T, S == T: blocks of w queries see 2 w keys each, instead of a mask over all T x T.
at::Tensor banded(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t window, double scale) {
  const auto N = q.size(0), T = q.size(2), blocks = (T - 1) / window, missing = (blocks + 1) * window - T;
  const auto first =
      dot_product(q.narrow(2, 0, window), k.narrow(2, 0, window), v.narrow(2, 0, window), {}, true, scale);
  const auto pad = [&](const at::Tensor& x) { return at::constant_pad_nd(x, {0, 0, 0, missing}); };
  const auto queries = pad(q.narrow(2, window, T - window)).unfold(2, window, window);
  const auto keys = pad(k).unfold(2, 2 * window, window), values = pad(v).unfold(2, 2 * window, window);
  const auto fold = [&](const at::Tensor& x) {  // [N, H, blocks, X, rows] -> [N * blocks, H, rows, X]
    return x.permute({0, 2, 1, 4, 3}).reshape({N * blocks, x.size(1), x.size(4), x.size(3)});
  };
  const auto mask = visible(window, 2 * window, window, q);
  const auto rest = dot_product(fold(queries), fold(keys), fold(values), mask, false, scale)
                        .view({N, blocks, q.size(1), window, v.size(3)})
                        .transpose(1, 2)
                        .reshape({N, q.size(1), blocks * window, v.size(3)})
                        .narrow(2, 0, T - window);
  return at::cat({first, rest}, 2);
}

void check(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionOptions& options) {
  check_tensors(kOp, {{"q", q, {-1, -1, -1, -1}}});
  check_tensors(kOp, {{"q", q, {-1, -1, -1, -1}}, {"k", k, {q.size(0), -1, -1, q.size(3)}}});
  check_tensors(kOp, {{"q", q, {-1, -1, -1, -1}}, {"v", v, {k.size(0), k.size(1), k.size(2), -1}}});
  std::ostringstream message;
  message << kOp << ": ";
  if (q.size(2) % k.size(2) != 0)
    message << "k has " << k.size(2) << " heads; allowed is a divisor of q's " << q.size(2);
  else if (k.size(1) < q.size(1))
    message << "k has " << k.size(1) << " tokens; allowed is at least q's " << q.size(1);
  else if (options.window < 0)
    message << "window is " << options.window << "; allowed is 0 (all) or more";
  else
    return;
  throw std::invalid_argument(message.str());
}

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionOptions& options) {
  check(q, k, v, options);
  const double scale = scale_of(options.scale, q.size(3));
  const auto T = q.size(1);
  auto S = k.size(1);
  auto queries = q.transpose(1, 2), keys = k.transpose(1, 2), values = v.transpose(1, 2);
  const bool windowed = options.window > 0 && options.window < S;
  if (windowed && T + options.window - 1 < S) {  // older keys are seen by no query
    const auto older = S - (T + options.window - 1);
    keys = keys.narrow(2, older, S - older);
    values = values.narrow(2, older, S - older);
    S -= older;
  }
  const auto window = windowed ? options.window : S;
  // The fused kernels want values as wide as the keys; zero columns change neither scores nor sums.
  const auto D = q.size(3), V = v.size(3);
  if (V < D) values = at::constant_pad_nd(values, {0, D - V});
  if (D < V) {
    queries = at::constant_pad_nd(queries, {0, V - D});
    keys = at::constant_pad_nd(keys, {0, V - D});
  }
  at::Tensor output;
  if (S == T && window >= S)
    output = dot_product(queries, keys, values, {}, true, scale);
  else if (S == T && T >= kLong && T >= 4 * window)
    output = banded(queries, keys, values, window, scale);
  else if (T == 1)
    output = dot_product(queries, keys, values, {}, false, scale);
  else
    output = dot_product(queries, keys, values, visible(T, S, window, q), false, scale);
  return output.narrow(3, 0, V).transpose(1, 2);
}

}  // namespace plait::kernels
