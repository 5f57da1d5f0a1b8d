#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "costmodel/hardware.h"
#include "costmodel/mixers/mixer_shape.h"
#include "costmodel/op.h"

namespace plait::costmodel {

/// An estimated time in seconds, or energy in joules, with the interval that the calibration error gives; a multiple of
/// 2^-40, so that sums do not depend on their order.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;

  Estimate& operator+=(const Estimate& other) {
    value += other.value;
    low += other.low;
    high += other.high;
    return *this;
  }
  bool operator==(const Estimate&) const = default;
};

/// What most of a time is spent on: arithmetic, memory traffic, launches and steps that must follow one another, or
/// traffic between devices.
enum class Bound { compute, memory, latency, network };
inline constexpr std::array<std::pair<Bound, std::string_view>, 4> enum_names(Bound) {
  return {{{Bound::compute, "compute"},
           {Bound::memory, "memory"},
           {Bound::latency, "latency"},
           {Bound::network, "network"}}};
}

/// A sum of operator times. Errors of operators are taken as fully correlated (low and high are plain sums), because
/// one wrong constant shifts all operators of its class together; so times stay additive over layers.
class Timeline {
 public:
  /// Runs the operator after everything added so far, in arithmetic of `type`.
  void add(const Op& op, const HardwareProfile& hardware, spec::DType type);

  const Estimate& time() const { return time_; }
  /// Joules: time x power limit x the share of it that the class draws (`power_share`).
  const Estimate& energy() const { return energy_; }
  /// Bytes to and from main memory. Throws spec::SpecError that names `quantity` past 2^63 - 1.
  std::int64_t whole_bytes(std::string_view quantity) const;
  Bound bound() const;

 private:
  Estimate time_;
  Estimate energy_;
  double bytes_ = 0;
  std::array<double, 4> spent_s_{};  // by Bound
};

/// Share of the power limit that a class draws while it computes, and while it only moves data. Medians of
/// aiconfigurator's H200 and B200 operator tables, kernels above 100 us; carried over to other machines.
struct PowerShare {
  double compute = 0;
  double memory = 0;
  std::string_view source;
};
const PowerShare& power_share(OpKind op);
inline constexpr double kWaitingPowerShare =
    0.2;                                     ///< launches, serial steps between kernels: 125 W of 700, 250 of 1000
inline constexpr double kPowerError = 0.25;  ///< spread of the shares over kernels, stacks and the two machines

/// How the kernel of a recurrence compares with the one that ChunkTimes was measured on.
struct ChunkKernelTime {
  double factor = 1;          ///< time of a chunk, Gated DeltaNet of 128 x 128 heads = 1
  double relative_error = 0;  ///< of that factor
  std::string_view source;
};
const ChunkKernelTime& chunk_kernel_time(ChunkKernel kernel);

}  // namespace plait::costmodel
