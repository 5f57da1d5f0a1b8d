#include <benchmark/benchmark.h>

#include "kernels/attention/attention.h"
#include "kernels/gated_delta_rule/gated_delta_rule.h"
#include "kernels/hgrn/hgrn.h"
#include "kernels/linear_attention/linear_attention.h"
#include "kernels/mlstm/mlstm.h"
#include "kernels/momentum_delta_rule/momentum_delta_rule.h"

/// Forward and backward of each operator's ATen path beside PyTorch's own causal attention at the same width
/// (`attention`), all on the threads that LibTorch takes.
namespace {

using namespace plait;

struct Inputs {
  at::Tensor q, k, v, scalar_gate, channel_gate, beta, positive;
};

/// N sequences of T tokens, two heads of width D.
Inputs make_inputs(const benchmark::State& state) {
  torch::manual_seed(0);
  const std::int64_t n = state.range(0), t = state.range(1), d = state.range(2), h = 2;
  const auto leaf = [](at::Tensor x) { return x.detach().requires_grad_(); };
  const auto unit = [](const at::Tensor& x) { return x / x.norm(2, {-1}, true); };
  return {.q = leaf(unit(torch::randn({n, t, h, d}))),
          .k = leaf(unit(torch::randn({n, t, h, d}))),
          .v = leaf(torch::randn({n, t, h, d})),
          .scalar_gate = leaf(-torch::rand({n, t, h})),
          .channel_gate = leaf(-torch::rand({n, t, h, d})),
          .beta = leaf(torch::rand({n, t, h})),
          .positive = leaf(torch::rand({n, t, h}))};
}

template <class Operator>
void run(benchmark::State& state, const Operator& op) {
  Inputs inputs = make_inputs(state);
  const at::Tensor weight = torch::randn_like(op(inputs));
  for (auto _ : state) {
    for (at::Tensor* input :
         {&inputs.q, &inputs.k, &inputs.v, &inputs.scalar_gate, &inputs.channel_gate, &inputs.beta, &inputs.positive}) {
      input->mutable_grad().reset();
    }
    op(inputs).backward(weight);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0) * state.range(1));
}

at::Tensor attention(const Inputs& x) { return kernels::attention(x.q, x.k, x.v); }
at::Tensor sliding_window_32(const Inputs& x) { return kernels::attention(x.q, x.k, x.v, {.window = 32}); }
at::Tensor linear_plain(const Inputs& x) { return kernels::linear_attention(x.q, x.k, x.v, {}).output; }
at::Tensor linear_scalar(const Inputs& x) { return kernels::linear_attention(x.q, x.k, x.v, x.scalar_gate).output; }
at::Tensor linear_channel(const Inputs& x) { return kernels::linear_attention(x.q, x.k, x.v, x.channel_gate).output; }
at::Tensor delta_plain(const Inputs& x) { return kernels::gated_delta_rule(x.q, x.k, x.v, {}, x.beta).output; }
at::Tensor delta_scalar(const Inputs& x) {
  return kernels::gated_delta_rule(x.q, x.k, x.v, x.scalar_gate, x.beta).output;
}
at::Tensor delta_channel(const Inputs& x) {
  return kernels::gated_delta_rule(x.q, x.k, x.v, x.channel_gate, x.beta).output;
}
at::Tensor momentum(const Inputs& x) {
  return kernels::momentum_delta_rule(x.q, x.k, x.k, x.v, x.positive, x.beta, x.beta, x.beta).output;
}
at::Tensor mlstm(const Inputs& x) { return kernels::mlstm(x.q, x.k, x.v, x.scalar_gate, x.scalar_gate).output; }
at::Tensor hgrn(const Inputs& x) { return kernels::hgrn(x.v.flatten(2), x.channel_gate.flatten(2)).output; }

void shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"N", "T", "D"})->Unit(benchmark::kMillisecond)->UseRealTime();
  for (const auto& shape : {std::vector<std::int64_t>{256, 64, 32}, {64, 256, 32}, {32, 1024, 64}}) bench->Args(shape);
}

#define PLAIT_KERNEL_BENCH(op) BENCHMARK_CAPTURE(run, op, op)->Apply(shapes)
PLAIT_KERNEL_BENCH(attention);
PLAIT_KERNEL_BENCH(sliding_window_32);
PLAIT_KERNEL_BENCH(linear_plain);
PLAIT_KERNEL_BENCH(linear_scalar);
PLAIT_KERNEL_BENCH(linear_channel);
PLAIT_KERNEL_BENCH(delta_plain);
PLAIT_KERNEL_BENCH(delta_scalar);
PLAIT_KERNEL_BENCH(delta_channel);
PLAIT_KERNEL_BENCH(momentum);
PLAIT_KERNEL_BENCH(mlstm);
PLAIT_KERNEL_BENCH(hgrn);

}  // namespace
