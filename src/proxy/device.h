#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>

namespace plait::proxy {

/// "cpu" or "cuda" as a device that can be used. CUDA is loaded when it is first asked for, from the folder of the
/// LibTorch that runs: nothing here is linked with it. Throws spec::SpecError at "device" for another name, Unavailable
/// when there is no GPU or no CUDA in this LibTorch.
at::Device open_device(const std::string& name);

/// Highest use so far: resident memory of the process, or what tensors took on the GPU since the last reset.
std::int64_t peak_memory_bytes(at::Device device);
void reset_peak_memory(at::Device device);  ///< a process's peak stays

}  // namespace plait::proxy
