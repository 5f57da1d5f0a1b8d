#include <optional>

#include "kernels/common/check.h"
#include "kernels/common/chunk.h"
#include "kernels/common/real.h"
#include "kernels/common/token_scan.h"
#include "kernels/momentum_delta_rule/momentum_delta_rule.h"
#include "kernels/momentum_delta_rule/recurrence.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

constexpr auto kOp = "momentum_delta_rule";

/// x with its rows one down, the last dropped; `first` stands in the first row.
at::Tensor shifted_down(const at::Tensor& x, double first) {
  return at::cat({at::full_like(x.narrow(1, 0, 1), first), x.narrow(1, 0, x.size(1) - 1)}, 1);
}

/// Adds the gradient of shifted_down(x) to that of x.
void add_shifted_up(const at::Tensor& gradient, const at::Tensor& shifted_gradient) {
  const auto rows = gradient.size(1) - 1;
  gradient.narrow(1, 0, rows).add_(shifted_gradient.narrow(1, 1, rows));
}

/// What lies within a chunk and does not depend on the carried states. Letters as in README.md.
struct Intra {
  at::Tensor q, k, p, v;                 // [M, C, K] (q scaled) thrice, [M, C, V]
  at::Tensor alpha, mu, eta, beta;       // [M, C]
  at::Tensor ke;                         // eta k
  at::Tensor alpha_matrix, mu_matrix;    // Da, Dm: products of alpha, of mu; Dm is also rho
  at::Tensor gamma, gamma_before;        // and its rows one down, [M, C, C]
  at::Tensor a, m;                       // inclusive products of alpha, of mu, [M, C]
  at::Tensor b;                          // what a unit of M0 takes from S, [M, C]
  at::Tensor a_before, b_before;         // rows one down, [M, C, 1]
  at::Tensor qk, pk, scores, keys;       // without and with gamma, [M, C, C]
  at::Tensor write_state, write_moment;  // Ke weighted by the last rows of gamma, of rho, [M, C, K]
  at::Tensor a_end, b_end, m_end;        // [M, 1, 1]
};

Intra intra_chunk(const tensor_list& inputs, const Chunks& chunks, double scale) {
  const auto type = accumulation_type(inputs[3]);
  Intra x;
  x.q = to_chunks(inputs[0], chunks, type) * scale;
  x.k = to_chunks(inputs[1], chunks, type);
  x.p = to_chunks(inputs[2], chunks, type);
  x.v = to_chunks(inputs[3], chunks, type);
  x.alpha = to_chunks(inputs[4], chunks, type, 1.0);
  x.mu = to_chunks(inputs[5], chunks, type, 1.0);
  x.eta = to_chunks(inputs[6], chunks, type);
  x.beta = to_chunks(inputs[7], chunks, type);
  x.ke = x.k * x.eta.unsqueeze(-1);
  x.alpha_matrix = decay_matrix(x.alpha);
  x.mu_matrix = decay_matrix(x.mu);
  x.gamma = at::bmm(x.alpha_matrix, x.mu_matrix * x.beta.unsqueeze(-1));
  x.gamma_before = shifted_down(x.gamma, 0.0);
  x.a = x.alpha.cumprod(1);
  x.m = x.mu.cumprod(1);
  x.b = at::bmm(x.alpha_matrix, (x.beta * x.m).unsqueeze(-1)).squeeze(-1);
  x.a_before = shifted_down(x.a, 1.0).unsqueeze(-1);
  x.b_before = shifted_down(x.b, 0.0).unsqueeze(-1);
  x.qk = at::bmm(x.q, x.ke.transpose(1, 2));
  x.pk = at::bmm(x.p, x.ke.transpose(1, 2));
  x.scores = x.qk * x.gamma;
  x.keys = x.pk * x.gamma_before;
  x.write_state = x.ke * x.gamma.select(1, -1).unsqueeze(-1);
  x.write_moment = x.ke * x.mu_matrix.select(1, -1).unsqueeze(-1);
  const auto last = [&](const at::Tensor& y) { return y.narrow(1, chunks.width - 1, 1).unsqueeze(-1); };
  x.a_end = last(x.a);
  x.b_end = last(x.b);
  x.m_end = last(x.m);
  return x;
}

