#include "costmodel/roofline.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace plait::costmodel {
namespace {

/// In the order of ChunkKernel. A kernel that nobody has timed on its own takes the factor of the delta rule, which
/// does everything that a linear recurrence does and more, with an error of 1: half to twice the time.
constexpr ChunkKernelTime kChunkKernelTimes[] = {
    {0.0, 0.0, "no recurrence"},
    {1.0, 1.0, "assumed: no slower than the delta rule, which does more per chunk"},
    {1.0, 1.0, "assumed: no slower than the delta rule, which does more per chunk"},
    {2.25, 0.3, "aiconfigurator B200 tables: mamba_chunk_scan 5.5 us per 64 tokens, Gated DeltaNet 2.45 us"},
    {1.0, 0.0, "reference: FlashInfer Gated DeltaNet"},
    {2.0, 0.3,
     "aiconfigurator H100 tables: FlashKDA 5.3 (24 heads) to 7.6 us (96 heads) per 64 tokens, Gated DeltaNet 3.1"},
    {2.0, 1.0, "assumed: two states and two coefficient tables, twice the delta rule"},
    {1.6, 0.5, "flash-linear-attention, H800, B = 16, D = 128, T = 16k: 1.272 ms"},
};
static_assert(std::size(kChunkKernelTimes) == static_cast<std::size_t>(ChunkKernel::elementwise_scan) + 1);

/// In the order of OpKind.
constexpr PowerShare kPowerShares[] = {
    {0.98, 0.77, "products above 100 us: 0.99 (H200), 0.92 to 0.98 (B200); weight streaming 0.82 and 0.71"},
    {0.75, 0.75, "prefill attention: 0.64 to 0.69 (H200), 0.86 to 0.97 (B200)"},
    {0.60, 0.60, "decode attention: 0.52 to 0.67 (H200), 0.46 to 0.68 (B200)"},
    {0.68, 0.68, "Gated DeltaNet chunk prefill: 0.67 to 0.69 (H200), 0.69 (B200)"},
    {0.60, 0.60, "assumed: as decode attention, the other stream of a cache"},
    {0.50, 0.50, "long depthwise convolutions: 0.52 (H200), 0.48 (B200)"},
    {0.50, 0.50, "assumed: as other passes over memory"},
    {0.30, 0.30, "assumed: the device waits for the network"},
};
static_assert(std::size(kPowerShares) == kOpKinds);

/// 0.9 ps. Sums of whole ticks are exact up to two hours, so a sum of times does not depend on its order: layouts that
/// differ only in the order of their layers take the same time to the bit.
double whole_ticks(double seconds) {
  constexpr double kTicksPerSecond = 0x1p40;
  if (!(seconds < 0x1p13)) return seconds;  // doubles from here on are whole ticks
  return static_cast<double>(static_cast<std::int64_t>(seconds * kTicksPerSecond + 0.5)) / kTicksPerSecond;
}

}  // namespace

const ChunkKernelTime& chunk_kernel_time(ChunkKernel kernel) {
  return kChunkKernelTimes[static_cast<std::size_t>(kernel)];
}

const PowerShare& power_share(OpKind op) { return kPowerShares[static_cast<std::size_t>(op)]; }

void Timeline::add(const Op& op, const HardwareProfile& hardware, spec::DType type) {
  const OpClass& c = hardware.op_class(op.kind);
  const double compute_s = op.flops / (hardware.peak(type) * c.compute_efficiency);
  const double memory_s = op.bytes / (hardware.bandwidth(op.kind) * c.bandwidth_efficiency);
  double roof_s = std::max(compute_s, memory_s);
  const double launches = op.kernels(hardware.unfused);
  double latency_s = launches * c.latency_s;
  const PowerShare& power = power_share(op.kind);
  const double working_share = compute_s >= memory_s ? power.compute : power.memory;
  double waiting_share = kWaitingPowerShare;
  double error = c.relative_error;
  if (op.kind == OpKind::linear_prefill && hardware.chunk_times) {
    // Steps that must follow one another, at the pace of one compute unit; arithmetic and traffic hide behind them.
    const ChunkTimes& t = *hardware.chunk_times;
    const double waves = std::ceil(op.strands / hardware.compute_units.value);
    const double serial_s = t.start_s + waves * (t.wave_s + t.chunk_s * op.chunk_factor * op.chunks);
    latency_s = serial_s >= roof_s ? serial_s : 0;
    if (serial_s >= roof_s) roof_s = 0;
    waiting_share = working_share;  // the units work, one chunk after the other
    error = (1 + error) * (1 + op.kernel_error) - 1;
  }
  const Bound roof = is_collective(op.kind) ? Bound::network : compute_s >= memory_s ? Bound::compute : Bound::memory;
  spent_s_[static_cast<std::size_t>(roof)] += roof_s;
  spent_s_[static_cast<std::size_t>(Bound::latency)] += latency_s;
  // What the host cannot launch in time the device waits for.
  const double waiting_s = std::max(0.0, launches * hardware.host_launch_s - (roof_s + latency_s));
  spent_s_[static_cast<std::size_t>(Bound::latency)] += waiting_s;
  const double total_s = roof_s + latency_s + waiting_s;
  time_ += {whole_ticks(total_s), whole_ticks(total_s / (1 + error)), whole_ticks(total_s * (1 + error))};
  const double joules =
      hardware.power_w.value * (roof_s * working_share + latency_s * waiting_share + waiting_s * kWaitingPowerShare);
  const double spread = (1 + error) * (1 + kPowerError);
  energy_ += {whole_ticks(joules), whole_ticks(joules / spread), whole_ticks(joules * spread)};
  if (!is_collective(op.kind)) bytes_ += op.bytes;
}

std::int64_t Timeline::whole_bytes(std::string_view quantity) const {
  const double whole = std::round(bytes_);
  return (whole < 0x1p63 ? Count(static_cast<std::int64_t>(whole)) : Count(INT64_MAX)).exact(quantity);
}

Bound Timeline::bound() const {
  return static_cast<Bound>(std::max_element(spent_s_.begin(), spent_s_.end()) - spent_s_.begin());
}

}  // namespace plait::costmodel
