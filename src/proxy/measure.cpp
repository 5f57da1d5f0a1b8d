#include "src/proxy/measure.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/gated_delta_rule/gated_delta_rule.h"
#include "kernels/sequence/sequence.h"
#include "src/proxy/step_graph.h"

namespace plait::proxy {
namespace {

using Run = std::function<void()>;

/// Inputs of 256 MB together are more than twice any last-level cache.
constexpr std::int64_t kRotatedBytes = std::int64_t{256} << 20;
constexpr std::int64_t kMostCopies = 32;
constexpr double kLeastSeconds = 0.02;  ///< of one reading
constexpr int kReadings = 5;

struct Inputs {
  std::vector<at::Tensor> tensors;
  at::Tensor operator[](std::size_t i) const { return tensors[i]; }
};

/// What one run reads, drawn anew, and the run.
Inputs draw(const OperatorShape& s, at::Device device) {
  const auto options = at::TensorOptions(at::kBFloat16).device(device);
  const auto normal = [&](at::IntArrayRef sizes) { return at::randn(sizes, options); };
  const bool decode = s.op == MeasuredOp::attention_decode || s.op == MeasuredOp::gated_delta_net_decode;
  const spec::Dim length = decode ? 1 : s.tokens;
  switch (s.op) {
    case MeasuredOp::gemm: return {{normal({s.m, s.k}), normal({s.k, s.n})}};
    case MeasuredOp::rms_norm: return {{normal({s.m, s.n}), normal({s.n})}};
    case MeasuredOp::attention_prefill:
    case MeasuredOp::attention_decode: {
      const std::array<spec::Dim, 4> keys = {s.batch, s.tokens, s.key_heads, s.head_dim};
      return {{normal({s.batch, length, s.heads, s.head_dim}), normal(keys), normal(keys)}};
    }
    case MeasuredOp::gated_delta_net_prefill:
    case MeasuredOp::gated_delta_net_decode: {
      const std::array<spec::Dim, 4> sizes = {s.batch, length, s.heads, s.head_dim};
      const auto gates = at::TensorOptions(at::kFloat).device(device);
      Inputs in{{kernels::l2norm(normal(sizes)), kernels::l2norm(normal(sizes)), normal(sizes),
                 -at::rand({s.batch, length, s.heads}, gates), at::rand({s.batch, length, s.heads}, options)}};
      if (decode) in.tensors.push_back(at::randn({s.batch, s.heads, s.head_dim, s.head_dim}, gates));
      return in;
    }
  }
  throw std::logic_error("an operator without inputs");
}

void run_once(const OperatorShape& s, const Inputs& in) {
  switch (s.op) {
    case MeasuredOp::gemm: at::mm(in[0], in[1]); return;
    case MeasuredOp::rms_norm: at::rms_norm(in[0], {s.n}, in[1], 1e-6); return;
    case MeasuredOp::attention_prefill:
    case MeasuredOp::attention_decode: kernels::attention(in[0], in[1], in[2]); return;
    case MeasuredOp::gated_delta_net_prefill: kernels::gated_delta_rule(in[0], in[1], in[2], in[3], in[4]); return;
    case MeasuredOp::gated_delta_net_decode:
      kernels::gated_delta_rule(in[0], in[1], in[2], in[3], in[4], {.initial_state = in[5]});
      return;
  }
}

std::int64_t bytes_of(const Inputs& in) {
  std::int64_t bytes = 0;
  for (const at::Tensor& tensor : in.tensors) bytes += static_cast<std::int64_t>(tensor.nbytes());
  return bytes;
}

double seconds_of(const Run& work, at::Device device) {
  if (device.is_cuda()) torch::cuda::synchronize();
  const auto start = std::chrono::steady_clock::now();
  work();
  if (device.is_cuda()) torch::cuda::synchronize();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

OperatorTime measure_operator(const OperatorShape& shape, at::Device device) {
  const at::NoGradGuard no_gradients;
  at::manual_seed(1);
  std::vector<Inputs> inputs;
  inputs.reserve(kMostCopies);
  inputs.push_back(draw(shape, device));
  const std::int64_t copies =
      std::clamp<std::int64_t>(kRotatedBytes / std::max<std::int64_t>(1, bytes_of(inputs[0])), 1, kMostCopies);
  while (static_cast<std::int64_t>(inputs.size()) < copies) {
    Inputs& copy = inputs.emplace_back();
    for (const at::Tensor& tensor : inputs.front().tensors) copy.tensors.push_back(tensor.clone());
  }
  const Run round = [&] {
    for (const Inputs& in : inputs) run_once(shape, in);
  };
  round();  // libraries choose their kernels
  OperatorTime time;
  Run work = round;
  std::unique_ptr<StepGraphs> graphs;
  if (device.is_cuda()) graphs = make_step_graphs();
  if (graphs) {
    try {
      const std::size_t graph = graphs->record(round);
      work = [&graphs, graph] { graphs->launch(graph); };
      time.graphed = true;
    } catch (const c10::OutOfMemoryError&) {
      throw;
    } catch (const c10::Error&) {  // something in it waits for the device: the host launches every kernel
    }
  }
  const double once = seconds_of(work, device);
  const int rounds = std::clamp(static_cast<int>(kLeastSeconds / std::max(once, 1e-9)), 1, 1000);
  std::vector<double> readings;
  for (int reading = 0; reading < kReadings; ++reading) {
    readings.push_back(seconds_of(
        [&] {
          for (int i = 0; i < rounds; ++i) work();
        },
        device));
  }
  std::ranges::nth_element(readings, readings.begin() + kReadings / 2);
  time.seconds = readings[kReadings / 2] / (rounds * static_cast<double>(inputs.size()));
  return time;
}

}  // namespace plait::proxy
