#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <torch/torch.h>

#include <vector>

#include "src/proxy/step_graph.h"

namespace plait::proxy {
namespace {

class CudaStepGraphs : public StepGraphs {
 public:
  std::size_t record(const std::function<void()>& work) override {
    auto graph = std::make_unique<at::cuda::CUDAGraph>();
    const c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();
    c10::cuda::device_synchronize();
    // The same step has just run by operations: what it took would stand beside what the graph takes.
    c10::cuda::CUDACachingAllocator::emptyCache();
    const c10::cuda::CUDAStreamGuard guard(stream);
    graph->capture_begin(pool_, cudaStreamCaptureModeThreadLocal);
    try {
      work();
    } catch (...) {
      try {
        graph->capture_end();
      } catch (const c10::Error&) {  // the capture broke with the work
      }
      throw;
    }
    graph->capture_end();
    graphs_.push_back(std::move(graph));
    return graphs_.size() - 1;
  }

  void launch(std::size_t graph) override { graphs_[graph]->replay(); }

 private:
  // One for all: nothing in it outlives a launch, and launches follow each other.
  at::cuda::MempoolId_t pool_ = at::cuda::graph_pool_handle();
  std::vector<std::unique_ptr<at::cuda::CUDAGraph>> graphs_;
};

}  // namespace
}  // namespace plait::proxy

extern "C" __attribute__((visibility("default"))) plait::proxy::StepGraphs* plait_step_graphs();
extern "C" plait::proxy::StepGraphs* plait_step_graphs() { return new plait::proxy::CudaStepGraphs; }
