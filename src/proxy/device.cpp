#include "src/proxy/device.h"

#include <ATen/DeviceAccelerator.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <filesystem>

#include "src/proxy/backend.h"
#include "src/spec/error.h"

namespace plait::proxy {
namespace {

constexpr const char* kLibrary = "libtorch_cuda.so";

/// Registers CUDA with the running LibTorch. Must come before the first question about CUDA, whose answer is kept.
void load_cuda() {
  Dl_info torch{};
  if (dladdr(reinterpret_cast<const void*>(&at::globalContext), &torch) == 0)
    throw std::logic_error("LibTorch is nowhere");
  const std::filesystem::path library = std::filesystem::path(torch.dli_fname).parent_path() / kLibrary;
  if (!std::filesystem::exists(library)) {
    throw Unavailable(
        fmt::format("--device cuda: the LibTorch in {} has no CUDA ({} is not there); set LD_LIBRARY_PATH to "
                    "torch/lib of a PyTorch {} with CUDA, or train with --device cpu",
                    library.parent_path().string(), kLibrary, TORCH_VERSION));
  }
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    throw Unavailable(fmt::format("--device cuda: {}", dlerror()));
  }
}

}  // namespace

at::Device open_device(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  if (name != "cuda") {
    throw spec::SpecError("device", fmt::format("\"{}\" is no device; allowed are \"cpu\" and \"cuda\"", name));
  }
  load_cuda();
  if (!at::hasCUDA() || at::getNumGPUs() == 0) {
    throw Unavailable("--device cuda: this machine has no GPU that LibTorch can use; train with --device cpu");
  }
  at::globalContext().lazyInitDevice(at::kCUDA);
  return at::Device(at::kCUDA, 0);
}

std::int64_t peak_memory_bytes(at::Device device) {
  if (device.is_cuda()) {
    constexpr auto kAll = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    return c10::getDeviceAllocator(device.type())->getDeviceStats(device.index()).allocated_bytes[kAll].peak;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

void reset_peak_memory(at::Device device) {
  if (device.is_cuda()) c10::getDeviceAllocator(device.type())->resetPeakStats(device.index());
}

}  // namespace plait::proxy
