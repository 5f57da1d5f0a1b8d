#include "kernels/gated_delta_rule/gated_delta_rule_cuda.h"
#include "tests/bench/cuda_bench.h"

/// Times of the gated delta rule's CUDA kernels against the time in which the card moves their bytes. Floor: q, k, v in
/// and o out, then q, k, v, do in and dq, dk, dv out, 11 passes over a [B, T, H, D] tensor.
namespace plait::bench {
namespace {

struct Shape {
  std::int64_t batch, tokens, heads, dim;
  bool gated;
  double peer_ms;  ///< the best of fla 0.6.0 and jax-linear-attention 0.1.0, measured on an H200; 0 is none
};

PlaitGatedDeltaRule make(const Shape& s) {
  PlaitGatedDeltaRule p{};
  p.sequences = s.batch, p.tokens = s.tokens, p.heads = s.heads, p.key_dim = p.value_dim = s.dim;
  p.data_type = PLAIT_BFLOAT16, p.gate_type = PLAIT_FLOAT32;
  p.scale = 0.125f;
  const std::int64_t gates = s.batch * s.tokens * s.heads, count = gates * s.dim;
  const auto data = [&](double deviation) {
    void* x = allocate(static_cast<std::size_t>(count) * 2);
    fill(x, count, 0, deviation, true, true);
    return x;
  };
  const double unit = s.dim == 32 ? 0.177 : s.dim == 64 ? 0.125 : 0.088;
  p.q = data(unit), p.k = data(unit), p.v = data(1.0), p.d_output = data(1.0);
  void* g = allocate(static_cast<std::size_t>(gates) * 4);
  fill(g, gates, -0.1, 0.0, false, false);
  p.g = s.gated ? g : nullptr;
  void* beta = allocate(static_cast<std::size_t>(gates) * 4);
  fill(beta, gates, 0.0, 1.0, false, false);
  p.beta = beta;
  p.output = allocate(static_cast<std::size_t>(count) * 2);
  p.d_q = allocate(static_cast<std::size_t>(count) * 2);
  p.d_k = allocate(static_cast<std::size_t>(count) * 2);
  p.d_v = allocate(static_cast<std::size_t>(count) * 2);
  p.d_g = s.gated ? allocate(static_cast<std::size_t>(gates) * 4) : nullptr;
  p.d_beta = allocate(static_cast<std::size_t>(gates) * 4);
  p.workspace =
      allocate(static_cast<std::size_t>(std::max<std::int64_t>(16, plait_gated_delta_rule_workspace_bytes(&p))));
  return p;
}

void release(const PlaitGatedDeltaRule& p) {
  for (const void* x :
       {p.q, p.k, p.v, p.g, p.beta, p.d_output, static_cast<const void*>(p.output), static_cast<const void*>(p.d_q),
        static_cast<const void*>(p.d_k), static_cast<const void*>(p.d_v), static_cast<const void*>(p.d_g),
        static_cast<const void*>(p.d_beta), static_cast<const void*>(p.workspace)}) {
    cudaFree(const_cast<void*>(x));
  }
}

}  // namespace
}  // namespace plait::bench

int main() {
  using namespace plait::bench;
  char message[256] = "";
  if (plait_cuda_device(message, sizeof message)) {
    std::printf("gated_delta_rule bench: skipped, %s\n", message);
    return 0;
  }
  cudaStream_t stream;
  must(cudaStreamCreate(&stream), "stream");
  const double rate = copy_rate(stream);
  std::printf("%s, copy %.2f TB/s\n", message, rate * 1e-12);
  std::printf("%-34s %9s %9s %9s %9s %7s %9s\n", "bf16, ms", "forward", "backward", "both", "floor", "ratio",
              "best peer");
  const Shape shapes[] = {{256, 256, 2, 64, true, .218}, {256, 256, 2, 64, false, .212}, {512, 64, 2, 64, true, .139},
                          {512, 64, 2, 64, false, .134}, {256, 256, 2, 32, true, .251},  {256, 256, 2, 32, false, .250},
                          {8, 2048, 16, 64, true, .368}, {8, 2048, 16, 64, false, .365}, {8, 2048, 8, 128, true, .831},
                          {2048, 256, 2, 64, true, 0}};
  for (const Shape& s : shapes) {
    const double bytes = 11.0 * 2.0 * static_cast<double>(s.batch * s.tokens * s.heads * s.dim);
    std::vector<PlaitGatedDeltaRule> sets;
    for (int i = 0; i < (bytes > 1e9 ? 2 : 4); ++i) sets.push_back(make(s));
    const auto timed = [&](Passes passes) {
      return time(sets, passes, plait_gated_delta_rule_forward, plait_gated_delta_rule_backward, stream);
    };
    const double f = timed(forward), b = timed(backward), all = timed(both);
    const double floor = bytes / rate * 1e3;
    char name[80];
    std::snprintf(name, sizeof name, "B%lld T%lld H%lld D%lld%s", static_cast<long long>(s.batch),
                  static_cast<long long>(s.tokens), static_cast<long long>(s.heads), static_cast<long long>(s.dim),
                  s.gated ? "" : " no gate");
    char peer[16] = "-";
    if (s.peer_ms > 0) std::snprintf(peer, sizeof peer, "%.3f", s.peer_ms);
    std::printf("%-34s %9.4f %9.4f %9.4f %9.4f %7.2f %9s\n", name, f, b, all, floor, all / floor, peer);
    std::fflush(stdout);
    for (const PlaitGatedDeltaRule& p : sets) release(p);
  }
  return 0;
}