class MomentumDeltaRule : public torch::autograd::Function<MomentumDeltaRule> {
 public:
  /// Gives output, final state and final momentum.
  static tensor_list forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& p,
                             const at::Tensor& v, const at::Tensor& alpha, const at::Tensor& mu, const at::Tensor& eta,
                             const at::Tensor& beta, const std::optional<at::Tensor>& initial_state,
                             const std::optional<at::Tensor>& initial_momentum, double scale, std::int64_t width) {
    context->set_materialize_grads(false);
    const auto chunks = cut(k, width);
    const auto x = intra_chunk({q, k, p, v, alpha, mu, eta, beta}, chunks, scale);
    const auto rows = chunks.rows(), key_width = x.k.size(2), value_width = x.v.size(2);
    const std::vector<std::int64_t> state_sizes = {q.size(0), q.size(2), key_width, value_width};
    const auto inverse = unit_lower_inverse(x.keys);
    const auto write_state = x.write_state.transpose(1, 2), write_moment = x.write_moment.transpose(1, 2);
    at::Tensor values, states, moments, state, moment, output;
    if (chunks.count == 1 && !initial_state && !initial_momentum) {
      values = at::bmm(inverse, x.v);
      state = at::bmm(write_state, values);
      moment = at::bmm(write_moment, values).neg_();
      output = at::bmm(x.scores, values);
    } else {
      const auto start = [&](const std::optional<at::Tensor>& given_state) {
        return initial_or_zeros(given_state.value_or(at::Tensor()), state_sizes, v, x.v.scalar_type())
            .reshape({rows, key_width, value_width});
      };
      values = at::empty_like(x.v);
      states = at::empty({chunks.total(), key_width, value_width}, x.v.options());
      moments = at::empty_like(states);
      state = start(initial_state);
      moment = start(initial_momentum);
      const auto pa = x.p * x.a_before, pb = x.p * x.b_before;
      for (std::int64_t l = 0; l < chunks.count; ++l) {
        const auto of = [&](const at::Tensor& y) { return chunk_of(y, chunks, l); };
        of(states).copy_(state);
        of(moments).copy_(moment);
        // R. v comes last: where baddbmm adds product by product to it, the error is twice as large.
        const auto error = of(x.v) - at::bmm(of(pa), state).baddbmm_(of(pb), moment, 1, -1);
        const auto part = at::bmm(of(inverse), error);  // Vn
        of(values).copy_(part);
        state = (state * of(x.a_end)).addcmul_(moment, of(x.b_end), -1).baddbmm_(of(write_state), part);
        moment = (moment * of(x.m_end)).baddbmm_(of(write_moment), part, 1, -1);
      }
      output = at::bmm(x.scores, values)
                   .baddbmm_(x.q * x.a.unsqueeze(-1), states)
                   .baddbmm_(x.q * x.b.unsqueeze(-1), moments, 1, -1);
    }
    context->save_for_backward({q, k, p, v, alpha, mu, eta, beta, inverse, values, states, moments});
    context->saved_data["scale"] = scale;
    context->saved_data["width"] = width;
    const auto dtype_of = [&](const std::optional<at::Tensor>& s) {
      return static_cast<std::int64_t>(s ? s->scalar_type() : at::kFloat);
    };
    context->saved_data["has_state"] = initial_state.has_value();
    context->saved_data["has_momentum"] = initial_momentum.has_value();
    context->saved_data["state_dtype"] = dtype_of(initial_state);
    context->saved_data["momentum_dtype"] = dtype_of(initial_momentum);
    return {from_chunks(output, chunks).to(v.scalar_type()), state.view(state_sizes), moment.view(state_sizes)};
  }

  static tensor_list backward(AutogradContext* context, tensor_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &inverse = saved[8], &values = saved[9], &states = saved[10], &moments = saved[11];
    const double scale = context->saved_data["scale"].toDouble();
    const auto chunks = cut(saved[1], context->saved_data["width"].toInt());
    const auto x = intra_chunk({saved.begin(), saved.begin() + 8}, chunks, scale);
    const auto rows = chunks.rows(), key_width = x.k.size(2), value_width = x.v.size(2);
    const auto d_output =
        gradients[0].defined() ? to_chunks(gradients[0], chunks, x.v.scalar_type()) : at::zeros_like(x.v);
    const auto transposed_inverse = inverse.transpose(1, 2);
    const bool carries = states.defined();
    const bool ends = carries || gradients[1].defined() || gradients[2].defined();

    auto y = at::bmm(x.scores.transpose(1, 2), d_output);  // dVn, then Y
    at::Tensor d_state, d_moment;                          // dS1, dM1 of the chunk at hand
    at::Tensor d_states, d_moments;                        // of every chunk
    if (ends) {
      const auto end = [&](const at::Tensor& gradient) {
        const std::vector<std::int64_t> sizes = {rows, key_width, value_width};
        return gradient.defined() ? gradient.reshape(sizes) : at::zeros(sizes, x.v.options());
      };
      d_state = end(gradients[1]);
      d_moment = end(gradients[2]);
    }
    if (!carries) {
      if (ends) y.baddbmm_(x.write_state, d_state).baddbmm_(x.write_moment, d_moment, 1, -1);
      y = at::bmm(transposed_inverse, y);
      d_states = d_state;
      d_moments = d_moment;
    } else {
      d_states = at::empty_like(states);
      d_moments = at::empty_like(states);
      const auto pa = (x.p * x.a_before).transpose(1, 2), pb = (x.p * x.b_before).transpose(1, 2);
      const auto from_state = at::bmm((x.q * x.a.unsqueeze(-1)).transpose(1, 2), d_output);
      const auto from_moment = at::bmm((x.q * x.b.unsqueeze(-1)).transpose(1, 2), d_output);
      for (auto l = chunks.count; l-- > 0;) {
        const auto of = [&](const at::Tensor& z) { return chunk_of(z, chunks, l); };
        of(d_states).copy_(d_state);
        of(d_moments).copy_(d_moment);
        const auto total = at::baddbmm(of(y), of(x.write_state), d_state)  //
                               .baddbmm_(of(x.write_moment), d_moment, 1, -1);
        const auto part = at::bmm(of(transposed_inverse), total);
        of(y).copy_(part);
        d_moment =
            (d_moment * of(x.m_end)).addcmul_(d_state, of(x.b_end), -1).sub_(of(from_moment)).baddbmm_(of(pb), part);
        d_state = at::addcmul(of(from_state), d_state, of(x.a_end)).baddbmm_(of(pa), part, 1, -1);
      }
    }

    const auto values_t = values.transpose(1, 2);
    auto d_scores = at::bmm(d_output, values_t).tril_();  // dMq
    auto d_keys = at::bmm(y, values_t).neg_().tril_(-1);  // dA
    auto d_gamma = d_scores * x.qk;
    add_shifted_up(d_gamma, d_keys * x.pk);
    d_scores.mul_(x.gamma);
    d_keys.mul_(x.gamma_before);
    auto d_q = at::bmm(d_scores, x.ke);
    auto d_p = at::bmm(d_keys, x.ke);
    auto d_ke = at::bmm(d_scores.transpose(1, 2), x.q).baddbmm_(d_keys.transpose(1, 2), x.p);
    at::Tensor d_a, d_b, d_m, d_rho_end;  // [M, C]
    if (ends) {
      const auto written = at::bmm(values, d_states.transpose(1, 2));          // Vn dS1^T
      const auto written_moment = at::bmm(values, d_moments.transpose(1, 2));  // Vn dM1^T
      d_gamma.select(1, -1).add_((x.ke * written).sum(-1));
      d_rho_end = (x.ke * written_moment).sum(-1).neg_();
      d_ke.addcmul_(written, x.gamma.select(1, -1).unsqueeze(-1));
      d_ke.addcmul_(written_moment, x.mu_matrix.select(1, -1).unsqueeze(-1), -1);
    }
    if (carries) {
      const auto states_t = states.transpose(1, 2), moments_t = moments.transpose(1, 2);
      const auto output_state = at::bmm(d_output, states_t), output_moment = at::bmm(d_output, moments_t);
      const auto y_state = at::bmm(y, states_t), y_moment = at::bmm(y, moments_t);
      d_q.addcmul_(output_state, x.a.unsqueeze(-1)).addcmul_(output_moment, x.b.unsqueeze(-1), -1);
      d_p.addcmul_(y_state, x.a_before, -1).addcmul_(y_moment, x.b_before);
      d_a = (x.q * output_state).sum(-1);
      d_b = (x.q * output_moment).sum(-1).neg_();
      add_shifted_up(d_a, (x.p * y_state).sum(-1).neg_());
      add_shifted_up(d_b, (x.p * y_moment).sum(-1));
      d_a.select(1, -1).add_((states * d_states).sum({1, 2}));
      d_b.select(1, -1).sub_((moments * d_states).sum({1, 2}));
      d_m = at::zeros_like(x.m);
      d_m.select(1, -1).copy_((moments * d_moments).sum({1, 2}));
    }

    // gamma = Da diag(beta) Dm and b = Da (beta m).
    const auto weighted = at::bmm(x.alpha_matrix.transpose(1, 2), d_gamma);  // dgamma through Da
    auto d_alpha_matrix = at::bmm(d_gamma, (x.mu_matrix * x.beta.unsqueeze(-1)).transpose(1, 2));
    auto d_beta = (weighted * x.mu_matrix).sum(-1);
    auto d_mu_matrix = weighted * x.beta.unsqueeze(-1);
    if (d_rho_end.defined()) d_mu_matrix.select(1, -1).add_(d_rho_end);
    if (carries) {
      d_alpha_matrix.baddbmm_(d_b.unsqueeze(-1), (x.beta * x.m).unsqueeze(1));
      const auto through = at::bmm(x.alpha_matrix.transpose(1, 2), d_b.unsqueeze(-1)).squeeze(-1);
      d_beta.addcmul_(through, x.m);
      d_m.addcmul_(through, x.beta);
    }
    const auto d_alpha = decay_matrix_backward(x.alpha, x.alpha_matrix, d_alpha_matrix, d_a);
    const auto d_mu = decay_matrix_backward(x.mu, x.mu_matrix, d_mu_matrix, d_m);

    const auto back = [&](const at::Tensor& gradient, std::size_t input) {
      return from_chunks(gradient, chunks).to(saved[input].scalar_type());
    };
    const auto initial = [&](const char* has, const char* dtype, const at::Tensor& gradient) {
      if (!context->saved_data[has].toBool()) return at::Tensor();
      return gradient.view({chunks.batch, chunks.heads, key_width, value_width})
          .to(static_cast<at::ScalarType>(context->saved_data[dtype].toInt()));
    };
    return {back(d_q.mul_(scale), 0),
            back(d_ke * x.eta.unsqueeze(-1), 1),
            back(d_p, 2),
            back(y, 3),
            back(d_alpha, 4),
            back(d_mu, 5),
            back((d_ke * x.k).sum(-1), 6),
            back(d_beta, 7),
            initial("has_state", "state_dtype", d_state),
            initial("has_momentum", "momentum_dtype", d_moment),
            at::Tensor(),
            at::Tensor()};
  }
};

