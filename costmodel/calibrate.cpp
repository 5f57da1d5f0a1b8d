#include "costmodel/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>

#include "costmodel/layer_ops.h"
#include "costmodel/roofline.h"
#include "src/spec/embedded_file.h"
#include "src/spec/error.h"

namespace plait::embedded {
std::span<const spec::EmbeddedFile> measurement_files();
}

namespace plait::costmodel {
namespace {

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> cells;
  for (std::size_t start = 0;;) {
    const std::size_t end = line.find(separator, start);
    std::string_view cell = line.substr(start, end == std::string_view::npos ? end : end - start);
    while (!cell.empty() && (cell.front() == ' ' || cell.front() == '"')) cell.remove_prefix(1);
    while (!cell.empty() && (cell.back() == ' ' || cell.back() == '"' || cell.back() == '\r')) cell.remove_suffix(1);
    cells.push_back(cell);
    if (end == std::string_view::npos) return cells;
    start = end + 1;
  }
}

/// One line's cells by column name; reports what is missing or no number.
class Row {
 public:
  Row(const std::vector<std::string_view>& columns, const std::vector<std::string_view>& cells, std::string place,
      spec::Problems& problems)
      : columns_(columns), cells_(cells), place_(std::move(place)), problems_(problems) {}

  std::string_view text(std::string_view column) const {
    const auto at = std::ranges::find(columns_, column) - columns_.begin();
    return at < std::ssize(cells_) ? cells_[static_cast<std::size_t>(at)] : std::string_view{};
  }

  double number(std::string_view column, double low, double high) {
    const std::string_view cell = text(column);
    double value = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (error != std::errc{} || end != cell.data() + cell.size() || !(value >= low && value <= high)) {
      add(fmt::format("{} is \"{}\"; a number from {:g} to {:g} is needed", column, cell, low, high));
      return low;
    }
    return value;
  }

  Dim dim(std::string_view column) {
    const double value = number(column, 1, static_cast<double>(spec::kMaxDim));
    if (value != std::floor(value)) add(fmt::format("{} is {}; a whole number is needed", column, text(column)));
    return static_cast<Dim>(value);
  }

  void add(std::string message) {
    problems_.add(place_, std::move(message));
    ok_ = false;
  }
  bool ok() const { return ok_; }

