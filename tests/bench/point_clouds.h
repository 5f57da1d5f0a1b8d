#pragma once

#include <cmath>
#include <random>

#include "search/pareto.h"

namespace plait::bench {

/// Mutually nondominated points: 1 - x for x on the unit sphere's positive part, drawn from a fixed seed.
inline std::vector<search::Point> front_cloud(std::size_t count, std::size_t dims) {
  std::mt19937_64 random(1);
  std::vector<search::Point> points(count, search::Point(dims));
  for (search::Point& point : points) {
    double norm = 0;
    for (double& x : point) {
      x = static_cast<double>(random() >> 11) * 0x1p-53 + 1e-9;
      norm += x * x;
    }
    for (double& x : point) x = 1 - x / std::sqrt(norm);
  }
  return points;
}

/// Uniform in the unit cube: most points are dominated.
inline std::vector<search::Point> cube_cloud(std::size_t count, std::size_t dims) {
  std::mt19937_64 random(1);
  std::vector<search::Point> points(count, search::Point(dims));
  for (search::Point& point : points) {
    for (double& x : point) x = static_cast<double>(random() >> 11) * 0x1p-53;
  }
  return points;
}

}  // namespace plait::bench
