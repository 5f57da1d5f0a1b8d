#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/cuda_types.h"

/// Joins what the blocks of another kernel summed, in a fixed order: part of libplait_cuda.so.
extern "C" {

struct PlaitParts {
  std::int64_t parts, width;  ///< P, D
  const float* x;             ///< [M, P, D]
  float* sums;                ///< [M, D], over the second axis
};
enum { PLAIT_PARTS_AT_ONCE = 4 };  ///< at most
struct PlaitPartSums {
  std::int64_t members, count;
  PlaitParts of[PLAIT_PARTS_AT_ONCE];  ///< the first `count`
};
/// Returns 0, or 1 after writing to `message` which CUDA call failed and why.
int plait_part_sums(const PlaitPartSums* arguments, CUstream_st* stream, char* message, std::size_t message_bytes);

}  // extern "C"