 private:
  const std::vector<std::string_view>& columns_;
  const std::vector<std::string_view>& cells_;
  std::string place_;
  spec::Problems& problems_;
  bool ok_ = true;
};

Op only(OpList ops, OpKind kind) { return *std::ranges::find(ops, kind, &Op::kind); }

void read_attention(Row& row, bool prefill, Measurement& out) {
  spec::FullAttention full;
  const spec::Workload workload{.context = row.dim("tokens"), .batch = row.dim("batch")};
  full.heads = row.dim("heads");
  full.kv_heads = row.dim("key_heads");
  full.head_dim = row.dim("head_dim");
  if (!row.ok()) return;
  const MixerShape shape = mixer_shape(full, full.heads * full.head_dim, false);
  out.op = prefill ? only(prefill_ops(shape, {}, workload), OpKind::attention_prefill)
                   : only(decode_ops(shape, {}, workload), OpKind::attention_decode);
  out.shape = fmt::format("{} x {} tokens, {}/{} heads of {}", workload.batch, workload.context, full.heads,
                          full.kv_heads, full.head_dim);
}

void read_gated_delta_net(Row& row, bool prefill, Measurement& out) {
  const spec::Workload workload{.context = row.dim("tokens"), .batch = row.dim("batch")};
  spec::GatedDeltaNet mixer;
  mixer.heads = row.dim("key_heads");
  mixer.value_heads = row.dim("heads");
  mixer.key_head_dim = mixer.value_head_dim = row.dim("head_dim");
  if (!row.ok()) return;
  const MixerShape shape = mixer_shape(mixer, mixer.heads * mixer.key_head_dim);
  out.op = prefill ? only(prefill_ops(shape, {}, workload), OpKind::linear_prefill)
                   : only(decode_ops(shape, {}, workload), OpKind::state_decode);
  if (!prefill) out.state_bytes = out.op.bytes;
  out.shape = fmt::format("{} x {} tokens, {} heads of {}", workload.batch, workload.context, mixer.value_heads,
                          mixer.key_head_dim);
}

void read_gemm(Row& row, Measurement& out) {
  const auto m = static_cast<double>(row.dim("m"));
  const auto n = static_cast<double>(row.dim("n"));
  const auto k = static_cast<double>(row.dim("k"));
  out.op = {.kind = OpKind::gemm, .flops = 2 * m * n * k, .bytes = 2 * (m * n + n * k + m * k)};
  out.shape = fmt::format("{} x {} x {}", m, n, k);
}

/// Bytes over one device's link, whatever the machine: the ring of `collective.h` within a node.
void read_all_reduce(Row& row, Measurement& out) {
  const auto devices = static_cast<double>(row.dim("devices"));
  const auto elements = static_cast<double>(row.dim("elements"));
  out.op = {.kind = OpKind::node_collective, .bytes = 2 * 2 * elements * (devices - 1) / devices};
  out.shape = fmt::format("{} elements, {} devices", elements, devices);
}

void read_rms_norm(Row& row, Measurement& out) {
  const auto m = static_cast<double>(row.dim("m"));
  const auto n = static_cast<double>(row.dim("n"));
  out.op = {.kind = OpKind::elementwise, .bytes = 2 * 2 * m * n};
  out.shape = fmt::format("{} x {}", m, n);
}

struct OpName {
  std::string_view name;
  void (*read)(Row&, Measurement&);
};
constexpr OpName kOps[] = {
    {"gemm", read_gemm},
    {"attention_prefill", [](Row& row, Measurement& out) { read_attention(row, true, out); }},
    {"attention_decode", [](Row& row, Measurement& out) { read_attention(row, false, out); }},
    {"gated_delta_net_prefill", [](Row& row, Measurement& out) { read_gated_delta_net(row, true, out); }},
    {"gated_delta_net_decode", [](Row& row, Measurement& out) { read_gated_delta_net(row, false, out); }},
    {"rms_norm", read_rms_norm},
    {"all_reduce", read_all_reduce},
};

double round_to_three_digits(double value) { return std::stod(fmt::format("{:.2e}", value)); }

/// A machine on which one class has trial constants.
class Trial {
 public:
  Trial(const HardwareProfile& hardware, OpKind kind, std::span<const Measurement* const> rows)
      : hardware_(hardware), kind_(kind) {
    double waves = 1;
    for (const Measurement* row : rows) {
      waves = std::max(waves, std::ceil(row->op.strands / hardware.compute_units.value));
    }
    OpClass& c = hardware_.op_classes[static_cast<std::size_t>(kind)];
    if (kind == OpKind::linear_prefill) {
      // A machine or backend without serial times begins with Gated DeltaNet's on an H100.
      if (!hardware_.chunk_times) {
        hardware_.chunk_times = ChunkTimes{.start_s = 4e-6, .wave_s = 6e-6, .chunk_s = 3e-6, .source = ""};
      }
      ChunkTimes& t = *hardware_.chunk_times;
      if (waves == 1) {
        t.start_s += t.wave_s;  // one wave: start and wave cannot be told apart
        t.wave_s = 0;
      }
      free_ = {{&t.start_s, 1}, {&t.chunk_s, 1}, {&c.compute_efficiency, 1}};
      if (waves > 1) free_.push_back({&t.wave_s, 1});
    } else {
      free_ = {{&c.latency_s, 1}, {&c.bandwidth_efficiency, 1}, {&c.compute_efficiency, 1}};
    }
  }
  Trial(const Trial&) = delete;

  std::size_t parameters() const { return free_.size(); }
  const HardwareProfile& hardware() const { return hardware_; }

  /// The best of descents from several compute efficiencies: a roof that no row reaches leaves no slope to follow.
  void fit(std::span<const Measurement* const> rows) {
    const std::vector<double> start = values();
    std::vector<double> best;
    double best_loss = HUGE_VAL;
    for (const double factor : {1.0, 0.3, 0.1, 0.03}) {
      set(start);
      *free_[kComputeEfficiency].value *= factor;
      if (const double now = descend(rows); now < best_loss * (1 - 1e-6)) {
        best_loss = now;
        best = values();
      }
    }
    for (double& value : best) value = round_to_three_digits(value);
    set(best);
  }

 private:
  struct Free {
    double* value;
    double high;
  };
  static constexpr std::size_t kComputeEfficiency = 2;

