#pragma once

#include <random>
#include <string>

namespace plait::fuzz {

/// A variant of `text`: where it is JSON (or JSON lines), often with one value replaced, moved or dropped; otherwise
/// with bytes changed. The same on every machine.
std::string mutate(const std::string& text, std::mt19937_64& random);

}  // namespace plait::fuzz
