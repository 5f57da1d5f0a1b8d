#include <optional>

#include "kernels/common/check.h"
#include "kernels/common/chunk.h"
#include "kernels/common/token_scan.h"
#include "kernels/gated_delta_rule/cuda_op.h"
#include "kernels/gated_delta_rule/gated_delta_rule.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

constexpr auto kOp = "gated_delta_rule";

/// What lies within a chunk and does not depend on the carried state. Letters as in README.md.
struct Intra {
  at::Tensor q, k, v, beta;          // [M, C, K] (q scaled), [M, C, K], [M, C, V], [M, C, 1]
  at::Tensor decay;                  // e^g: undefined, [M, C] or [M, C, K]
  at::Tensor qk, kk;                 // without decay, for no and scalar gates
  at::Tensor matrix;                 // D, for a scalar gate
  ChannelDecay tree;                 // for a channel gate
  at::Tensor scores, keys;           // decayed, [M, C, C]; the upper triangle of scores is 0
  at::Tensor prefix, suffix, total;  // of the decays: [M, C, 1 or K] twice, [M, 1 or K, 1]; undefined without

  at::Tensor from_start(const at::Tensor& x) const { return prefix.defined() ? x * prefix : x; }
  at::Tensor to_end(const at::Tensor& x) const { return suffix.defined() ? x * suffix : x; }
};

Intra intra_chunk(const tensor_list& inputs, const Chunks& chunks, double scale) {
  const auto type = accumulation_type(inputs[2]);
  const auto& g = inputs[3];
  Intra x;
  x.q = to_chunks(inputs[0], chunks, type) * scale;
  x.k = to_chunks(inputs[1], chunks, type);
  x.v = to_chunks(inputs[2], chunks, type);
  x.beta = to_chunks(inputs[4], chunks, type).unsqueeze(-1);
  if (g.defined()) x.decay = to_chunks(g, chunks, type).exp();
  if (g.defined() && g.dim() == 4) {
    x.tree = channel_decay(x.decay);
    const auto both = channel_product(at::stack({x.q, x.k}, 1), x.k, x.tree);
    x.scores = both.select(1, 0);
    x.keys = both.select(1, 1);
    x.prefix = x.tree.prefix;
    x.suffix = x.tree.suffix;
    x.total = x.prefix.select(1, -1).unsqueeze(-1);
    return x;
  }
  x.qk = at::bmm(x.q, x.k.transpose(1, 2));
  x.kk = at::bmm(x.k, x.k.transpose(1, 2));
  if (!g.defined()) {
    x.scores = x.qk.tril_();
    x.keys = x.kk;
    return x;
  }
  x.matrix = decay_matrix(x.decay);
  x.scores = x.qk * x.matrix;
  x.keys = x.kk * x.matrix;
  x.prefix = x.decay.cumprod(1).unsqueeze(-1);
  x.suffix = x.matrix.select(1, -1).unsqueeze(-1);
  x.total = x.prefix.narrow(1, chunks.width - 1, 1);
  return x;
}

