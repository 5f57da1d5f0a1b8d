#pragma once

#include <string>
#include <vector>

#include "search/exact_front.h"
#include "search/layout_graph.h"
#include "search/pareto.h"
#include "search/search_space.h"
#include "search/trial.h"
#include "src/app/study_spec.h"

/// What is measured: made-up instances that follow from fixed seeds, and the real ones of examples/quickstart.json.
namespace plait::bench {

/// A problem for the front engines.
struct Instance {
  search::LayoutGraph graph;
  std::vector<search::AdditiveObjective> objectives;
};

struct RandomKind {
  bool pairs = false;    ///< pair terms in the first objective
  bool counter = false;  ///< one table per number of counted slots in the first objective
};

/// `slots` x `candidates` without rules, two minimised objectives of uniform random terms.
Instance random_instance(std::size_t slots, std::size_t candidates, RandomKind kind = {});

/// examples/quickstart.json as it is.
app::StudySpec quickstart();

/// The quickstart's model, hardware and workload over 24 slots of eight freely mixed candidates: its seven and Mamba-2,
/// without its rule. `metrics` are the objectives, in the directions that the metrics have.
Instance free_instance(const std::vector<std::string>& metrics);
/// The same metrics over the quickstart's own space, at most one linear mixer per layout.
Instance quickstart_instance(const std::vector<std::string>& metrics);

/// `count` layouts of the quickstart's space drawn uniformly, scored by its evaluators.
std::vector<search::Trial> scored_trials(std::size_t count);

/// Share of the exact front's hypervolume that `points` reach, in the exact front's own box widened by a tenth.
double share_of_front(const std::vector<search::FrontPoint>& exact, const std::vector<search::Point>& points);

}  // namespace plait::bench
