#include <algorithm>

#include "src/app/build_study.h"
#include "src/app/study_spec.h"
#include "tests/fuzz/target.h"

namespace plait::fuzz {
namespace {

constexpr std::size_t kSlots = 8, kCandidates = 6, kObjectives = 3, kBudget = 32, kEnumerated = 512;

/// Small enough to be searched in a moment.
bool is_small(const app::StudySpec& study) {
  return study.space.size() <= kSlots && study.space.candidates.size() <= kCandidates &&
         study.objectives.size() + study.constraints.size() <= kObjectives;
}

void check_graph(const search::LayoutGraph& graph) {
  require(graph.count() > 0, "a graph has a path");
  std::mt19937_64 random(1);
  const search::Path drawn = graph.sample(random);
  require(graph.contains(drawn), "a drawn layout is legal");
  require(graph.contains(graph.neighbour(drawn, 2, random)), "a neighbour of a legal layout is legal");
  const std::vector<search::Path> paths = graph.enumerate(kEnumerated);
  require(graph.count() > kEnumerated ? paths.size() == kEnumerated : graph.count() == paths.size(),
          "as many layouts as counted");
  require(std::ranges::adjacent_find(paths) == paths.end(), "no layout twice");
}

}  // namespace

void study(std::string_view input) {
  spec::Problems problems;
  app::StudySpec study;
  try {
    study = app::study_from_json(spec::parse_json(input, "input"), "", problems);
    problems.throw_if_any();
    if (!is_small(study)) return;
    study.options.budget = std::min(study.options.budget, kBudget);
    const auto built = app::build_study(study);
    check_graph(built->graph);
    built->study->run(nullptr, {}, {});
    for (const search::Trial& trial : built->study->trials()) {
      require(built->graph.contains(trial.path), "every trial is a legal layout");
      const search::Trial again = search::trial_from_json(nlohmann::json(search::to_json(trial)));
      require(search::to_json(again) == search::to_json(trial), "a written trial reads back as itself");
    }
  } catch (const spec::SpecError&) {
  } catch (const search::NoLegalLayout&) {
  }
}

}  // namespace plait::fuzz
