#include "src/app/measure.h"

#include <fmt/format.h>

#include <algorithm>

#include "search/objective.h"

namespace plait::app {
namespace {

using proxy::MeasuredOp;
using proxy::OperatorShape;
using spec::Dim;

/// A size of the table, empty when the operator has none.
std::string cell(Dim size) { return size == 0 ? "" : fmt::format("{}", size); }

/// Seconds that the data sheet gives a shape at best: what takes far longer than a reading is left out.
double least_seconds(const OperatorShape& s, const costmodel::HardwareProfile& hardware) {
  const auto d = [](Dim x) { return static_cast<double>(x); };
  double flops = 2 * d(s.m) * d(s.n) * d(s.k);
  if (s.op == MeasuredOp::attention_prefill) {
    flops = 2 * d(s.batch) * d(s.tokens) * d(s.tokens) * d(s.heads) * d(s.head_dim);
  }
  if (s.op == MeasuredOp::gated_delta_net_prefill) {
    flops = 12 * d(s.batch) * d(s.tokens) * d(s.heads) * d(s.head_dim) * d(s.head_dim);
  }
  return flops / hardware.peak(spec::DType::bf16);
}

double bytes_of(const OperatorShape& s) {
  const auto d = [](Dim x) { return static_cast<double>(x); };
  switch (s.op) {
    case MeasuredOp::gemm: return 2 * (d(s.m) * d(s.n) + d(s.n) * d(s.k) + d(s.m) * d(s.k));
    case MeasuredOp::rms_norm: return 4 * d(s.m) * d(s.n);
    case MeasuredOp::gated_delta_net_decode: return 8 * d(s.batch) * d(s.heads) * d(s.head_dim) * d(s.head_dim);
    default: return 2 * d(s.batch) * d(s.tokens) * d(s.head_dim) * (2 * d(s.heads) + 2 * d(s.key_heads));
  }
}

}  // namespace

std::vector<OperatorShape> measured_shapes(const costmodel::HardwareProfile& hardware, bool quick) {
  std::vector<OperatorShape> shapes;
  for (const Dim width : {1024, 2048, 4096, 8192}) {
    for (const Dim rows : {1, 16, 128, 512, 2048, 8192}) {
      shapes.push_back({.op = MeasuredOp::gemm, .m = rows, .n = width, .k = width});
    }
  }
  for (const Dim rows : {256, 2048, 16384, 131072}) {
    for (const Dim width : {1024, 4096}) shapes.push_back({.op = MeasuredOp::rms_norm, .m = rows, .n = width});
  }
  const auto heads = [&](MeasuredOp op, Dim batch, Dim tokens, Dim count, Dim key_heads) {
    shapes.push_back(
        {.op = op, .batch = batch, .tokens = tokens, .heads = count, .key_heads = key_heads, .head_dim = 128});
  };
  for (const Dim tokens : {512, 1024, 2048, 4096, 8192, 16384}) {
    for (const Dim batch : {1, 8}) heads(MeasuredOp::attention_prefill, batch, tokens, 32, 8);
  }
  for (const Dim tokens : {1024, 4096, 16384, 65536}) {
    for (const Dim batch : {1, 8, 64}) heads(MeasuredOp::attention_decode, batch, tokens, 32, 8);
  }
  for (const Dim tokens : {64, 1024, 2048, 4096, 8192, 16384}) {
    for (const Dim batch : {1, 8}) {
      for (const Dim count : {16, 32}) heads(MeasuredOp::gated_delta_net_prefill, batch, tokens, count, count);
    }
  }
  for (const Dim batch : {1, 8, 32, 64, 128, 256, 512}) heads(MeasuredOp::gated_delta_net_decode, batch, 1, 32, 32);

  const double most_seconds = quick ? 0.02 : 0.2;
  const double most_bytes = std::min(hardware.memory_bytes.value / 8, quick ? 300e6 : 8e9);
  std::erase_if(shapes, [&](const OperatorShape& s) {
    return least_seconds(s, hardware) > most_seconds || bytes_of(s) > most_bytes;
  });
  return shapes;
}

std::string_view kernels_of(MeasuredOp op) {
  switch (op) {
    case MeasuredOp::gated_delta_net_prefill:
    case MeasuredOp::gated_delta_net_decode: return "plait";
    default: return "torch";
  }
}

std::vector<MeasuredRow> measure(const proxy::Backend& backend, std::span<const OperatorShape> shapes,
                                 const std::string& device, const std::stop_token& stop,
                                 const std::function<void(std::size_t, const MeasuredRow&)>& observer) {
  std::vector<MeasuredRow> rows;
  for (const OperatorShape& shape : shapes) {
    if (stop.stop_requested()) break;
    MeasuredRow row{.shape = shape, .time = {}, .failure = {}};
    try {
      row.time = backend.measure(shape, device);
    } catch (const proxy::Unavailable&) {
      throw;
    } catch (const spec::SpecError&) {
      throw;
    } catch (const std::runtime_error& error) {
      row.failure = error.what();
    }
    rows.push_back(row);
    observer(rows.size(), rows.back());
  }
  return rows;
}

std::string measurement_csv(std::span<const MeasuredRow> rows, const std::string& hardware,
                            const std::string& comment) {
  std::string out = fmt::format("# {}\nhardware,backend,op,batch,tokens,m,n,k,heads,key_heads,head_dim,us\n", comment);
  for (const MeasuredRow& row : rows) {
    if (!row.failure.empty()) continue;
    const OperatorShape& s = row.shape;
    out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{:.4g}\n", hardware, kernels_of(s.op), search::name_of(s.op),
                       cell(s.batch), cell(s.tokens), cell(s.m), cell(s.n), cell(s.k), cell(s.heads), cell(s.key_heads),
                       cell(s.head_dim), row.time.seconds * 1e6);
  }
  return out;
}

std::string shape_text(const OperatorShape& s) {
  const std::string_view name = search::name_of(s.op);
  if (s.op == MeasuredOp::gemm) return fmt::format("{} {} x {} x {}", name, s.m, s.n, s.k);
  if (s.op == MeasuredOp::rms_norm) return fmt::format("{} {} x {}", name, s.m, s.n);
  return fmt::format("{} {} x {} tokens, {}/{} heads of {}", name, s.batch, s.tokens, s.heads, s.key_heads, s.head_dim);
}

}  // namespace plait::app
