#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/cuda_types.h"

/// AdamW for a population whose weights lie in rows, each of one member: part of libplait_cuda.so. Pointers are device
/// memory, dense and row-major in the given shape. Nothing is allocated and nothing waits; sums are in a fixed order.
/// Functions return 0, or 1 after writing to `message` which CUDA call failed and why.
extern "C" {

/// Copies gradients side by side and sums squares, in runs of numbers that are of one member and one gradient.
enum { PLAIT_GRADIENTS_AT_ONCE = 64 };  ///< at most
struct PlaitTakeGradients {
  std::int64_t runs;
  const std::int64_t* run;                          ///< [runs, 4]: gradient, begin there, begin in `to`, count
  std::int64_t first;                               ///< the gradient that gradients[0] is
  const float* gradients[PLAIT_GRADIENTS_AT_ONCE];  ///< null is zeros
  float* to;
  float* squares;  ///< [runs], sums of squares
};
int plait_take_gradients(const PlaitTakeGradients* arguments, CUstream_st* stream, char* message,
                         std::size_t message_bytes);

struct PlaitMemberNorms {
  std::int64_t members, most;   ///< M, runs of the member that has most
  const float* squares;         ///< by run
  const std::int64_t* runs_of;  ///< [M, most], runs of each member; -1 is none
  float* norms;                 ///< [M], square root of the sum over its runs
};
int plait_member_norms(const PlaitMemberNorms* arguments, CUstream_st* stream, char* message,
                       std::size_t message_bytes);

/// What a step still asks after its gradients' norms, M members at once: alive <- alive and loss + norm is finite;
/// loss_sum <- loss_sum + loss; scale = min(clip / (norm + 1e-6), 1); rate = learning_rate factor.
struct PlaitStepRates {
  std::int64_t members;
  float clip;
  const float *loss, *norm, *learning_rate;  ///< [M]
  const float* factor;                       ///< [1]
  bool* alive;                               ///< [M]
  float *loss_sum, *scale, *rate;            ///< [M]
};
int plait_step_rates(const PlaitStepRates* arguments, CUstream_st* stream, char* message, std::size_t message_bytes);

/// g = gradient * scale; first <- beta1 first + (1 - beta1) g; second <- beta2 second + (1 - beta2) g^2; value <- value
/// (1 - rate weight_decay) - rate first / corrections[0] / (sqrt(second / corrections[1]) + eps). Members that are not
/// alive keep their values: for them g and rate are 0, whatever they are.
struct PlaitAdamW {
  std::int64_t rows, width;  ///< R, W
  float beta1, beta2, eps;
  const float* gradient;          ///< [R, W]
  const float* weight_decay;      ///< [R]
  const std::int64_t* member;     ///< [R]
  const float* scale;             ///< [M]
  const float* rate;              ///< [M]
  const bool* alive;              ///< [M]
  const float* corrections;       ///< [2]
  float *value, *first, *second;  ///< [R, W]
};
int plait_adamw(const PlaitAdamW* arguments, CUstream_st* stream, char* message, std::size_t message_bytes);

}  // extern "C"
