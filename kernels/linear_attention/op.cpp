#include <optional>

#include "kernels/common/check.h"
#include "kernels/common/chunk.h"
#include "kernels/common/kernel_heads.h"
#include "kernels/common/token_scan.h"
#include "kernels/linear_attention/cuda_op.h"
#include "kernels/linear_attention/linear_attention.h"

namespace plait::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr auto kOp = "linear_attention";

/// What lies within the chunks and does not depend on the carried state. Letters as in README.md; M chunks in all.
struct Intra {
  at::Tensor q, k, v;                // [M, C, K] (q scaled), [M, C, K], [M, C, V]
  at::Tensor matrix;                 // D, [M, C, C], for a scalar gate
  ChannelDecay tree;                 // for a channel gate
  at::Tensor decay;                  // e^g, [M, C, K], for a channel gate
  at::Tensor scores;                 // q k^T with the decays, 0 above the diagonal, [M, C, C]
  at::Tensor prefix, suffix, total;  // decays from the chunk's start, to its end, over it: [M, C, 1 or K] twice,
                                     // [M, 1 or K, 1]; undefined without a gate

  at::Tensor from_start(const at::Tensor& x) const { return prefix.defined() ? x * prefix : x; }
  at::Tensor to_end(const at::Tensor& x) const { return suffix.defined() ? x * suffix : x; }
};

Intra intra_chunk(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                  const Chunks& chunks, double scale) {
  const auto type = accumulation_type(v);
  Intra x;
  x.q = to_chunks(q, chunks, type) * scale;
  x.k = to_chunks(k, chunks, type);
  x.v = to_chunks(v, chunks, type);
  if (g.defined() && g.dim() == 4) {
    x.decay = to_chunks(g, chunks, type).exp();
    x.tree = channel_decay(x.decay);
    x.scores = channel_product(x.q.unsqueeze(1), x.k, x.tree).squeeze(1);
    x.prefix = x.tree.prefix;
    x.suffix = x.tree.suffix;
    x.total = x.prefix.select(1, -1).unsqueeze(-1);
    return x;
  }
  x.scores = at::bmm(x.q, x.k.transpose(1, 2));
  if (!g.defined()) {
    x.scores.tril_();
    return x;
  }
  const auto decay = to_chunks(g, chunks, type).exp();
  x.matrix = decay_matrix(decay);
  x.scores.mul_(x.matrix);
  x.prefix = x.matrix.select(2, 0).mul(decay.narrow(1, 0, 1)).unsqueeze(-1);
  x.suffix = x.matrix.select(1, -1).unsqueeze(-1);
  x.total = x.prefix.narrow(1, chunks.width - 1, 1);
  return x;
}

/// S before each chunk, [M, K, V], from what the chunks add to it; `state` [R, K, V] is S before the first and becomes
/// S after the last.
at::Tensor carry(const at::Tensor& added, const at::Tensor& total, const Chunks& chunks, at::Tensor& state) {
  auto states = at::empty_like(added);
  chunk_of(states, chunks, 0).copy_(state);
  for (std::int64_t l = 0; l < chunks.count; ++l) {
    const auto before = chunk_of(states, chunks, l), more = chunk_of(added, chunks, l);
    const auto after = total.defined() ? at::addcmul(more, before, chunk_of(total, chunks, l)) : more + before;
    if (l + 1 < chunks.count)
      chunk_of(states, chunks, l + 1).copy_(after);
    else
      state = after;
  }
  return states;
}

/// The same backwards: the gradient of S after each chunk; `state` is that of the last S and becomes that of the first.
at::Tensor carry_back(const at::Tensor& added, const at::Tensor& total, const Chunks& chunks, at::Tensor& state) {
  auto states = at::empty_like(added);
  for (auto l = chunks.count; l-- > 0;) {
    chunk_of(states, chunks, l).copy_(state);
    const auto more = chunk_of(added, chunks, l);
    state = total.defined() ? at::addcmul(more, state, chunk_of(total, chunks, l)) : more + state;
  }
  return states;
}

