#include <algorithm>
#include <cstdint>
#include <cstring>

#include "tests/fuzz/mutate.h"
#include "tests/fuzz/target.h"

// One program per target; PLAIT_FUZZ_TARGET is its function.

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  plait::fuzz::PLAIT_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}

/// libFuzzer's own mutations and those that keep JSON valid, in turn.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int seed) {
  std::mt19937_64 random(seed);
  if (random() % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
  const std::string text = plait::fuzz::mutate({reinterpret_cast<const char*>(data), size}, random);
  const std::size_t length = std::min(text.size(), max_size);
  std::memcpy(data, text.data(), length);
  return length;
}