  std::vector<double> values() const {
    std::vector<double> list;
    for (const Free& free : free_) list.push_back(*free.value);
    return list;
  }
  void set(const std::vector<double>& list) {
    for (std::size_t i = 0; i < list.size(); ++i) *free_[i].value = list[i];
  }

  /// Multiplicative coordinate descent, from coarse to fine. Deterministic.
  double descend(std::span<const Measurement* const> rows) {
    double best = loss(rows);
    for (const double factor : {2.0, 1.4, 1.1, 1.03, 1.01, 1.003, 1.001}) {
      for (bool improved = true; improved;) {
        improved = false;
        for (auto& [value, high] : free_) {
          for (const double step : {factor, 1 / factor}) {
            const double before = *value;
            *value = std::clamp(before * step, 1e-9, high);
            const double now = loss(rows);
            if (now < best * (1 - 1e-9)) {
              best = now;
              improved = true;
            } else {
              *value = before;
            }
          }
        }
      }
    }
    return best;
  }

  double loss(std::span<const Measurement* const> rows) const {
    double sum = 0;
    for (const Measurement* row : rows) {
      const double log = std::log(estimated_seconds(*row, hardware_) / row->seconds);
      sum += log * log;
    }
    return sum;
  }

  HardwareProfile hardware_;
  OpKind kind_;
  std::vector<Free> free_;
};

double error_of(const Measurement& row, const HardwareProfile& hardware) {
  return std::abs(estimated_seconds(row, hardware) / row.seconds - 1);
}

/// The profile with the recurrences of `backend`, its own when that has not been measured.
HardwareProfile as_backend(const HardwareProfile& hardware, const std::string& backend) {
  const bool known = std::ranges::any_of(hardware.other_backends, [&](const Backend& b) { return b.name == backend; });
  return known ? with_backend(hardware, backend) : hardware;
}

Fit fit_class(OpKind kind, const std::string& backend, std::vector<const Measurement*> rows,
              const HardwareProfile& hardware) {
  Fit fit{.kind = kind, .backend = backend};
  const HardwareProfile base = kind == OpKind::linear_prefill ? as_backend(hardware, backend) : hardware;
  fit.in_cache = static_cast<std::size_t>(
      std::erase_if(rows, [&](const Measurement* row) { return stays_in_cache(*row, hardware); }));
  std::vector<double> errors;
  for (const Measurement* row : rows) errors.push_back(error_of(*row, base));
  fit.before = summarize(errors);
  fit.constants = base.op_class(kind);
  if (kind == OpKind::linear_prefill) fit.chunk_times = base.chunk_times;

  // Descents begin at the profile's own constants whatever the backend: the same table gives the same fit.
  Trial all(hardware, kind, rows);
  if (rows.size() <= all.parameters()) return fit;
  all.fit(rows);
  errors.clear();
  for (const Measurement* row : rows) errors.push_back(error_of(*row, all.hardware()));
  fit.after = summarize(errors);
  fit.constants = all.hardware().op_class(kind);
  if (kind == OpKind::linear_prefill) fit.chunk_times = all.hardware().chunk_times;
  const std::string source = fmt::format("plait calibrate: {} rows, {}", rows.size(), backend);
  fit.constants.source = source;
  if (fit.chunk_times) fit.chunk_times->source = source;

  errors.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<const Measurement*> others = rows;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    Trial without(hardware, kind, rows);
    without.fit(others);
    errors.push_back(error_of(*rows[i], without.hardware()));
  }
  fit.left_out = summarize(errors);
  fit.constants.relative_error = round_to_three_digits(fit.left_out->mean);
  return fit;
}

spec::OrderedJson json_of(const OpClass& c) {
  return {{"compute_efficiency", c.compute_efficiency},
          {"bandwidth_efficiency", c.bandwidth_efficiency},
          {"latency_s", c.latency_s},
          {"relative_error", c.relative_error},
          {"source", c.source}};
}
spec::OrderedJson json_of(const ChunkTimes& t) {
  return {{"start_s", t.start_s}, {"wave_s", t.wave_s}, {"chunk_s", t.chunk_s}, {"source", t.source}};
}

}  // namespace

