#include "kernels/gated_delta_rule/gated_delta_rule_cuda.h"
#include "kernels/linear_attention/linear_attention_cuda.h"
#include "tests/bench/cuda_bench.h"

/// Times of linear attention's CUDA kernels against the time in which the card moves their bytes. Floor: q, k, v in and
/// o out, then q, k, v, do in and dq, dk, dv out, 11 passes over a [B, T, H, D] tensor of bf16; with one gate a key
/// channel also g in, g in and dg out, 3 passes of fp32.
namespace plait::bench {
namespace {

enum class Gates { none, head, channel };

struct Shape {
  std::int64_t batch, tokens, heads, dim;
};

PlaitLinearAttention make(const Shape& s, Gates gates) {
  PlaitLinearAttention p{};
  p.sequences = s.batch, p.tokens = s.tokens, p.heads = s.heads, p.key_dim = p.value_dim = s.dim;
  p.gate_dim = gates == Gates::channel ? s.dim : 1;
  p.data_type = PLAIT_BFLOAT16, p.gate_type = PLAIT_FLOAT32;
  p.scale = 0.125f;
  const std::int64_t count = s.batch * s.tokens * s.heads * s.dim, numbers = count / s.dim * p.gate_dim;
  const auto room = [](std::int64_t bytes) { return allocate(static_cast<std::size_t>(bytes)); };
  const auto data = [&] {
    void* x = room(2 * count);
    fill(x, count, 0, 1, true, true);
    return x;
  };
  p.q = data(), p.k = data(), p.v = data(), p.d_output = data();
  if (gates != Gates::none) {
    void* g = room(4 * numbers);
    fill(g, numbers, -0.1, 0.0, false, false);
    p.g = g;
    p.d_g = room(4 * numbers);
  }
  p.output = room(2 * count), p.d_q = room(2 * count), p.d_k = room(2 * count), p.d_v = room(2 * count);
  p.workspace = room(std::max<std::int64_t>(16, plait_linear_attention_workspace_bytes(&p)));
  return p;
}

void release(const PlaitLinearAttention& p) {
  for (const void* x : {p.q, p.k, p.v, p.g, p.d_output}) cudaFree(const_cast<void*>(x));
  for (void* x : {p.output, p.d_q, p.d_k, p.d_v, p.d_g, p.workspace}) cudaFree(x);
}

}  // namespace
}  // namespace plait::bench

int main() {
  using namespace plait::bench;
  char message[256] = "";
  if (plait_cuda_device(message, sizeof message)) {
    std::printf("linear_attention bench: skipped, %s\n", message);
    return 0;
  }
  cudaStream_t stream;
  must(cudaStreamCreate(&stream), "stream");
  const double rate = copy_rate(stream);
  std::printf("%s, copy %.2f TB/s\n", message, rate * 1e-12);
  std::printf("%-34s %9s %9s %9s %9s %7s\n", "bf16, ms", "forward", "backward", "both", "floor", "ratio");
  for (const Gates gates : {Gates::head, Gates::channel, Gates::none}) {
    for (const Shape& s : {Shape{256, 256, 2, 64}, Shape{512, 64, 2, 64}, Shape{256, 256, 2, 32},
                           Shape{8, 2048, 16, 64}, Shape{8, 2048, 8, 128}}) {
      const double passes = gates == Gates::channel ? 17.0 : 11.0;
      const double bytes = passes * 2.0 * static_cast<double>(s.batch * s.tokens * s.heads * s.dim);
      std::vector<PlaitLinearAttention> sets;
      for (int i = 0; i < 4; ++i) sets.push_back(make(s, gates));
      const auto timed = [&](Passes which) {
        return time(sets, which, plait_linear_attention_forward, plait_linear_attention_backward, stream);
      };
      const double f = timed(forward), b = timed(backward), all = timed(both), floor = bytes / rate * 1e3;
      char name[80];
      std::snprintf(name, sizeof name, "B%lld T%lld H%lld D%lld%s", static_cast<long long>(s.batch),
                    static_cast<long long>(s.tokens), static_cast<long long>(s.heads), static_cast<long long>(s.dim),
                    gates == Gates::none   ? " no gate"
                    : gates == Gates::head ? " a gate a head"
                                           : " a gate a channel");
      std::printf("%-34s %9.4f %9.4f %9.4f %9.4f %7.2f\n", name, f, b, all, floor, all / floor);
      std::fflush(stdout);
      for (const PlaitLinearAttention& p : sets) release(p);
    }
  }
  return 0;
}