class GatedDeltaRule : public torch::autograd::Function<GatedDeltaRule> {
 public:
  /// Gives output and final state.
  static tensor_list forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const std::optional<at::Tensor>& gate, const at::Tensor& beta,
                             const std::optional<at::Tensor>& initial, double scale, std::int64_t width) {
    const auto g = gate.value_or(at::Tensor());
    context->set_materialize_grads(false);
    const auto chunks = cut(k, width);
    const auto x = intra_chunk({q, k, v, g, beta}, chunks, scale);
    const auto rows = chunks.rows(), key_width = x.k.size(2), value_width = x.v.size(2);
    const auto inverse = unit_lower_inverse(x.keys * x.beta);  // T
    const auto kd = x.to_end(x.k).transpose(1, 2);
    const bool carries = chunks.count > 1 || initial;
    auto values = x.v * x.beta;
    at::Tensor states, state, output;
    if (!carries) {
      values = at::bmm(inverse, values);
      state = at::bmm(kd, values);
      output = at::bmm(x.scores, values);
    } else {
      states = at::empty({chunks.total(), key_width, value_width}, x.v.options());
      state = initial_or_zeros(initial.value_or(at::Tensor()), {q.size(0), q.size(2), key_width, value_width}, v,
                               x.v.scalar_type())
                  .reshape({rows, key_width, value_width});
      const auto kb = x.from_start(x.k * x.beta);
      for (std::int64_t l = 0; l < chunks.count; ++l) {
        chunk_of(states, chunks, l).copy_(state);
        auto part = chunk_of(values, chunks, l);
        const auto error = at::baddbmm(part, chunk_of(kb, chunks, l), state, 1, -1);  // R
        part.copy_(at::bmm(chunk_of(inverse, chunks, l), error));                     // Vn
        const auto kept = x.total.defined() ? state * chunk_of(x.total, chunks, l) : state;
        state = at::baddbmm(kept, chunk_of(kd, chunks, l), part);
      }
      output = at::bmm(x.scores, values).baddbmm_(x.from_start(x.q), states);
    }
    context->save_for_backward({q, k, v, g, beta, inverse, values, states});
    context->saved_data["scale"] = scale;
    context->saved_data["width"] = width;
    context->saved_data["has_state"] = initial.has_value();
    context->saved_data["state_dtype"] = static_cast<std::int64_t>(initial ? initial->scalar_type() : at::kFloat);
    return {from_chunks(output, chunks).to(v.scalar_type()),
            state.view({q.size(0), q.size(2), key_width, value_width})};
  }

  static tensor_list backward(AutogradContext* context, tensor_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &q = saved[0], &k = saved[1], &v = saved[2], &g = saved[3], &beta = saved[4];
    const auto &inverse = saved[5], &values = saved[6], &states = saved[7];
    const double scale = context->saved_data["scale"].toDouble();
    const auto chunks = cut(k, context->saved_data["width"].toInt());
    const auto x = intra_chunk({q, k, v, g, beta}, chunks, scale);
    const auto rows = chunks.rows(), key_width = x.k.size(2), value_width = x.v.size(2);
    const auto type = x.v.scalar_type();
    const auto d_output = gradients[0].defined() ? to_chunks(gradients[0], chunks, type) : at::zeros_like(x.v);
    const auto transposed_inverse = inverse.transpose(1, 2);

    auto y = at::bmm(x.scores.transpose(1, 2), d_output);  // dVn, then Y
    at::Tensor d_state, d_states;                          // dS1 of the chunk at hand, of every chunk
    if (gradients[1].defined()) d_state = gradients[1].reshape({rows, key_width, value_width});
    if (!states.defined()) {
      if (d_state.defined()) y.baddbmm_(x.to_end(x.k), d_state);
      y = at::bmm(transposed_inverse, y);
      d_states = d_state;
    } else {
      if (!d_state.defined()) d_state = at::zeros({rows, key_width, value_width}, x.v.options());
      d_states = at::empty_like(states);
      const auto kd = x.to_end(x.k), kb = x.from_start(x.k * x.beta).transpose(1, 2);
      const auto from_output = at::bmm(x.from_start(x.q).transpose(1, 2), d_output);  // [M, K, V]
      for (auto l = chunks.count; l-- > 0;) {
        chunk_of(d_states, chunks, l).copy_(d_state);
        auto part = chunk_of(y, chunks, l);
        part.copy_(
            at::bmm(chunk_of(transposed_inverse, chunks, l), at::baddbmm(part, chunk_of(kd, chunks, l), d_state)));
        auto kept = chunk_of(from_output, chunks, l);
        if (x.total.defined())
          kept = at::addcmul(kept, d_state, chunk_of(x.total, chunks, l));
        else
          kept = kept + d_state;
        d_state = kept.baddbmm_(chunk_of(kb, chunks, l), part, 1, -1);
      }
    }

    const auto values_t = values.transpose(1, 2);
    auto d_scores = at::bmm(d_output, values_t).tril_();
    auto d_keys = at::bmm(y, values_t).neg_().tril_(-1);  // dA
    auto d_beta = (y * x.v).sum(-1) + (d_keys * x.keys).sum(-1);
    d_keys.mul_(x.beta);
    at::Tensor d_qp, d_kp, d_kd;  // gradients of q and k as they meet S0, of k as it enters S1
    if (states.defined()) {
      const auto states_t = states.transpose(1, 2);
      d_qp = at::bmm(d_output, states_t);
      d_kp = at::bmm(y, states_t);
      d_beta.sub_((d_kp * x.from_start(x.k)).sum(-1));
      d_kp.mul_(x.beta).neg_();
    }
    if (d_states.defined()) d_kd = at::bmm(values, d_states.transpose(1, 2));

    at::Tensor d_q, d_k, d_decay;
    if (x.tree.prefix.defined()) {
      auto d_product =
          channel_product_backward(at::stack({d_scores, d_keys}, 1), at::stack({x.q, x.k}, 1), x.k, x.tree);
      d_q = d_product.left.select(1, 0);
      d_k = d_product.left.select(1, 1).add_(d_product.right);
      auto d_prefix = d_qp.defined() ? (d_qp * x.q).addcmul_(d_kp, x.k) : at::zeros_like(x.k);
      const auto d_suffix = d_kd.defined() ? d_kd * x.k : at::zeros_like(x.k);
      if (states.defined()) d_prefix.select(1, -1).add_((states * d_states).sum(-1));
      d_decay = channel_decay_backward(x.tree, {d_product.prefix, d_product.suffix, d_prefix, d_suffix});
    } else {
      if (x.matrix.defined()) {
        auto d_matrix = (d_scores * x.qk).addcmul_(d_keys, x.kk);
        at::Tensor d_prefix;
        if (d_kd.defined()) d_matrix.select(1, -1).add_((d_kd * x.k).sum(-1));
        if (d_qp.defined()) {
          d_prefix = (d_qp * x.q).addcmul_(d_kp, x.k).sum(-1);
          d_prefix.select(1, -1).add_((states * d_states).sum({1, 2}));
        }
        d_decay = decay_matrix_backward(x.decay, x.matrix, d_matrix, d_prefix);
        d_scores.mul_(x.matrix);
        d_keys.mul_(x.matrix);
      }
      d_q = at::bmm(d_scores, x.k);
      d_k = at::bmm(d_scores.transpose(1, 2), x.q).baddbmm_(d_keys + d_keys.transpose(1, 2), x.k);
    }
    if (d_qp.defined()) {
      d_q.add_(x.from_start(d_qp));
      d_k.add_(x.from_start(d_kp));
    }
    if (d_kd.defined()) d_k.add_(x.to_end(d_kd));

    const auto back = [&](const at::Tensor& gradient, const at::Tensor& like) {
      return from_chunks(gradient, chunks).to(like.scalar_type());
    };
    at::Tensor d_g, d_initial;
    if (g.defined()) d_g = back(d_decay.mul_(x.decay), g);
    if (context->saved_data["has_state"].toBool()) {
      const auto dtype = static_cast<at::ScalarType>(context->saved_data["state_dtype"].toInt());
      d_initial = d_state.view({q.size(0), q.size(2), key_width, value_width}).to(dtype);
    }
    return {back(d_q.mul_(scale), q), back(d_k, k), back(y * x.beta, v), d_g,
            back(d_beta, beta),       d_initial,    at::Tensor(),        at::Tensor()};
  }
};

}  // namespace

