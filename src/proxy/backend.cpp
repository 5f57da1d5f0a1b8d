#include "src/proxy/backend.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

namespace plait::proxy {
namespace {

constexpr const char* kLibrary = "libplait_torch.so";
constexpr const char* kEntry = "plait_proxy_backend";

const Backend& load() {
  const std::filesystem::path library = std::filesystem::read_symlink("/proc/self/exe").parent_path() / kLibrary;
  if (!std::filesystem::exists(library)) {
    throw Unavailable("proxy trainings need LibTorch, and this plait was built without it: run ./dev build on a machine with "
                      "network, or cmake/fetch_torch.sh and build again");
  }
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw Unavailable(fmt::format("proxy trainings need LibTorch: {}", dlerror()));
  using Entry = const Backend* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(handle, kEntry));
  if (entry == nullptr) throw Unavailable(fmt::format("{} is not of this plait: {}", library.string(), dlerror()));
  return *entry();
}

}  // namespace

const Backend& backend() {
  static const Backend& loaded = load();
  return loaded;
}

}  // namespace plait::proxy
