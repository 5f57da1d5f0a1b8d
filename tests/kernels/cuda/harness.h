#pragma once

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "kernels/common/cuda_types.h"

/// What the tests of recurrences on a GPU share. A kernel is compared with the recurrence in fp64 on the CPU, whose
/// reverse pass is written out by hand; allowed is twice the error of the same recurrence in the kernel's own
/// precision.
namespace plait::kernels::gpu_test {

using Numbers = std::vector<double>;

inline float to_bf16(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, 4);
  bits += 0x7fffu + ((bits >> 16) & 1u);
  bits &= 0xffff0000u;
  std::memcpy(&x, &bits, 4);
  return x;
}

inline double rounded(double x, PlaitDataType type) {
  return type == PLAIT_BFLOAT16 ? to_bf16(static_cast<float>(x)) : static_cast<double>(static_cast<float>(x));
}

struct Exact {
  using Real = double;
  static double round(double x) { return x; }
};
struct Float32 {
  using Real = float;
  static float round(float x) { return x; }
};
/// As tensor operations on bf16 make it: operands and results of every product in bf16, sums and the state in fp32.
struct Bfloat16 {
  using Real = float;
  static float round(float x) { return to_bf16(x); }
};

/// By name.
using Tensors = std::map<std::string, Numbers>;

inline const char* name_of(PlaitDataType type) { return type == PLAIT_BFLOAT16 ? "bf16" : "fp32"; }

/// run(n, h) of every head on all of the machine's threads.
template <class F>
void for_heads(int sequences, int heads, F run) {
  std::atomic<int> next = 0;
  std::vector<std::jthread> workers;
  const int all = sequences * heads;
  const int count = std::min<int>(all, static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
  for (int w = 0; w < count; ++w) {
    workers.emplace_back([&] {
      for (int i = next++; i < all; i = next++) run(i / heads, i % heads);
    });
  }
}

/// Device memory between two bands of a pattern that nothing may write.
class Buffer {
 public:
  static constexpr std::size_t kBand = 4096;
  explicit Buffer(std::size_t bytes) : bytes_(bytes) {
    EXPECT_EQ(cudaMalloc(&memory_, bytes + 2 * kBand), cudaSuccess);
    cudaMemset(memory_, 0xab, bytes + 2 * kBand);
    cudaMemset(data(), 0xff, bytes);  // NaN in bf16 and fp32
  }
  ~Buffer() { cudaFree(memory_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  unsigned char* data() const { return static_cast<unsigned char*>(memory_) + kBand; }
  std::vector<unsigned char> bytes() const {
    std::vector<unsigned char> host(bytes_);
    EXPECT_EQ(cudaMemcpy(host.data(), data(), bytes_, cudaMemcpyDeviceToHost), cudaSuccess);
    return host;
  }
  bool bands_are_whole() const {
    std::vector<unsigned char> band(2 * kBand);
    cudaMemcpy(band.data(), memory_, kBand, cudaMemcpyDeviceToHost);
    cudaMemcpy(band.data() + kBand, data() + bytes_, kBand, cudaMemcpyDeviceToHost);
    return std::all_of(band.begin(), band.end(), [](unsigned char x) { return x == 0xab; });
  }

 private:
  std::size_t bytes_;
  void* memory_ = nullptr;
};

inline std::size_t size_of(PlaitDataType type) { return type == PLAIT_BFLOAT16 ? 2 : 4; }

inline void upload(const Numbers& x, PlaitDataType type, Buffer& to) {
  std::vector<unsigned char> bytes(x.size() * size_of(type));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float value = static_cast<float>(x[i]);
    std::uint32_t bits;
    std::memcpy(&bits, &value, 4);
    const std::uint16_t half = static_cast<std::uint16_t>(bits >> 16);
    if (type == PLAIT_BFLOAT16) {
      std::memcpy(&bytes[2 * i], &half, 2);
    } else {
      std::memcpy(&bytes[4 * i], &bits, 4);
    }
  }
  ASSERT_EQ(cudaMemcpy(to.data(), bytes.data(), bytes.size(), cudaMemcpyHostToDevice), cudaSuccess);
}

inline Numbers numbers(const std::vector<unsigned char>& bytes, PlaitDataType type) {
  Numbers x(bytes.size() / size_of(type));
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::uint32_t bits = 0;
    float value;
    if (type == PLAIT_BFLOAT16) {
      std::uint16_t half;
      std::memcpy(&half, &bytes[2 * i], 2);
      bits = static_cast<std::uint32_t>(half) << 16;
    } else {
      std::memcpy(&bits, &bytes[4 * i], 4);
    }
    std::memcpy(&value, &bits, 4);
    x[i] = value;
  }
  return x;
}

inline double distance(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}
inline double norm(const Numbers& a) { return distance(a, Numbers(a.size())); }

using Bytes = std::map<std::string, std::vector<unsigned char>>;

/// The arguments of one call on the GPU: inputs uploaded, outputs full of NaN, all between guard bands.
class Arguments {
 public:
  unsigned char* input(const char* name, const Numbers& x, PlaitDataType type) {
    auto& buffer = inputs_[name] = std::make_unique<Buffer>(x.size() * size_of(type));
    upload(x, type, *buffer);
    return buffer->data();
  }
  unsigned char* output(const char* name, std::size_t count, PlaitDataType type) {
    auto& buffer = outputs_[name] = std::make_unique<Buffer>(count * size_of(type));
    return buffer->data();
  }
  float* input_fp32(const char* name, const Numbers& x) {
    return reinterpret_cast<float*>(input(name, x, PLAIT_FLOAT32));
  }
  float* output_fp32(const char* name, std::size_t count) {
    return reinterpret_cast<float*>(output(name, count, PLAIT_FLOAT32));
  }
  /// After the call: the outputs, once nothing was written beside them.
  Bytes results() const {
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess) << cudaGetErrorString(cudaGetLastError());
    Bytes bytes;
    for (const auto& [name, buffer] : inputs_) EXPECT_TRUE(buffer->bands_are_whole()) << name;
    for (const auto& [name, buffer] : outputs_) {
      EXPECT_TRUE(buffer->bands_are_whole()) << name;
      bytes[name] = buffer->bytes();
    }
    return bytes;
  }

 private:
  std::map<std::string, std::unique_ptr<Buffer>> inputs_, outputs_;
};

