#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "src/proxy/backend.h"

namespace plait::proxy {

/// Work on the current GPU recorded once and launched as a whole afterwards (CUDA graphs). What the work reads and
/// writes and what outlives it is allocated before; nothing in it waits for the device or copies from pageable memory.
class StepGraphs {
 public:
  virtual ~StepGraphs() = default;

  /// Records without running; the number to launch it by. The work has run before, so that libraries are set up. Throws
  /// c10::Error when something in it cannot be recorded.
  virtual std::size_t record(const std::function<void()>& work) = 0;
  /// Enqueues on the current stream.
  virtual void launch(std::size_t graph) = 0;
};

/// From the library libplait_torch_cuda.so beside the one that this code is in; null when it is not there. The device
/// is open.
std::unique_ptr<StepGraphs> make_step_graphs();

}  // namespace plait::proxy
