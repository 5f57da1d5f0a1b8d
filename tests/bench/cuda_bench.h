#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

/// What the benchmarks of recurrences on a GPU share: inputs, the time of a pass, and the rate at which the card
/// copies.
namespace plait::bench {

inline void must(cudaError_t e, const char* what) {
  if (e == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(e));
  std::exit(1);
}

inline void* allocate(std::size_t bytes) {
  void* p = nullptr;
  must(cudaMalloc(&p, bytes), "cudaMalloc");
  return p;
}

/// Random values, drawn once and repeated with a stride that no head dim divides.
inline void fill(void* to, std::int64_t count, double low, double high, bool normal, bool bf16) {
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

enum Passes { forward = 1, backward = 2, both = 3 };

/// Median milliseconds of one call of the C functions: of replays of graphs of 20 calls over rotating inputs.
template <class Arguments, class Pass>
double time(const std::vector<Arguments>& sets, Passes passes, Pass run_forward, Pass run_backward,
            cudaStream_t stream) {
  constexpr int kCalls = 20, kReplays = 15;
  cudaGraph_t graph;
  cudaGraphExec_t replay;
  must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "begin capture");
  for (int i = 0; i < kCalls; ++i) {
    char message[256] = "";
    const Arguments& p = sets[static_cast<std::size_t>(i) % sets.size()];
    if (((passes & forward) && run_forward(&p, stream, message, sizeof message)) ||
        ((passes & backward) && run_backward(&p, stream, message, sizeof message))) {
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
inline double copy_rate(cudaStream_t stream) {
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

}  // namespace plait::bench
