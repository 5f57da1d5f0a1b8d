#pragma once

#include <torch/torch.h>

#include <cstdint>

/// What the recurrences share. Their batch axis N is population x batch (M * B): members differ in parameters, and a
/// recurrence has none. T is time, H heads, K key width, V value width.
namespace plait::kernels {

struct Scan {
  at::Tensor output;  ///< [N, T, H, V], of v's dtype
  at::Tensor state;   ///< after the last token, [N, H, K, V], fp32 (fp64 for fp64 inputs)
};

struct ScanOptions {
  double scale = 0.0;          ///< factor on q; 0 stands for K^(-1/2)
  at::Tensor initial_state{};  ///< [N, H, K, V]; undefined is zero
  std::int64_t chunk = 0;  ///< tokens computed together: 16, 32, 64, or 0 to choose by device and shapes (1 on a CPU)
};

}  // namespace plait::kernels