Scan gated_delta_rule(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                      const at::Tensor& beta, const ScanOptions& options) {
  check_tensors(kOp, {{"k", k, {-1, -1, -1, -1}}});
  const auto batch = k.size(0), tokens = k.size(1), heads = k.size(2), key_width = k.size(3);
  check_tensors(kOp, {{"k", k, {batch, tokens, heads, key_width}},
                      {"q", q, {batch, tokens, heads, key_width}},
                      {"v", v, {batch, tokens, heads, -1}},
                      {"beta", beta, {batch, tokens, heads}, /*may_be_fp32=*/true}});
  check_log_decay(kOp, g, k);
  check_state(kOp, {"initial_state", options.initial_state, {batch, heads, key_width, v.size(3)}}, k);
  check_chunk(kOp, options.chunk);
  const double scale = scale_of(options.scale, key_width);
  if (options.chunk == 0 && fits_token_scan(k)) return token_scan(q, k, v, g, beta, options.initial_state, scale);
  if (options.chunk == 0 && k.is_cuda() && gated_delta_rule_cuda_refusal(k, v, g).empty())
    return gated_delta_rule_cuda(q, k, v, g, beta, options.initial_state, scale);
  const auto result = GatedDeltaRule::apply(q, k, v, given(g), beta, given(options.initial_state), scale,
                                            options.chunk == 0 ? std::int64_t{32} : options.chunk);
  return {result[0], result[1]};
}

std::string gated_delta_rule_path(const at::Tensor& k, const at::Tensor& v, const at::Tensor& g) {
  if (fits_token_scan(k)) return "token by token on the CPU";
  if (!k.is_cuda()) return "chunks through ATen";
  const std::string refusal = gated_delta_rule_cuda_refusal(k, v, g);
  return refusal.empty() ? "plait's CUDA kernel" : "chunks through ATen: " + refusal;
}

}  // namespace plait::kernels
