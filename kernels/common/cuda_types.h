#pragma once

#include <cstdint>

struct CUstream_st;  // what cudaStream_t points to

extern "C" {

enum PlaitDataType : std::int32_t { PLAIT_FLOAT32 = 0, PLAIT_BFLOAT16 = 1 };

}  // extern "C"
