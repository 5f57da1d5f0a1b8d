#include "src/evaluate/cost_evaluator.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "costmodel/cost_report.h"
#include "costmodel/published_counts.h"

namespace plait::evaluate {
namespace {

using costmodel::CostReport;
using costmodel::LayerCost;
using costmodel::ModelCost;
using search::Direction;
using search::Metric;
using search::Source;

/// Everything that a cost metric may read.
struct Costed {
  const spec::ModelSpec& model;
  const spec::Workload& workload;
  const CostReport& report;
};

/// One metric as a whole, and as the terms of its sum.
struct CostMetric {
  std::string_view name;
  std::string_view unit;
  Source source;
  std::string_view help;
  double (*total)(const Costed&);
  double (*layer)(const spec::LayerSpec&, const LayerCost&, const spec::ModelSpec&, const spec::Workload&);
  double (*model)(const ModelCost&);
};

double count(std::int64_t value) { return static_cast<double>(value); }
double none(const ModelCost&) { return 0; }

std::int64_t mixer_flops(const spec::LayerSpec& layer, const spec::ModelSpec& model, const spec::Workload& workload) {
  return costmodel::recurrent_mixer_flops(layer.mixer, model.d_model, workload.context);
}

template <auto Total, auto Layer, auto Model>
constexpr CostMetric counted(std::string_view name, std::string_view unit, std::string_view help) {
  return {name,
          unit,
          Source::exact,
          help,
          [](const Costed& c) { return count(Total(c.report)); },
          [](const spec::LayerSpec&, const LayerCost& cost, const spec::ModelSpec&, const spec::Workload&) {
            return count(Layer(cost));
          },
          [](const ModelCost& cost) { return count(Model(cost)); }};
}

template <auto Total, auto Layer, auto Model>
constexpr CostMetric timed(std::string_view name, std::string_view help) {
  return {name,
          "s",
          Source::estimate,
          help,
          [](const Costed& c) { return (c.report.*Total).value; },
          [](const spec::LayerSpec&, const LayerCost& cost, const spec::ModelSpec&, const spec::Workload&) {
            return (cost.*Layer).value;
          },
          [](const ModelCost& cost) { return (cost.*Model).value; }};
}

constexpr auto kZero = [](const ModelCost&) { return std::int64_t{0}; };

const std::array kMetrics = {
    counted<[](const CostReport& c) { return c.parameters.total; }, [](const LayerCost& c) { return c.parameters; },
            [](const ModelCost& c) { return c.parameters.total(); }>("parameters", "parameters",
                                                                     "weights of the whole model"),
    counted<[](const CostReport& c) { return c.parameters.active; },
            [](const LayerCost& c) { return c.active_parameters; },
            [](const ModelCost& c) { return c.parameters.total(); }>("active_parameters", "parameters",
                                                                     "weights that one token uses"),
    counted<[](const CostReport& c) { return c.kv_cache_bytes; }, [](const LayerCost& c) { return c.kv_cache_bytes; },
            kZero>("kv_cache_bytes", "bytes", "keys, values and latents of the whole batch at the context"),
    counted<[](const CostReport& c) { return c.state_bytes; }, [](const LayerCost& c) { return c.state_bytes; }, kZero>(
        "state_bytes", "bytes", "recurrent states and convolution windows of the whole batch"),
    counted<[](const CostReport& c) { return c.kv_cache_bytes + c.state_bytes; },
            [](const LayerCost& c) { return c.kv_cache_bytes + c.state_bytes; }, kZero>("cache_bytes", "bytes",
                                                                                        "KV cache and states together"),
    counted<[](const CostReport& c) { return c.weights_bytes + c.kv_cache_bytes + c.state_bytes; },
            [](const LayerCost& c) { return c.weights_bytes + c.kv_cache_bytes + c.state_bytes; },
            [](const ModelCost& c) { return c.weights_bytes; }>("memory_bytes", "bytes",
                                                                "weights, KV cache and states"),
    counted<[](const CostReport& c) { return c.forward_flops; }, [](const LayerCost& c) { return c.forward_flops; },
            [](const ModelCost& c) { return c.forward_flops; }>("forward_flops", "flops",
                                                                "one pass over the whole batch"),
    counted<[](const CostReport& c) { return c.training_flops; }, [](const LayerCost& c) { return c.training_flops; },
            [](const ModelCost& c) { return c.training_flops; }>("training_flops", "flops",
                                                                 "forward and backward pass"),
    counted<[](const CostReport& c) { return c.decode_flops_per_token; },
            [](const LayerCost& c) { return c.decode_flops_per_token; },
            [](const ModelCost& c) { return c.decode_flops_per_token; }>("decode_flops", "flops",
                                                                         "one generated token of one sequence"),
    timed<&CostReport::prefill, &LayerCost::prefill, &ModelCost::prefill>("prefill_s", "one pass over the whole batch"),
    timed<&CostReport::decode_step, &LayerCost::decode_step, &ModelCost::decode_step>(
        "decode_step_s", "one token for every sequence of the batch"),
    CostMetric{"mixer_flops", "flops", Source::exact,
               "token mixers alone over one sequence, as arXiv 2507.06457 counts them",
               [](const Costed& c) {
                 std::int64_t sum = 0;
                 for (const spec::LayerSpec& layer : c.model.layout.layers)
                   sum += mixer_flops(layer, c.model, c.workload);
                 return count(sum);
               },
               [](const spec::LayerSpec& layer, const LayerCost&, const spec::ModelSpec& model,
                  const spec::Workload& workload) { return count(mixer_flops(layer, model, workload)); },
               none},
    CostMetric{"full_layers", "layers", Source::exact, "layers with full attention",
               [](const Costed& c) { return static_cast<double>(spec::count_full(c.model.layout)); },
               [](const spec::LayerSpec& layer, const LayerCost&, const spec::ModelSpec&, const spec::Workload&) {
                 return spec::is_full_attention(layer.mixer) ? 1.0 : 0.0;
               },
               none},
};

const CostMetric* find_metric(std::string_view name) {
  const auto it = std::ranges::find(kMetrics, name, &CostMetric::name);
  return it == kMetrics.end() ? nullptr : &*it;
}

/// A metric at a workload, under the name that the study calls it by.
struct Column {
  std::string name;
  const CostMetric* metric;
  std::size_t workload;
};

class CostEvaluator final : public search::Evaluator {
 public:
  CostEvaluator(spec::ModelSpec model, costmodel::HardwareProfile hardware, const std::vector<NamedWorkload>& workloads,
                const std::vector<std::string>& extra)
      : model_(std::move(model)), hardware_(std::move(hardware)), workloads_(workloads) {
    for (const CostMetric& metric : kMetrics) columns_.push_back({std::string(metric.name), &metric, own_workload()});
    for (const std::string& name : extra) {
      const std::size_t at = name.find('@');
      const CostMetric* metric = find_metric(name.substr(0, at));
      const auto workload = std::ranges::find(workloads_, name.substr(at + 1), &NamedWorkload::name);
      if (metric == nullptr || at == std::string::npos || workload == workloads_.end()) {
        throw std::logic_error("cost evaluator: no metric " + name);
      }
      columns_.push_back({name, metric, static_cast<std::size_t>(workload - workloads_.begin())});
    }
    for (const Column& column : columns_) used_.push_back(column.workload);
    std::ranges::sort(used_);
    used_.erase(std::unique(used_.begin(), used_.end()), used_.end());
  }

