#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "costmodel/hardware.h"
#include "costmodel/mixers/mixer_shape.h"
#include "costmodel/op.h"

namespace plait::costmodel {

/// An estimated time in seconds with the interval that the calibration error gives; a multiple of 2^-40 s, so that sums
/// do not depend on their order.
struct TimeEstimate {
  double value = 0;
  double low = 0;
  double high = 0;

  TimeEstimate& operator+=(const TimeEstimate& other) {
    value += other.value;
    low += other.low;
    high += other.high;
    return *this;
  }
  bool operator==(const TimeEstimate&) const = default;
};

/// What most of a time is spent on: arithmetic, memory traffic, or launches and steps that must follow one another.
enum class Bound { compute, memory, latency };
inline constexpr std::array<std::pair<Bound, std::string_view>, 3> enum_names(Bound) {
  return {{{Bound::compute, "compute"}, {Bound::memory, "memory"}, {Bound::latency, "latency"}}};
}

/// A sum of operator times. Errors of operators are taken as fully correlated (low and high are plain sums), because
/// one wrong constant shifts all operators of its class together; so times stay additive over layers.
class Timeline {
 public:
  /// Runs the operator after everything added so far, in arithmetic of `type`.
  void add(const Op& op, const HardwareProfile& hardware, spec::DType type);

  const TimeEstimate& time() const { return time_; }
  Bound bound() const;

 private:
  TimeEstimate time_;
  std::array<double, 3> spent_s_{};  // by Bound
};

/// How the kernel of a recurrence compares with the one that ChunkTimes was measured on.
struct ChunkKernelTime {
  double factor = 1;          ///< time of a chunk, Gated DeltaNet of 128 x 128 heads = 1
  double relative_error = 0;  ///< of that factor
  std::string_view source;
};
const ChunkKernelTime& chunk_kernel_time(ChunkKernel kernel);

}  // namespace plait::costmodel
