#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "src/app/trial_table.h"
#include "src/report/number_format.h"

/// What the frontier panel draws, as plain data.
namespace plait::gui {

enum class PointKind : std::uint8_t { infeasible, dominated, study_front, front, baseline };

struct CloudAxis {
  std::string metric;
  std::string label;  ///< "KV cache (GiB)"
  std::string unit;   ///< of the metric, for values in words
  report::DisplayUnit shown;
  search::Direction direction = search::Direction::minimize;
  bool log = false;  ///< coordinates are then logarithms to base 10
  bool can_log = true;
  double low = 0, high = 1;  ///< of all points, padded; coordinates

  double coordinate(double value) const;
};

/// Points of two metrics in the coordinates of their axes.
struct Cloud {
  CloudAxis x, y;
  std::vector<double> xs, ys;
  std::vector<std::uint32_t> rows;  ///< of the trial table, ascending
  std::vector<PointKind> kinds;
  std::vector<std::uint32_t> staircase;  ///< indices of the front of these two metrics, from the left
  std::vector<std::uint32_t> baselines;  ///< indices
  std::array<std::size_t, 5> counts{};   ///< by PointKind

  std::size_t size() const { return rows.size(); }
  bool has(PointKind kind) const { return counts[static_cast<std::size_t>(kind)] > 0; }
  /// The point of a row of the table, or kNone.
  std::size_t index_of(std::size_t row) const;
  static constexpr std::size_t kNone = SIZE_MAX;
};

struct CloudOptions {
  bool x_log = false, y_log = false;
  std::size_t until = SIZE_MAX;  ///< only the first trials
};

/// Rows without both values are left out. The two metrics must be there.
Cloud make_cloud(const app::TrialTable& table, std::span<const search::Objective> objectives, std::string_view x,
                 std::string_view y, const CloudOptions& options);

/// Dominated area below (or above) the staircase as a share of the box around the feasible points.
double dominated_share(const Cloud& cloud);

/// Finds the point under the mouse among a million: points sorted into a grid of square cells.
class PickIndex {
 public:
  PickIndex() = default;
  explicit PickIndex(const Cloud& cloud);

  static constexpr std::size_t kNone = SIZE_MAX;
  /// The point nearest to (x, y) within `radius` pixels, or kNone; one coordinate unit is `x_scale` (`y_scale`) pixels.
  /// Points with `skip[i] != 0` are not looked at (empty: all are).
  std::size_t nearest(const Cloud& cloud, double x, double y, double x_scale, double y_scale, double radius,
                      std::span<const std::uint8_t> skip = {}) const;

 private:
  std::size_t cell(double value, double low, double high) const;

  std::size_t side_ = 0;
  double x_low_ = 0, x_high_ = 1, y_low_ = 0, y_high_ = 1;
  std::vector<std::uint32_t> start_;   // side^2 + 1
  std::vector<std::uint32_t> points_;  // by cell
};

/// How many points fall into each cell of a box; of rows with `shown[row] != 0` only (empty: of all).
struct Density {
  std::size_t columns = 0, lines = 0;
  std::vector<std::uint32_t> count;  ///< row-major from (x low, y low)
  std::uint32_t most = 0;
};
Density density(const Cloud& cloud, double x_low, double x_high, double y_low, double y_high, std::size_t columns,
                std::size_t lines, std::span<const std::uint8_t> shown = {});

}  // namespace plait::gui