std::vector<Measurement> read_measurements(std::string_view csv, const std::string& name, spec::Problems& problems) {
  std::vector<Measurement> measurements;
  std::vector<std::string_view> columns;
  std::size_t number = 0;
  for (const std::string_view line : split(csv, '\n')) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const std::vector<std::string_view> cells = split(line, ',');
    const std::string place = fmt::format("{}:{}", name, number);
    if (columns.empty()) {
      columns = cells;
      for (const char* needed : {"hardware", "backend", "op", "us"}) {
        if (std::ranges::find(columns, needed) == columns.end()) {
          problems.add(place, fmt::format("the columns lack \"{}\"", needed));
        }
      }
      if (!problems.empty()) return {};
      continue;
    }
    Row row(columns, cells, place, problems);
    if (cells.size() != columns.size()) {
      row.add(fmt::format("has {} cells for {} columns", cells.size(), columns.size()));
      continue;
    }
    const auto* op = std::ranges::find(kOps, row.text("op"), &OpName::name);
    if (op == std::end(kOps)) {
      std::vector<std::string> names;
      for (const OpName& known : kOps) names.emplace_back(known.name);
      row.add(fmt::format("unknown op \"{}\"; one of {}", row.text("op"), spec::quoted_list(names)));
      continue;
    }
    Measurement measurement{.line = number,
                            .hardware = std::string(row.text("hardware")),
                            .backend = std::string(row.text("backend")),
                            .shape = {},
                            .op = {}};
    measurement.seconds = row.number("us", 1e-3, 1e12) * 1e-6;
    op->read(row, measurement);
    if (row.ok()) measurements.push_back(std::move(measurement));
  }
  if (columns.empty()) problems.add(name, "has no line that names the columns");
  return measurements;
}

std::vector<Measurement> published_measurements() {
  std::vector<Measurement> all;
  for (const spec::EmbeddedFile& file : embedded::measurement_files()) {
    spec::Problems problems;
    const auto part = read_measurements(file.content, std::string(file.name), problems);
    problems.throw_if_any();
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

ErrorSummary summarize(std::vector<double> errors) {
  if (errors.empty()) return {};
  std::ranges::sort(errors);
  const auto at = [&](double share) {
    return errors[static_cast<std::size_t>(share * static_cast<double>(errors.size() - 1) + 0.5)];
  };
  const std::size_t half = errors.size() / 2;
  return {.rows = errors.size(),
          .mean = std::accumulate(errors.begin(), errors.end(), 0.0) / static_cast<double>(errors.size()),
          .median = errors.size() % 2 == 1 ? errors[half] : (errors[half - 1] + errors[half]) / 2,
          .p90 = at(0.9)};
}

double estimated_seconds(const Measurement& measurement, const HardwareProfile& hardware) {
  Timeline timeline;
  timeline.add(measurement.op, hardware, spec::DType::bf16);
  return timeline.time().value;
}

bool stays_in_cache(const Measurement& measurement, const HardwareProfile& hardware) {
  // Read and written: half of the traffic is the size. Caches of twice their capacity still keep a part.
  return measurement.op.kind == OpKind::state_decode && measurement.state_bytes / 2 < 2 * hardware.l2_bytes.value;
}

std::vector<Fit> calibrate(std::span<const Measurement> measurements, const HardwareProfile& hardware) {
  std::map<std::pair<OpKind, std::string>, std::vector<const Measurement*>> groups;
  for (const Measurement& row : measurements) groups[{row.op.kind, row.backend}].push_back(&row);
  std::vector<Fit> fits;
  for (const auto& [key, rows] : groups) fits.push_back(fit_class(key.first, key.second, rows, hardware));
  return fits;
}

void write_constants(std::span<const Fit> fits, spec::OrderedJson& profile) {
  const std::string own = profile.value("backend", "");
  std::string fitted;
  for (const Fit& fit : fits) {
    if (!fit.after) continue;
    fitted += fmt::format("{}{} ({})", fitted.empty() ? "" : ", ", op_kind_name(fit.kind), fit.backend);
    const bool other = fit.kind == OpKind::linear_prefill && !own.empty() && fit.backend != own;
    spec::OrderedJson& target = other ? profile["backends"][fit.backend] : profile;
    spec::OrderedJson& classes = other ? target : target["op_classes"];
    classes[std::string(op_kind_name(fit.kind))] = json_of(fit.constants);
    if (fit.chunk_times) target["chunk_times"] = json_of(*fit.chunk_times);
  }
  if (!fitted.empty()) {
    profile["calibration"] =
        fmt::format("plait calibrate fitted {}. All else: {}", fitted, profile.value("calibration", "not calibrated."));
  }
}

}  // namespace plait::costmodel
