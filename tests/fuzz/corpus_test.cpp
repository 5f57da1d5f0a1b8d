#include <fmt/format.h>

#include <exception>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/fuzz/mutate.h"
#include "tests/fuzz/target.h"

// fuzz_corpus                 every target over its seeds and their mutations
// fuzz_corpus --seeds DIR     writes the seeds to DIR/<target>/<n>
// fuzz_corpus TARGET FILE...  a target over reproducers

namespace {

namespace fs = std::filesystem;
using plait::fuzz::Target;

/// Kept on disk while it runs, for the case that the process does not survive it.
const fs::path kCurrent = "fuzz_corpus.input";

bool survives(const Target& target, const std::string& input) {
  std::ofstream(kCurrent, std::ios::binary) << input;
  try {
    target.run(input);
    return true;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n  reproducer: {}\n", target.name, error.what(), fs::absolute(kCurrent).string());
    return false;
  }
}

bool run(const Target& target) {
  std::mt19937_64 random(20260501);
  const std::vector<std::string> seeds = target.seeds();
  for (const std::string& seed : seeds) {
    if (!survives(target, seed)) return false;
  }
  for (std::size_t i = 0; i < target.mutations; ++i) {
    if (!survives(target, plait::fuzz::mutate(seeds[i % seeds.size()], random))) return false;
  }
  return true;
}

void write_seeds(const fs::path& folder) {
  for (const Target& target : plait::fuzz::targets()) {
    fs::create_directories(folder / target.name);
    std::size_t n = 0;
    for (const std::string& seed : target.seeds()) {
      std::ofstream(folder / target.name / std::to_string(n++), std::ios::binary) << seed;
    }
  }
}

std::string read(const char* file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--seeds") {
    write_seeds(argv[2]);
    return 0;
  }
  bool passed = true;
  for (const Target& target : plait::fuzz::targets()) {
    if (argc == 1) passed = run(target) && passed;
    for (int i = 2; i < argc && argv[1] == target.name; ++i) passed = survives(target, read(argv[i])) && passed;
  }
  if (passed) fs::remove(kCurrent);
  return passed ? 0 : 1;
}
