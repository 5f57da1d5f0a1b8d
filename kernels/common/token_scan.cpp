#include "kernels/common/token_scan.h"

#include <optional>

#include "kernels/common/check.h"
#include "kernels/common/real.h"
#include "kernels/common/recurrence.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// Sizes and inputs; all tensors contiguous and of one dtype.
template <class Real>
Recurrence<Real> recurrence_of(const tensor_list& inputs, double scale) {
  const auto &q = inputs[0], &k = inputs[1], &v = inputs[2], &decay = inputs[3], &beta = inputs[4],
             &initial = inputs[5];
  Recurrence<Real> x{};
  x.sequences = k.size(0);
  x.tokens = k.size(1);
  x.heads = k.size(2);
  x.key_dim = k.size(3);
  x.value_dim = v.size(3);
  x.decay_dim = decay.defined() && decay.dim() == 4 ? x.key_dim : 1;
  x.scale = static_cast<Real>(scale);
  x.q = reals<Real>(q);
  x.k = reals<Real>(k);
  x.v = reals<Real>(v);
  x.decay = reals<Real>(decay);
  x.beta = reals<Real>(beta);
  x.initial_state = reals<Real>(initial);
  return x;
}

class TokenScan : public torch::autograd::Function<TokenScan> {
 public:
  /// Gives output and final state. All inputs contiguous and of one dtype, fp32 or fp64.
  static tensor_list forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const std::optional<at::Tensor>& decay, const std::optional<at::Tensor>& beta,
                             const std::optional<at::Tensor>& initial, double scale, bool differentiated) {
    const tensor_list inputs = {
        q, k, v, decay.value_or(at::Tensor()), beta.value_or(at::Tensor()), initial.value_or(at::Tensor())};
    context->set_materialize_grads(false);
    const at::Tensor output = at::empty_like(v);
    const at::Tensor state = at::empty({k.size(0), k.size(2), k.size(3), v.size(3)}, v.options());
    at::Tensor checkpoints, errors;
    with_real(v, [&]<class Real>(Real) {
      Recurrence<Real> x = recurrence_of<Real>(inputs, scale);
      if (differentiated) {
        checkpoints = at::empty({checkpoint_size<Real>(x)}, v.options());
        if (beta) errors = at::empty_like(v);
      }
      x.output = reals<Real>(output);
      x.final_state = reals<Real>(state);
      x.checkpoints = reals<Real>(checkpoints);
      x.errors = reals<Real>(errors);
      over_heads(x, recurrence_forward<Real>);
    });
    context->save_for_backward({inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], inputs[5], checkpoints, errors});
    context->saved_data["scale"] = scale;
    return {output, state};
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor d_output = contiguous_if(gradients[0]), d_state = contiguous_if(gradients[1]);
    tensor_list out;
    for (std::size_t i = 0; i < 6; ++i) out.push_back(empty_if(saved[i]));
    with_real(saved[2], [&]<class Real>(Real) {
      Recurrence<Real> x = recurrence_of<Real>(saved, context->saved_data["scale"].toDouble());
      x.checkpoints = reals<Real>(saved[6]);
      x.errors = reals<Real>(saved[7]);
      x.d_output = reals<Real>(d_output);
      x.d_final_state = reals<Real>(d_state);
      x.d_q = reals<Real>(out[0]);
      x.d_k = reals<Real>(out[1]);
      x.d_v = reals<Real>(out[2]);
      x.d_decay = reals<Real>(out[3]);
      x.d_beta = reals<Real>(out[4]);
      x.d_initial_state = reals<Real>(out[5]);
      over_heads(x, recurrence_backward<Real>);
    });
    out.resize(8);
    return out;
  }
};

}  // namespace

bool fits_token_scan(const at::Tensor& k) { return k.is_cpu() && k.size(3) <= kWidestKey; }

Scan token_scan(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                const at::Tensor& beta, const at::Tensor& initial_state, double scale) {
  const auto dense = [type = accumulation_type(v)](const at::Tensor& x) { return dense_as(x, type); };
  const at::Tensor decay = g.defined() ? dense(g).exp() : g;
  const bool differentiated = at::GradMode::is_enabled();
  const auto result = TokenScan::apply(dense(q), dense(k), dense(v), given(decay), given(dense(beta)),
                                       given(dense(initial_state)), scale, differentiated);
  return {result[0].to(v.scalar_type()), result[1]};
}

}  // namespace plait::kernels
