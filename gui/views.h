#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gui/cloud.h"
#include "gui/trial_order.h"
#include "src/app/results.h"

/// What the panels draw of all trials, as values made by a plain function: at a million trials on another thread.
namespace plait::gui {

/// A range of a metric that trials must be in.
struct Brush {
  std::string metric;
  double low = 0, high = 0;

  bool operator==(const Brush&) const = default;
};

struct ViewRequest {
  std::string x, y;  ///< metrics; the table may lack them
  bool x_log = false, y_log = false;
  std::size_t until = SIZE_MAX;  ///< the frontier after so many trials
  std::string filter;            ///< as typed
  std::vector<Brush> brushes;
  TrialSort sort;

  bool operator==(const ViewRequest&) const = default;
};

/// What is said of a table as a whole.
struct TableSummary {
  std::vector<std::pair<double, double>> ranges;  ///< of the finite values of every column; low > high: there are none
  std::vector<std::uint32_t> front;               ///< rows on the front of all objectives
  std::map<search::Failure::Kind, std::size_t> failed;
  std::size_t outside = 0;  ///< scored, but outside the constraints
};

struct ShownRows {
  std::vector<std::uint8_t> rows;  ///< per row: inside filter and brushes
  std::size_t count = 0;
};

/// All of one table. Parts are shared between the Views of a table where a request leaves them as they were.
struct Views {
  std::shared_ptr<const app::StudyResults> results{};
  std::shared_ptr<const app::TrialTable> table{};
  ViewRequest request{};
  std::shared_ptr<const TableSummary> summary{};
  std::shared_ptr<const Cloud> cloud{};
  std::shared_ptr<const PickIndex> pick{};  ///< of the cloud
  double dominated = 0;                     ///< dominated_share of the cloud
  std::shared_ptr<const ShownRows> shown{};
  std::shared_ptr<const std::vector<std::uint32_t>> order{};  ///< shown rows, sorted
};

/// `before`: what was made last; parts of the same table and the same request are taken from it.
Views make_views(std::shared_ptr<const app::StudyResults> results, std::shared_ptr<const app::TrialTable> table,
                 const ViewRequest& request, const Views& before);

}  // namespace plait::gui
