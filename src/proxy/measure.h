#pragma once

#include <torch/torch.h>

#include "src/proxy/operator_shape.h"

namespace plait::proxy {

/// Runs the operator on inputs that take turns, so that the last-level cache does not hold the next ones, and takes the
/// time of one run. On a GPU the runs are one CUDA graph where this plait has them. Throws c10::Error when the inputs
/// do not fit.
OperatorTime measure_operator(const OperatorShape& shape, at::Device device);

}  // namespace plait::proxy
