#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "costmodel/hardware.h"
#include "src/proxy/backend.h"

/// A table of operator times on the machine at hand, as `plait calibrate` reads it.
namespace plait::app {

/// The shapes that a machine with this much memory and compute is measured at: products from one row to many, attention
/// and Gated DeltaNet over short and long sequences and in decoding, norms. `quick` takes fewer and smaller ones.
std::vector<proxy::OperatorShape> measured_shapes(const costmodel::HardwareProfile& hardware, bool quick);

struct MeasuredRow {
  proxy::OperatorShape shape;
  proxy::OperatorTime time;
  std::string failure;  ///< why there is no time: the shape does not fit
};

/// Whose kernels an operator's are: "plait" for recurrences, "torch" for all else.
std::string_view kernels_of(proxy::MeasuredOp op);

/// Runs one shape after the other; stops between two of them. Throws as proxy::Backend::measure, save for shapes that
/// do not fit.
std::vector<MeasuredRow> measure(const proxy::Backend& backend, std::span<const proxy::OperatorShape> shapes,
                                 const std::string& device, const std::stop_token& stop,
                                 const std::function<void(std::size_t done, const MeasuredRow&)>& observer);

/// CSV of the rows that have a time (costmodel/calibrate.h), under a comment that says what was measured.
std::string measurement_csv(std::span<const MeasuredRow> rows, const std::string& hardware, const std::string& comment);

/// "gemm 1 x 4096 x 4096", "attention_prefill 1 x 4096 tokens, 32/8 heads of 128".
std::string shape_text(const proxy::OperatorShape& shape);

}  // namespace plait::app