/// q, k, p, v, alpha, mu, eta, beta, initial state and momentum; all contiguous and of one dtype, fp32 or fp64.
template <class Real>
MomentumRecurrence<Real> recurrence_of(const tensor_list& inputs, double scale) {
  MomentumRecurrence<Real> x{};
  x.sequences = inputs[1].size(0);
  x.tokens = inputs[1].size(1);
  x.heads = inputs[1].size(2);
  x.key_dim = inputs[1].size(3);
  x.value_dim = inputs[3].size(3);
  x.scale = static_cast<Real>(scale);
  x.q = reals<Real>(inputs[0]);
  x.k = reals<Real>(inputs[1]);
  x.p = reals<Real>(inputs[2]);
  x.v = reals<Real>(inputs[3]);
  x.alpha = reals<Real>(inputs[4]);
  x.mu = reals<Real>(inputs[5]);
  x.eta = reals<Real>(inputs[6]);
  x.beta = reals<Real>(inputs[7]);
  x.initial_state = reals<Real>(inputs[8]);
  x.initial_momentum = reals<Real>(inputs[9]);
  return x;
}

/// Token by token on a CPU.
class MomentumTokenScan : public torch::autograd::Function<MomentumTokenScan> {
 public:
  /// Gives output, final state and final momentum.
  static tensor_list forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& p,
                             const at::Tensor& v, const at::Tensor& alpha, const at::Tensor& mu, const at::Tensor& eta,
                             const at::Tensor& beta, const std::optional<at::Tensor>& initial_state,
                             const std::optional<at::Tensor>& initial_momentum, double scale, bool differentiated) {
    tensor_list saved = {q, k, p, v, alpha, mu, eta, beta};
    for (const auto& initial : {initial_state, initial_momentum}) saved.push_back(initial.value_or(at::Tensor()));
    context->set_materialize_grads(false);
    const at::Tensor output = at::empty_like(v);
    const at::Tensor state = at::empty({k.size(0), k.size(2), k.size(3), v.size(3)}, v.options());
    const at::Tensor momentum = at::empty_like(state);
    at::Tensor states, moments, errors;
    with_real(v, [&]<class Real>(Real) {
      MomentumRecurrence<Real> x = recurrence_of<Real>(saved, scale);
      if (differentiated) {
        states = at::empty({checkpoint_size<Real>(x)}, v.options());
        moments = at::empty_like(states);
        errors = at::empty_like(v);
      }
      x.output = reals<Real>(output);
      x.final_state = reals<Real>(state);
      x.final_momentum = reals<Real>(momentum);
      x.states = reals<Real>(states);
      x.moments = reals<Real>(moments);
      x.errors = reals<Real>(errors);
      over_heads(x, momentum_forward<Real>);
    });
    saved.insert(saved.end(), {states, moments, errors});
    context->save_for_backward(saved);
    context->saved_data["scale"] = scale;
    return {output, state, momentum};
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor d_output = contiguous_if(gradients[0]), d_state = contiguous_if(gradients[1]),
                     d_momentum = contiguous_if(gradients[2]);
    tensor_list out;
    for (std::size_t i = 0; i < 10; ++i) out.push_back(empty_if(saved[i]));
    with_real(saved[3], [&]<class Real>(Real) {
      MomentumRecurrence<Real> x = recurrence_of<Real>(saved, context->saved_data["scale"].toDouble());
      x.states = reals<Real>(saved[10]);
      x.moments = reals<Real>(saved[11]);
      x.errors = reals<Real>(saved[12]);
      x.d_output = reals<Real>(d_output);
      x.d_final_state = reals<Real>(d_state);
      x.d_final_momentum = reals<Real>(d_momentum);
      x.d_q = reals<Real>(out[0]);
      x.d_k = reals<Real>(out[1]);
      x.d_p = reals<Real>(out[2]);
      x.d_v = reals<Real>(out[3]);
      x.d_alpha = reals<Real>(out[4]);
      x.d_mu = reals<Real>(out[5]);
      x.d_eta = reals<Real>(out[6]);
      x.d_beta = reals<Real>(out[7]);
      x.d_initial_state = reals<Real>(out[8]);
      x.d_initial_momentum = reals<Real>(out[9]);
      over_heads(x, momentum_backward<Real>);
    });
    out.resize(12);
    return out;
  }
};

}  // namespace

