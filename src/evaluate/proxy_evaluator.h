#pragma once

#include <memory>
#include <string>
#include <vector>

#include "search/evaluator.h"
#include "src/evaluate/proxy_population.h"

namespace plait::evaluate {

/// A task and its share of the score.
struct RungTask {
  std::string task;
  double weight = 1;
};

/// One round of trainings: all candidates that are left, on every task, with equal schedules.
struct Rung {
  std::vector<RungTask> tasks;
  std::int64_t steps = 0;
  std::int64_t batch = 32;
  std::size_t seeds = 1;
  std::vector<double> learning_rates;  ///< empty: each candidate's best of the rung before
  double keep = 1;  ///< share of the candidates, best first, that go on to the next rung; at least two
};

/// Successive halving over trainings of growing length. `tiny` (minutes on two cores for five candidates) is one
/// rung: it tells layouts without attention, with attention first and with attention further up apart, no more. The
/// others look for the learning rate of each candidate first.
std::vector<Rung> proxy_ladder(proxy::Tier tier);

/// How many distinct proxy models a study trains at most.
std::size_t proxy_limit(proxy::Tier tier);

/// Where a ladder stands.
struct ProxyProgress {
  std::size_t training = 0;   ///< 1-based
  std::size_t trainings = 0;  ///< of the whole ladder
  std::string task;
  std::string device;
  std::size_t members = 0;
  proxy::TrainingProgress now;
};
using ProxyObserver = std::function<void(const ProxyProgress&)>;

struct ProxyOptions {
  const proxy::Backend* backend = nullptr;  ///< outlives the evaluator
  proxy::Tier tier = proxy::Tier::tiny;
  std::string device = "cpu";
  std::filesystem::path checkpoints{};  ///< a folder; empty: none
  ProxyObserver observer{};
  std::vector<Rung> ladder{};  ///< empty: proxy_ladder(tier)
};

/// What one member of a population learnt when.
struct ProxyCurve {
  std::string task;
  std::size_t rung = 0;  ///< of the ladder
  double learning_rate = 0;
  std::size_t seed = 0;
  std::vector<proxy::CurvePoint> points;
};

/// `proxy_recall` (mean information, see src/proxy/score.h, weighted over tasks; source `measured` with the deviation
/// of the mean over seeds), `proxy_recall_least`, that of the weakest task, `proxy_accuracy` at the hardest load and
/// `proxy_locked_in`, the share of seeds that solved it.
std::vector<search::Metric> proxy_metrics();

/// Scores layouts by training small models that stand for them (matched_proxy.h). Layouts with equal proxy models
/// share one training; all that differ are trained side by side. With a ladder that keeps everybody the outcome of a
/// layout does not depend on its company; where a rung drops some, they keep the score of the last rung they took part
/// in.
class ProxyEvaluator final : public search::Evaluator {
 public:
  /// `model`: the base model, whose own layout is not read. Throws spec::SpecError for a task or device that the
  /// backend does not have.
  ProxyEvaluator(spec::ModelSpec model, ProxyOptions options);

  struct Measurement {
    search::Outcome outcome;
    std::string how;                 ///< "tiny on cpu: mqar, 400 steps of 32, 2 seeds, learning rate 0.01"
    std::vector<ProxyCurve> curves;  ///< of every rung it took part in, at its best learning rate there
  };

  /// Throws as Backend::train. When stopped, all are Failure{cancelled}.
  std::vector<Measurement> measure(std::span<const spec::Layout> layouts, std::stop_token stop) const;

  /// The model that stands for a layout, at the shape of the ladder's last task. Layouts with equal ones share a
  /// training.
  spec::ModelSpec proxy_model(const spec::Layout& layout) const;

  /// "tiny on cpu": how every measurement's `how` begins.
  std::string label() const;

  std::string_view name() const override { return "proxy"; }
  std::vector<search::Metric> metrics() const override { return proxy_metrics(); }
  search::CostClass cost_class() const override { return search::CostClass::minutes; }
  void evaluate(std::span<const spec::Layout> layouts, std::span<search::Outcome> outcomes,
                std::stop_token stop) override;

 private:
  struct Entrant;

  proxy::TrainingPlan plan(const Rung& rung, const std::string& task) const;
  spec::ModelSpec reduced(const spec::Layout& layout, const proxy::Backend::TaskShape& shape) const;
  bool run_rung(const Rung& rung, std::span<Entrant* const> field, std::size_t& training, std::size_t trainings,
                std::stop_token stop) const;

  spec::ModelSpec model_;
  ProxyOptions options_;
};

}  // namespace plait::evaluate
