#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "costmodel/hardware.h"

/// From tables of operator times to the constants of a hardware profile.
namespace plait::costmodel {

/// One row of a table: an operator of one class and the seconds it took.
struct Measurement {
  std::size_t line = 0;  ///< in the file, from 1
  std::string hardware;
  std::string backend;
  std::string shape;  ///< as a person reads it
  Op op;
  double seconds = 0;
  double state_bytes = 0;  ///< of a decode step's recurrent state, read and written
};

/// Reads a CSV table. Lines that begin with '#' are comments; the first other line names the columns, in any order:
///
///     hardware, backend    text: a built-in profile's name, a library
///     op                   gemm | attention_prefill | attention_decode | gated_delta_net_prefill |
///     gated_delta_net_decode us                   microseconds m, n, k              of gemm batch, tokens, heads,
///     key_heads, head_dim    of the others; tokens is the context of a decode step; heads are
///                          query or value heads
///
/// bf16 with fp32 states. Columns that an op does not use may be empty. Problems are located as `name:line`.
std::vector<Measurement> read_measurements(std::string_view csv, const std::string& name, spec::Problems& problems);

/// The table of costmodel/measurements/operators.csv.
std::vector<Measurement> published_measurements();

/// Absolute relative errors |estimate - measured| / measured.
struct ErrorSummary {
  std::size_t rows = 0;
  double mean = 0;
  double median = 0;
  double p90 = 0;
};
ErrorSummary summarize(std::vector<double> errors);

/// Seconds that the profile gives a measurement's operator.
double estimated_seconds(const Measurement& measurement, const HardwareProfile& hardware);

/// A decode step whose state stays in the last-level cache says nothing about memory.
bool stays_in_cache(const Measurement& measurement, const HardwareProfile& hardware);

/// One class on one machine with one backend. Efficiencies, latency and, for recurrences, start and chunk time (and the
/// time of a wave when some row has more than one) minimise the squared logarithm of estimate over measured; those that
/// the rows do not touch stay as they were.
struct Fit {
  OpKind kind = OpKind::gemm;
  std::string backend;
  std::size_t in_cache = 0;                ///< rows left out (stays_in_cache)
  ErrorSummary before{};                   ///< with the constants of `hardware`
  std::optional<ErrorSummary> after{};     ///< nothing: too few rows, constants stay
  std::optional<ErrorSummary> left_out{};  ///< each row estimated with constants fitted without it
  OpClass constants{};                     ///< rounded to three digits, with left_out's mean as relative error
  std::optional<ChunkTimes> chunk_times{};
};

/// Fits every (class, backend) of the measurements, all of which are of `hardware`.
std::vector<Fit> calibrate(std::span<const Measurement> measurements, const HardwareProfile& hardware);

/// Writes fitted constants into a profile's JSON. Recurrences of another backend than the profile's go to its
/// "backends".
void write_constants(std::span<const Fit> fits, spec::OrderedJson& profile);

}  // namespace plait::costmodel
