#pragma once

#include <cstddef>
#include <span>
#include <vector>

/// Dominance and hypervolume as free functions on points. Every coordinate is minimised: negate what is maximised.
/// Infinite coordinates are ordinary values; a NaN coordinate, or points of different dimension, throw
/// std::invalid_argument.
namespace plait::search {

using Point = std::vector<double>;

/// a <= b in every coordinate and a < b in one.
bool dominates(std::span<const double> a, std::span<const double> b);

/// Indices of the points that no other dominates, ascending. Of equal points all are kept. O(n log n) in up to three
/// dimensions (Kung, Luccio, Preparata 1975), O(n x front) above.
std::vector<std::size_t> nondominated(std::span<const Point> points);

/// Front number of every point: 0 for the nondominated, 1 for those nondominated without them, ... (NSGA-II's rank).
/// Points enter in lexicographic order and find their front by binary search (ENS-BS, Zhang et al. 2015):
/// O(n log^2 n) in up to three dimensions, O(n^2) at worst above.
std::vector<std::size_t> nondominated_rank(std::span<const Point> points);

/// Crowding distance (Deb et al. 2002) of the points of one front; infinity at the extremes. A coordinate in which all
/// points agree, or whose range is infinite, adds nothing between the extremes.
std::vector<double> crowding_distance(std::span<const Point> points);

/// Volume dominated by the points inside the box below `reference`; points not below it in every coordinate add
/// nothing. Exact to rounding: a sweep over a staircase in up to three dimensions (O(n log n)), the recursion of While,
/// Bradstreet and Barone (WFG, 2012) above. Infinite when a contributing point is infinitely far below the reference.
double hypervolume(std::span<const Point> points, std::span<const double> reference);

}  // namespace plait::search
