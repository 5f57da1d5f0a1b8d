#pragma once

#include <memory>
#include <vector>

#include "search/layout_graph.h"
#include "search/study.h"
#include "src/app/study_spec.h"

namespace plait::app {

/// Cheap ones first: the cost model, then the quality estimates that objectives and constraints name.
std::vector<std::unique_ptr<search::Evaluator>> make_evaluators(const StudySpec& study);

/// A study wired up: graph, evaluators, strategy. Not movable, because its parts refer to each other.
struct BuiltStudy {
  explicit BuiltStudy(StudySpec study_spec);
  BuiltStudy(const BuiltStudy&) = delete;

  StudySpec spec;
  search::LayoutGraph graph;
  std::vector<search::Metric> metrics;  ///< all that a trial is scored by, cheap evaluators first
  std::unique_ptr<search::Study> study;
};

/// Throws search::NoLegalLayout, and SpecError when the strategy cannot search these objectives.
std::unique_ptr<BuiltStudy> build_study(StudySpec spec);

}  // namespace plait::app