MomentumScan momentum_delta_rule(const at::Tensor& q, const at::Tensor& k, const at::Tensor& p, const at::Tensor& v,
                                 const at::Tensor& alpha, const at::Tensor& mu, const at::Tensor& eta,
                                 const at::Tensor& beta, const MomentumScanOptions& options) {
  check_tensors(kOp, {{"k", k, {-1, -1, -1, -1}}});
  const auto batch = k.size(0), tokens = k.size(1), heads = k.size(2), key_width = k.size(3);
  check_tensors(kOp, {{"k", k, {batch, tokens, heads, key_width}},
                      {"q", q, {batch, tokens, heads, key_width}},
                      {"p", p, {batch, tokens, heads, key_width}},
                      {"v", v, {batch, tokens, heads, -1}},
                      {"alpha", alpha, {batch, tokens, heads}},
                      {"mu", mu, {batch, tokens, heads}},
                      {"eta", eta, {batch, tokens, heads}},
                      {"beta", beta, {batch, tokens, heads}}});
  check_state(kOp, {"initial_state", options.initial_state, {batch, heads, key_width, v.size(3)}}, k);
  check_state(kOp, {"initial_momentum", options.initial_momentum, {batch, heads, key_width, v.size(3)}}, k);
  check_chunk(kOp, options.chunk);
  const double scale = scale_of(options.scale, key_width);
  if (options.chunk == 0 && fits_token_scan(k)) {
    const auto dense = [type = accumulation_type(v)](const at::Tensor& x) { return dense_as(x, type); };
    const bool differentiated = at::GradMode::is_enabled();
    const auto result = MomentumTokenScan::apply(dense(q), dense(k), dense(p), dense(v), dense(alpha), dense(mu),
                                                 dense(eta), dense(beta), given(dense(options.initial_state)),
                                                 given(dense(options.initial_momentum)), scale, differentiated);
    return {result[0].to(v.scalar_type()), result[1], result[2]};
  }
  const auto result = MomentumDeltaRule::apply(q, k, p, v, alpha, mu, eta, beta, given(options.initial_state),
                                               given(options.initial_momentum), scale,
                                               options.chunk == 0 ? std::int64_t{64} : options.chunk);
  return {result[0], result[1], result[2]};
}

}  // namespace plait::kernels