/// Gradient of the scalar log decays from that of log D, [M, C, C] with zeros above the diagonal, and that of the log
/// of the products from the chunk's start, [M, C] or undefined: sums only, so that nothing cancels.
at::Tensor log_decay_gradient(const at::Tensor& log_matrix, const at::Tensor& log_prefix) {
  // dg_t = sum_{j < t <= i}: sums over j < t first
  const auto width = log_matrix.size(1);
  const auto before = log_matrix.cumsum(2).narrow(2, 0, width - 1).narrow(1, 1, width - 1).tril();
  auto gradient = at::constant_pad_nd(before.sum(1), {1, 0});
  if (log_prefix.defined()) gradient.add_(log_prefix.flip(1).cumsum(1).flip(1));
  return gradient;
}

struct LinearAttention : torch::autograd::Function<LinearAttention> {
  /// Gives output and final state.
  static variable_list forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               const std::optional<at::Tensor>& gate, const std::optional<at::Tensor>& initial,
                               double scale, std::int64_t width) {
    const auto g = gate.value_or(at::Tensor()), initial_state = initial.value_or(at::Tensor());
    context->set_materialize_grads(false);
    const auto chunks = cut(k, width);
    const auto x = intra_chunk(q, k, v, g, chunks, scale);
    const auto N = q.size(0), H = q.size(2), K = q.size(3), V = v.size(3);
    auto state = at::bmm(x.to_end(x.k).transpose(1, 2), x.v);  // what each chunk adds
    auto output = at::bmm(x.scores, x.v);
    at::Tensor states;
    if (chunks.count > 1 || initial_state.defined()) {
      const auto added = state;
      state = initial_or_zeros(initial_state, {N, H, K, V}, v, x.v.scalar_type()).reshape({chunks.rows(), K, V});
      states = carry(added, x.total, chunks, state);
      output.baddbmm_(x.from_start(x.q), states);
    }
    context->save_for_backward({q, k, v, g, states});
    context->saved_data["scale"] = scale;
    context->saved_data["width"] = width;
    if (initial_state.defined())
      context->saved_data["state_dtype"] = static_cast<std::int64_t>(initial_state.scalar_type());
    return {from_chunks(output, chunks).to(v.scalar_type()), state.view({N, H, K, V})};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &q = saved[0], &k = saved[1], &v = saved[2], &g = saved[3], &states = saved[4];
    const double scale = context->saved_data["scale"].toDouble();
    const auto chunks = cut(k, context->saved_data["width"].toInt());
    const auto x = intra_chunk(q, k, v, g, chunks, scale);
    const auto N = q.size(0), H = q.size(2), K = q.size(3), V = v.size(3);
    const auto d_output =
        gradients[0].defined() ? to_chunks(gradients[0], chunks, x.v.scalar_type()) : at::zeros_like(x.v);
    at::Tensor d_states;  // of S after each chunk
    at::Tensor d_state = gradients[1].defined() ? gradients[1].reshape({chunks.rows(), K, V}) : at::Tensor();
    if (states.defined()) {
      if (!d_state.defined()) d_state = at::zeros({chunks.rows(), K, V}, x.v.options());
      d_states = carry_back(at::bmm(x.from_start(x.q).transpose(1, 2), d_output), x.total, chunks, d_state);
    } else {
      d_states = d_state;
    }

    auto d_v = at::bmm(x.scores.transpose(1, 2), d_output);
    auto d_scores = at::bmm(d_output, x.v.transpose(1, 2)).tril_();
    at::Tensor d_qp, d_kd;  // of q as it meets S before the chunk, of k as it enters S after it
    if (states.defined()) d_qp = at::bmm(d_output, states.transpose(1, 2));
    if (d_states.defined()) {
      d_v.baddbmm_(x.to_end(x.k), d_states);
      d_kd = at::bmm(x.v, d_states.transpose(1, 2));
    }

    at::Tensor d_q, d_k, d_g;
    if (x.decay.defined()) {
      const auto product = channel_product_backward(d_scores.unsqueeze(1), x.q.unsqueeze(1), x.k, x.tree);
      d_q = product.left.squeeze(1);
      d_k = product.right;
      if (context->needs_input_grad(3)) {
        const auto d_prefix = d_qp.defined() ? d_qp * x.q : at::zeros_like(x.q);
        const auto d_suffix = d_kd.defined() ? d_kd * x.k : at::zeros_like(x.k);
        if (states.defined()) d_prefix.select(1, -1).add_((states * d_states).sum(-1));
        d_g = channel_decay_backward(x.tree, {product.prefix, product.suffix, d_prefix, d_suffix}).mul_(x.decay);
      }
    } else {
      if (g.defined() && context->needs_input_grad(3)) {
        const auto d_log_matrix = d_scores * x.scores;
        at::Tensor d_log_prefix;
        if (d_kd.defined()) d_log_matrix.select(1, -1).add_((d_kd * x.k).sum(-1).mul_(x.suffix.squeeze(-1)));
        if (d_qp.defined()) {
          d_log_prefix = (d_qp * x.q).sum(-1);
          d_log_prefix.select(1, -1).add_((states * d_states).sum({1, 2}));
          d_log_prefix.mul_(x.prefix.squeeze(-1));
        }
        d_g = log_decay_gradient(d_log_matrix, d_log_prefix);
      }
      if (x.matrix.defined()) d_scores.mul_(x.matrix);
      d_q = at::bmm(d_scores, x.k);
      d_k = at::bmm(d_scores.transpose(1, 2), x.q);
    }
    if (d_qp.defined()) x.prefix.defined() ? d_q.addcmul_(d_qp, x.prefix) : d_q.add_(d_qp);
    if (d_kd.defined()) x.suffix.defined() ? d_k.addcmul_(d_kd, x.suffix) : d_k.add_(d_kd);

    const auto back = [&](const at::Tensor& gradient, const at::Tensor& like) {
      return from_chunks(gradient, chunks).to(like.scalar_type());
    };
    at::Tensor d_initial;
    if (const auto dtype = context->saved_data.find("state_dtype"); dtype != context->saved_data.end())
      d_initial = d_state.view({N, H, K, V}).to(static_cast<at::ScalarType>(dtype->second.toInt()));
    return {
        back(d_q.mul_(scale), q), back(d_k, k), back(d_v, v), d_g.defined() ? back(d_g, g) : d_g, d_initial, {}, {}};
  }
};

}  // namespace

