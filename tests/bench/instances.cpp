#include "tests/bench/instances.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <random>

#include "src/evaluate/cost_evaluator.h"
#include "src/evaluate/prior_evaluator.h"
#include "tests/search/small_spaces.h"

namespace plait::bench {
namespace {

constexpr const char* kQuickstart = PLAIT_SOURCE_DIR "/examples/quickstart.json";

std::vector<std::unique_ptr<search::Evaluator>> evaluators_of(const app::StudySpec& study) {
  std::vector<std::unique_ptr<search::Evaluator>> evaluators;
  evaluators.push_back(evaluate::make_cost_evaluator(study.model, study.hardware, study.workloads, {}));
  evaluators.push_back(evaluate::make_prior_evaluator());
  return evaluators;
}

Instance instance_of(const app::StudySpec& study, const std::vector<std::string>& metrics) {
  Instance instance{search::LayoutGraph(study.space), {}};
  const auto evaluators = evaluators_of(study);
  for (const std::string& name : metrics) {
    for (const auto& evaluator : evaluators) {
      auto score = evaluator->additive(name, study.space);
      if (!score) continue;
      const auto offered = evaluator->metrics();
      const auto metric = std::ranges::find(offered, name, &search::Metric::name);
      instance.objectives.push_back({std::move(*score), metric->direction, {}, {}, true});
    }
  }
  assert(instance.objectives.size() == metrics.size());
  return instance;
}

}  // namespace

Instance random_instance(std::size_t slots, std::size_t candidates, RandomKind kind) {
  search::testing::Dice dice(20261124);
  std::vector<std::uint8_t> counted(candidates, 0);
  counted[0] = 1;
  const auto score = [&](bool pairs, bool counter) {
    return search::testing::random_score(slots, candidates, counted,
                                         {.counter = counter, .pairs = pairs, .integers = false}, dice);
  };
  Instance instance{search::LayoutGraph(search::testing::space_of(slots, candidates)), {}};
  instance.objectives.push_back({score(kind.pairs, kind.counter), search::Direction::minimize, {}, {}, true});
  instance.objectives.push_back({score(false, false), search::Direction::minimize, {}, {}, true});
  return instance;
}

app::StudySpec quickstart() { return app::read_study(kQuickstart, {}); }

Instance free_instance(const std::vector<std::string>& metrics) {
  spec::Json json = quickstart().source;
  json["space"]["candidates"].push_back("M");
  json["space"].erase("rules");
  spec::Problems problems;
  const app::StudySpec study = app::study_from_json(std::move(json), "", problems);
  problems.throw_if_any();
  return instance_of(study, metrics);
}

Instance quickstart_instance(const std::vector<std::string>& metrics) { return instance_of(quickstart(), metrics); }

std::vector<search::Trial> scored_trials(std::size_t count) {
  const app::StudySpec study = quickstart();
  const search::LayoutGraph graph(study.space);
  const auto evaluators = evaluators_of(study);
  std::mt19937_64 random(1);
  std::vector<search::Trial> trials;
  for (std::size_t i = 0; i < count; ++i) {
    search::Trial trial;
    trial.id = std::to_string(i);
    trial.path = graph.sample(random);
    const spec::Layout layout = study.space.layout(trial.path);
    trial.layout = spec::print_layout(layout, study.palette);
    search::Scores scores;
    for (const auto& evaluator : evaluators) {
      search::Outcome outcome;
      evaluator->evaluate({&layout, 1}, {&outcome, 1}, {});
      scores.merge(std::get<search::Scores>(outcome));
    }
    trial.outcome = std::move(scores);
    trials.push_back(std::move(trial));
  }
  return trials;
}

double share_of_front(const std::vector<search::FrontPoint>& exact, const std::vector<search::Point>& points) {
  const std::size_t dims = exact.front().values.size();
  search::Point low(dims, std::numeric_limits<double>::infinity());
  search::Point high(dims, -std::numeric_limits<double>::infinity());
  std::vector<search::Point> front;
  for (const search::FrontPoint& point : exact) {
    front.push_back(point.values);
    for (std::size_t d = 0; d < dims; ++d) {
      low[d] = std::min(low[d], point.values[d]);
      high[d] = std::max(high[d], point.values[d]);
    }
  }
  for (std::size_t d = 0; d < dims; ++d) high[d] += 0.1 * (high[d] - low[d]);
  return search::hypervolume(points, high) / search::hypervolume(front, high);
}

}  // namespace plait::bench
