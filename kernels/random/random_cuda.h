#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/cuda_types.h"

/// Random words and orders of short rows, for batches that are made on the device: part of libplait_cuda.so. Pointers
/// are device memory, dense and row-major in the given shape. Nothing is allocated and nothing waits. Functions return
/// 0, or 1 after writing to `message` what was refused, or which CUDA call failed and why.
extern "C" {

struct PlaitRandomWords {
  std::int64_t streams, words;  ///< S, N
  std::int64_t used;            ///< words of each stream that were taken before
  const std::int64_t* keys;     ///< [S]
  std::int64_t* x;              ///< [S, N]
};
int plait_random_words(const PlaitRandomWords* arguments, CUstream_st* stream, char* message,
                       std::size_t message_bytes);

/// Ascending, equal ones in the order in which they stand. Rows of 1 to 1024.
struct PlaitSortRows {
  std::int64_t rows, width;  ///< R, n
  bool of_doubles;           ///< x is fp64, else int64
  const void* x;             ///< [R, n]
  std::int64_t* values;      ///< [R, n] int64; may be null, and is for doubles
  std::int64_t* order;       ///< [R, n], places in x; may be null
};
int plait_sort_rows(const PlaitSortRows* arguments, CUstream_st* stream, char* message, std::size_t message_bytes);

/// The first `count` different ones of each row's x % range, in the order in which they stand; a row that has fewer
/// ends in repeats. Rows of 1 to 1024.
struct PlaitDistinct {
  std::int64_t rows, width, stride;  ///< R, n, numbers from row to row
  std::int64_t range, count;         ///< below 2^31; at most n
  const std::int64_t* x;             ///< [R, n], not negative
  std::int64_t* values;              ///< [R, count]
};
int plait_distinct(const PlaitDistinct* arguments, CUstream_st* stream, char* message, std::size_t message_bytes);

}  // extern "C"
