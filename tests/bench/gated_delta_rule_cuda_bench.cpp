#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/gated_delta_rule/gated_delta_rule_cuda.h"

/// Times of the gated delta rule's CUDA kernels against the time in which the card moves their bytes: median of replays
/// of graphs of 20 calls over rotating inputs. Floor: q, k, v in and o out, then q, k, v, do in and dq, dk, dv out, 11
/// passes over a [B, T, H, D] tensor.
namespace {

void must(cudaError_t e, const char* what) {
  if (e == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(e));
  std::exit(1);
}

struct Shape {
  std::int64_t batch, tokens, heads, dim;
  bool gated;
  double peer_ms;  ///< the best of fla 0.6.0 and jax-linear-attention 0.1.0, measured on an H200; 0 is none
};

void* allocate(std::size_t bytes) {
  void* p = nullptr;
  must(cudaMalloc(&p, bytes), "cudaMalloc");
  return p;
}

/// Random values, drawn once and repeated with a stride that no head dim divides.
void fill(void* to, std::int64_t count, double low, double high, bool normal, bool bf16) {
  static std::mt19937 random(7);
  std::vector<float> values(99991);
  std::normal_distribution<float> normals(0.0f, static_cast<float>(high));
  std::uniform_real_distribution<float> uniforms(static_cast<float>(low), static_cast<float>(high));
  for (float& x : values) x = normal ? normals(random) : uniforms(random);
  const std::size_t size = bf16 ? 2 : 4;
  std::vector<unsigned char> bytes(static_cast<std::size_t>(count) * size);
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const unsigned char* from = reinterpret_cast<const unsigned char*>(&values[i % values.size()]);
    std::memcpy(&bytes[i * size], from + (bf16 ? 2 : 0), size);
  }
  must(cudaMemcpy(to, bytes.data(), bytes.size(), cudaMemcpyHostToDevice), "cudaMemcpy");
}

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

enum Passes { forward = 1, backward = 2, both = 3 };

/// Median milliseconds of one call.
double time(const std::vector<PlaitGatedDeltaRule>& sets, Passes passes, cudaStream_t stream) {
  constexpr int kCalls = 20, kReplays = 15;
  cudaGraph_t graph;
  cudaGraphExec_t replay;
  must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "begin capture");
  for (int i = 0; i < kCalls; ++i) {
    char message[256] = "";
    const PlaitGatedDeltaRule& p = sets[static_cast<std::size_t>(i) % sets.size()];
    if (((passes & forward) && plait_gated_delta_rule_forward(&p, stream, message, sizeof message)) ||
        ((passes & backward) && plait_gated_delta_rule_backward(&p, stream, message, sizeof message))) {
      std::fprintf(stderr, "%s\n", message);
      std::exit(1);
    }
  }
  must(cudaStreamEndCapture(stream, &graph), "end capture");
  must(cudaGraphInstantiate(&replay, graph, 0), "instantiate");
  cudaEvent_t start, stop;
  must(cudaEventCreate(&start), "event");
  must(cudaEventCreate(&stop), "event");
  std::vector<double> times;
  for (int i = 0; i < kReplays + 3; ++i) {
    must(cudaEventRecord(start, stream), "record");
    must(cudaGraphLaunch(replay, stream), "launch");
    must(cudaEventRecord(stop, stream), "record");
    must(cudaEventSynchronize(stop), "synchronize");
    float ms = 0.0f;
    must(cudaEventElapsedTime(&ms, start, stop), "elapsed");
    if (i >= 3) times.push_back(ms / kCalls);
  }
  std::sort(times.begin(), times.end());
  cudaGraphExecDestroy(replay);
  cudaGraphDestroy(graph);
  return times[times.size() / 2];
}

/// Bytes read plus bytes written, a second.
double copy_rate(cudaStream_t stream) {
  constexpr std::size_t kBytes = std::size_t{2} << 30;
  void *a = allocate(kBytes), *b = allocate(kBytes);
  must(cudaMemset(a, 1, kBytes), "memset");
  cudaEvent_t start, stop;
  must(cudaEventCreate(&start), "event");
  must(cudaEventCreate(&stop), "event");
  float best = 1e9f;
  for (int i = 0; i < 6; ++i) {
    must(cudaEventRecord(start, stream), "record");
    must(cudaMemcpyAsync(b, a, kBytes, cudaMemcpyDeviceToDevice, stream), "copy");
    must(cudaEventRecord(stop, stream), "record");
    must(cudaEventSynchronize(stop), "synchronize");
    float ms = 0.0f;
    must(cudaEventElapsedTime(&ms, start, stop), "elapsed");
    best = std::min(best, ms);
  }
  cudaFree(a);
  cudaFree(b);
  return 2.0 * static_cast<double>(kBytes) / (best * 1e-3);
}

}  // namespace

int main() {
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
    const double f = time(sets, forward, stream), b = time(sets, backward, stream), all = time(sets, both, stream);
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
