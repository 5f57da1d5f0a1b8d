#include "src/proxy/backend.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <string_view>

namespace plait::proxy {
namespace {

constexpr const char* kLibrary = "libplait_torch.so";
constexpr const char* kEntry = "plait_proxy_backend";
constexpr const char* kVersion = "plait_proxy_version";

/// What the loader says is wrong, and what to do when it is LibTorch that is not found.
std::string load_problem() {
  const char* const said = dlerror();
  const std::string problem = said != nullptr ? said : "the library cannot be loaded";
  for (const std::string_view part : {"libtorch", "libc10", "libcupti", "libcudart", "libgomp"}) {
    if (problem.find(part) != std::string::npos && problem.find("No such file") != std::string::npos)
      return problem + ": add the folder torch/lib of a PyTorch 2.11 to LD_LIBRARY_PATH";
  }
  return problem;
}

}  // namespace

const Backend& load_backend(const std::filesystem::path& library) {
  if (!std::filesystem::exists(library)) {
    throw Unavailable(fmt::format(
        "proxy trainings need LibTorch, and this plait was built without it ({} is not there): cmake/fetch_torch.sh "
        "fetches it, then build again",
        library.string()));
  }
  // Read by the OpenMP of LibTorch when it is loaded. Where its threads wait for each other they spin, without end by
  // default: beside another program that costs 40 times what it saves. Some 30 us of it are worth a third of a step.
  setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/0);
  setenv("GOMP_SPINCOUNT", "30000", /*overwrite=*/0);
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw Unavailable(fmt::format("proxy trainings need LibTorch: {}", load_problem()));
  const auto find = [&](const char* name) {
    void* const found = dlsym(handle, name);
    if (found == nullptr)
      throw Unavailable(fmt::format("{} is not a library of plait: {}", library.string(), dlerror()));
    return found;
  };
  const auto version = reinterpret_cast<const char* (*)()>(find(kVersion));
  const auto entry = reinterpret_cast<const Backend* (*)()>(find(kEntry));
  if (std::string_view(version()) != PLAIT_VERSION) {
    throw Unavailable(fmt::format("{} belongs to plait {}, and this is plait {}: build both together", library.string(),
                                  version(), PLAIT_VERSION));
  }
  return *entry();
}

const Backend& backend() {
  static const Backend& loaded = load_backend(std::filesystem::read_symlink("/proc/self/exe").parent_path() / kLibrary);
  return loaded;
}

}  // namespace plait::proxy