  std::string_view name() const override { return "cost"; }
  search::CostClass cost_class() const override { return search::CostClass::microseconds; }
  std::vector<Metric> metrics() const override {
    std::vector<Metric> metrics;
    for (const Column& column : columns_) {
      metrics.push_back(
          {column.name, std::string(column.metric->unit), Direction::minimize, std::string(column.metric->help)});
    }
    return metrics;
  }

  void evaluate(std::span<const spec::Layout> layouts, std::span<search::Outcome> outcomes, std::stop_token) override {
    spec::ModelSpec model = model_;
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      model.layout = layouts[i];
      outcomes[i] = scores_of(model);
    }
  }

  std::optional<search::AdditiveScore> additive(std::string_view name,
                                                const search::SearchSpace& space) const override {
    const auto column = std::ranges::find(columns_, name, &Column::name);
    if (column == columns_.end()) return std::nullopt;
    const CostMetric& metric = *column->metric;
    const spec::Workload& workload = workloads_[column->workload].workload;

    search::AdditiveScore::Terms terms;
    std::vector<double> row;
    std::optional<double> base;
    for (const search::Candidate& candidate : space.candidates) {
      row.push_back(metric.layer(candidate.layer, costmodel::layer_cost(candidate.layer, model_, workload, hardware_),
                                 model_, workload));
      // What stands outside the layers must not depend on which are chosen (HGRN's lower bounds do, in the parameters).
      spec::ModelSpec uniform = model_;
      uniform.layout.layers.assign(space.size(), candidate.layer);
      const double outside = metric.model(costmodel::model_cost(uniform, workload, hardware_));
      if (base && *base != outside) return std::nullopt;
      base = outside;
    }
    terms.base = base.value_or(0);
    for (std::size_t slot = 0; slot < space.size(); ++slot) terms.slot.insert(terms.slot.end(), row.begin(), row.end());
    return search::AdditiveScore{.slots = space.size(),
                                 .candidates = space.candidates.size(),
                                 .counted = std::vector<std::uint8_t>(space.candidates.size(), 0),
                                 .terms = {std::move(terms)}};
  }

 private:
  std::size_t own_workload() const {
    return static_cast<std::size_t>(std::ranges::find(workloads_, "", &NamedWorkload::name) - workloads_.begin());
  }

  search::Outcome scores_of(const spec::ModelSpec& model) const {
    search::Scores scores;
    for (const std::size_t index : used_) {
      const spec::Workload& workload = workloads_[index].workload;
      CostReport report;
      try {
        report = costmodel::cost_report(model, workload, hardware_);
      } catch (const spec::SpecError& error) {  // a count past 64 bits
        return search::Failure{search::Failure::Kind::unsupported, error.what()};
      }
      for (const Column& column : columns_) {
        if (column.workload != index) continue;
        scores[column.name] = {column.metric->total({model, workload, report}), std::nullopt, column.metric->source};
      }
    }
    return scores;
  }

  spec::ModelSpec model_;
  costmodel::HardwareProfile hardware_;
  std::vector<NamedWorkload> workloads_;
  std::vector<Column> columns_;
  std::vector<std::size_t> used_;  ///< workloads that a column names
};

}  // namespace

std::vector<Metric> cost_metrics() {
  std::vector<Metric> metrics;
  for (const CostMetric& metric : kMetrics) {
    metrics.push_back(
        {std::string(metric.name), std::string(metric.unit), Direction::minimize, std::string(metric.help)});
  }
  return metrics;
}

std::unique_ptr<search::Evaluator> make_cost_evaluator(spec::ModelSpec model, costmodel::HardwareProfile hardware,
                                                       const std::vector<NamedWorkload>& workloads,
                                                       const std::vector<std::string>& extra) {
  return std::make_unique<CostEvaluator>(std::move(model), std::move(hardware), workloads, extra);
}

}  // namespace plait::evaluate
