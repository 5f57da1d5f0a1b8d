#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// Fuzz targets: what plait must do with any input. libFuzzer drives them (run.sh), and the ordinary test `fuzz_corpus`
/// runs them over their seeds and some thousand mutations.
namespace plait::fuzz {

struct Target {
  std::string_view name;
  /// Returns for good and for properly refused inputs; anything thrown is a finding.
  void (*run)(std::string_view input);
  std::vector<std::string> (*seeds)();
  std::size_t mutations;  ///< that `fuzz_corpus` tries, about a second's worth
};

std::span<const Target> targets();

void layout(std::string_view input);
void model(std::string_view input);
void study(std::string_view input);
void fla_config(std::string_view input);
void journal(std::string_view input);
void hardware(std::string_view input);

/// A property that does not hold.
inline void require(bool holds, const char* property) {
  if (!holds) throw std::logic_error(property);
}

}  // namespace plait::fuzz
