#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Module {
  std::set<std::string> may_include;  ///< modules
  std::set<std::string> third_party;  ///< first path components, beside those of everybody
};

/// The table of the design: folder -> what its files may include. A new module or arrow is a decision: make it here
/// too.
const std::map<std::string, Module> kModules = {
    {"src/spec", {{}, {"nlohmann", "boost", "xxhash.h"}}},
    {"costmodel", {{"src/spec"}, {"nlohmann", "boost"}}},
    {"search", {{"src/spec"}, {"nlohmann", "boost", "xxhash.h"}}},
    {"src/quality", {{"src/spec", "search"}, {"Eigen", "nlohmann"}}},
    {"src/interchange", {{"src/spec", "costmodel"}, {"nlohmann"}}},
    {"src/report", {{"src/spec", "search"}, {"stb", "nlohmann"}}},
    {"kernels", {{}, {"torch", "ATen", "c10", "cuda_bf16.h", "cuda_runtime.h"}}},
    {"src/nn", {{"src/spec", "kernels"}, {"torch", "ATen", "c10", "nlohmann", "xxhash.h"}}},
    {"src/proxy", {{"src/spec", "kernels", "src/nn"}, {"torch", "ATen", "c10", "nlohmann", "xxhash.h"}}},
    {"src/evaluate", {{"src/spec", "search", "costmodel", "src/quality", "src/proxy"}, {}}},
    {"src/app",
     {{"src/spec", "search", "costmodel", "src/quality", "src/proxy", "src/evaluate", "src/interchange", "src/report"},
      {"nlohmann"}}},
    {"src/cli",
     {{"src/app", "src/report", "src/interchange", "src/spec", "search", "costmodel", "src/proxy", "src/evaluate"},
      {"CLI", "nlohmann", "boost"}}},
    {"gui",
     {{"src/app", "src/report", "src/interchange", "src/spec", "search", "costmodel"},
      {"CLI", "nlohmann", "boost", "GLFW", "imgui.h", "imgui_internal.h", "imgui_stdlib.h", "imgui_impl_glfw.h",
       "imgui_impl_opengl3.h", "implot.h"}}},
};
/// What the others may see of src/proxy: values and the loader, no LibTorch behind them.
const std::set<std::string> kTorchFree = {"src/proxy/backend.h",    "src/proxy/reduce.h",
                                          "src/proxy/score.h",      "src/proxy/training.h",
                                          "src/proxy/task_table.h", "src/proxy/operator_shape.h"};
const std::set<std::string> kEverybody = {"fmt"};
const std::set<std::string> kSystem = {"sys", "pthread.h", "unistd.h", "fcntl.h", "dlfcn.h"};

std::string module_of(const std::string& path) {
  for (const auto& [folder, module] : kModules) {
    if (path.starts_with(folder + "/")) return folder;
  }
  return "";
}

std::vector<fs::path> sources() {
  std::vector<fs::path> files;
  for (const auto& [folder, module] : kModules) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(PLAIT_SOURCE_DIR) / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension == ".h" || extension == ".cpp" || extension == ".cu" || extension == ".cuh")
        files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  return files;
}

TEST(ArchitectureTest, IncludesFollowTheArrowsOfTheDesign) {
  const std::regex include(R"re(^\s*#\s*include\s*(["<])([^">]+)[">])re");
  std::size_t own_includes = 0;
  for (const fs::path& file : sources()) {
    const std::string path = fs::relative(file, PLAIT_SOURCE_DIR).string();
    const std::string module = module_of(path);
    const Module& rules = kModules.at(module);
    std::ifstream in(file);
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
      std::smatch match;
      if (!std::regex_search(line, match, include)) continue;
      const std::string target = match[2];
      const std::string where = path + ":" + std::to_string(number) + " includes " + target;
      if (match[1] == "\"") {
        const std::string other = module_of(target);
        EXPECT_NE(other, "") << where << ": write own includes from the repository root";
        EXPECT_TRUE(other == module || rules.may_include.contains(other)) << where << ": no arrow from " << module;
        EXPECT_TRUE(module == "src/proxy" || other != "src/proxy" || kTorchFree.contains(target))
            << where << ": that header is of the part with LibTorch";
        ++own_includes;
        continue;
      }
      const std::string top = target.substr(0, target.find('/'));
      const bool standard = target.find('/') == std::string::npos && target.find('.') == std::string::npos;
      const bool c_header = target == "pthread.h" || kSystem.contains(top);
      EXPECT_TRUE(standard || c_header || kEverybody.contains(top) || rules.third_party.contains(top))
          << where << ": " << top << " is not a library of " << module;
    }
  }
  EXPECT_GT(own_includes, 100u) << "the scan found almost nothing: has the tree moved?";
}

TEST(ArchitectureTest, TheTorchFreeHeadersOfProxyStayFreeOfTorch) {
  for (const std::string& header : kTorchFree) {
    std::ifstream in(fs::path(PLAIT_SOURCE_DIR) / header);
    ASSERT_TRUE(in) << header;
    for (std::string line; std::getline(in, line);) {
      EXPECT_EQ(line.find("<torch/"), std::string::npos) << header;
      const std::size_t own = line.find("\"src/proxy/");
      if (line.starts_with("#include") && own != std::string::npos) {
        EXPECT_TRUE(kTorchFree.contains(line.substr(own + 1, line.rfind('"') - own - 1))) << header << ": " << line;
      }
    }
  }
}

TEST(ArchitectureTest, LibrariesNeitherPrintNorExitNorReadTheEnvironment) {
  const std::regex banned(
      R"(\bstd::cout\b|\bstd::cerr\b|\bprintf\s*\(|\bfmt::print\b|\bexit\s*\(|\babort\s*\(|\bgetenv\b)");
  for (const fs::path& file : sources()) {
    const std::string path = fs::relative(file, PLAIT_SOURCE_DIR).string();
    if (path.starts_with("src/cli/") || path == "gui/main.cpp") continue;
    std::ifstream in(file);
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
      const std::string code = line.substr(0, line.find("//"));
      EXPECT_FALSE(std::regex_search(code, banned)) << path << ":" << number << ": " << line;
    }
  }
}

}  // namespace