Scan linear_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                      const ScanOptions& options) {
  check_tensors(kOp, {{"k", k, {-1, -1, -1, -1}}});
  const auto N = k.size(0), T = k.size(1), H = k.size(2), K = k.size(3);
  check_tensors(kOp, {{"k", k, {N, T, H, K}}, {"q", q, {N, T, H, K}}, {"v", v, {N, T, H, -1}}});
  check_log_decay(kOp, g, k);
  check_state(kOp, {"initial_state", options.initial_state, {N, H, K, v.size(3)}}, k);
  check_chunk(kOp, options.chunk);
  const double scale = scale_of(options.scale, K);
  if (options.chunk == 0 && fits_token_scan(k)) return token_scan(q, k, v, g, {}, options.initial_state, scale);
  if (options.chunk == 0 && k.is_cuda() && linear_attention_cuda_refusal(k, v, g).empty())
    return linear_attention_cuda(q, k, v, g, options.initial_state, scale);
  // Measured in README.md: the decays within a chunk grow with C, the states with 1 / C.
  const auto result = LinearAttention::apply(q, k, v, given(g), given(options.initial_state), scale,
                                             options.chunk == 0 ? std::int64_t{g.defined() ? 32 : 64} : options.chunk);
  return {result[0], result[1]};
}

std::string linear_attention_path(const at::Tensor& k, const at::Tensor& v, const at::Tensor& g) {
  if (fits_token_scan(k)) return "token by token on the CPU";
  if (!k.is_cuda()) return "chunks through ATen";
  const std::string refusal = linear_attention_cuda_refusal(k, v, g);
  return refusal.empty() ? "plait's CUDA kernel" : "chunks through ATen: " + refusal;
}

}  // namespace plait::kernels
