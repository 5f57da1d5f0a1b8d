#pragma once

#include <memory>
#include <vector>

#include "search/evaluator.h"

namespace plait::evaluate {

/// `recall` and `lm_average`, predicted from published results (source `prior`, always with a deviation).
std::vector<search::Metric> prior_metrics();
std::unique_ptr<search::Evaluator> make_prior_evaluator();

/// `published_recall` and `published_lm_average`: the values that arXiv 2507.06457 printed for its own configurations
/// (source `measured`). A layout that is none of them fails as `unsupported`.
std::vector<search::Metric> published_metrics();
std::unique_ptr<search::Evaluator> make_published_evaluator(std::vector<std::string> metrics);

}  // namespace plait::evaluate
