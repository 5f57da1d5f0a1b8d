#include "src/proxy/step_graph.h"

#include <dlfcn.h>

#include <filesystem>

namespace plait::proxy {

std::unique_ptr<StepGraphs> make_step_graphs() {
  Dl_info here{};
  dladdr(reinterpret_cast<const void*>(&make_step_graphs), &here);
  const std::filesystem::path path = std::filesystem::path(here.dli_fname).parent_path() / "libplait_torch_cuda.so";
  if (!std::filesystem::exists(path)) return {};
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw Unavailable(std::string("--device cuda: ") + dlerror());
  const auto make = reinterpret_cast<StepGraphs* (*)()>(dlsym(library, "plait_step_graphs"));
  if (make == nullptr) throw Unavailable(std::string("--device cuda: ") + dlerror());
  return std::unique_ptr<StepGraphs>(make());
}

}  // namespace plait::proxy
