#pragma once

#include <concepts>
#include <cstddef>
#include <string>

namespace plait::spec {

/// "100,663,291" of a count that is not negative, or of its digits.
inline std::string grouped(std::string digits) {
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}
std::string grouped(std::integral auto count) { return grouped(std::to_string(count)); }

}  // namespace plait::spec