/// By type and tensor, the worst (error of the kernel) / (error allowed) and its case.
class Worst {
 public:
  void add(const std::string& name, double share, const std::string& what) {
    auto& entry = table_[name];
    if (share >= entry.first) entry = {share, what};
  }
  void print() {
    for (const auto& [name, entry] : table_)
      std::printf("  %-10s worst error %.2f of what is allowed: %s\n", name.c_str(), entry.first, entry.second.c_str());
    table_.clear();
  }

 private:
  std::map<std::string, std::pair<double, std::string>> table_;
};

/// Where the true gradient of a log decay vanishes (a gate of -60), a difference of terms of size q.dq keeps their
/// rounding: an error of 2^-8 (fp32: 2^-20) of |q.dq| + |k.dk|, taken over each `width` neighbours, is allowed.
inline double smallest_gate_error(const Tensors& in, const Tensors& exact, std::size_t width, PlaitDataType type) {
  const Numbers &q = in.at("q"), &k = in.at("k"), &dq = exact.at("dq"), &dk = exact.at("dk");
  Numbers terms(q.size() / width);
  for (std::size_t t = 0; t < terms.size(); ++t) {
    double a = 0, b = 0;
    for (std::size_t i = t * width; i < (t + 1) * width; ++i) {
      a += q[i] * dq[i];
      b += k[i] * dk[i];
    }
    terms[t] = std::abs(a) + std::abs(b);
  }
  return (type == PLAIT_BFLOAT16 ? 0x1p-8 : 0x1p-20) * norm(terms);
}

/// What one kernel is compared with.
struct Comparison {
  std::string what;  ///< the case
  PlaitDataType data_type;
  std::function<PlaitDataType(const std::string&)> type_of;  ///< of an output, by name
  const Tensors& exact;
  const Tensors& plain;  ///< the same recurrence in the kernel's precision
  double smallest_dg;    ///< error allowed for "dg" at least
};

/// Two runs agree to the bit, are finite, and as exact as allowed.
inline void compare(const Bytes& kernel, const Bytes& again, const Comparison& with, Worst& worst) {
  for (const auto& [name, bytes] : kernel) {
    EXPECT_TRUE(bytes == again.at(name)) << name << " changes from run to run";
    const Numbers ours = numbers(bytes, with.type_of(name));
    if (ours.empty()) continue;
    const bool finite = std::all_of(ours.begin(), ours.end(), [](double x) { return std::isfinite(x); });
    ASSERT_TRUE(finite) << name << " is not finite everywhere";
    const Numbers& exact = with.exact.at(name);
    const double error = distance(ours, exact);
    const double allowed = std::max(2 * distance(with.plain.at(name), exact), name == "dg" ? with.smallest_dg : 1e-30);
    const double size = std::max(norm(exact), 1e-30);
    EXPECT_LE(error, allowed) << name << ": relative error " << error / size << ", allowed " << allowed / size;
    worst.add(std::string(name_of(with.data_type)) + " " + name, error / allowed,
              with.what + ", relative error " + std::to_string(error / size));
  }
}

}  // namespace plait::kernels::gpu_test
