#include "src/quality/bayes_linear.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace plait::quality {
namespace {

void require_same_length(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || a.size() != b.size()) throw std::logic_error("samples must have one length and not be empty");
}

std::vector<double> average_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first + 1;
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    const double rank = static_cast<double>(first + last + 1) / 2;
    for (; first < last; ++first) ranks[order[first]] = rank;
  }
  return ranks;
}

}  // namespace

BayesLinear::BayesLinear(const Eigen::MatrixXd& design, const Eigen::VectorXd& target, const Eigen::VectorXd& ridge) {
  if (design.rows() != target.size() || design.cols() != ridge.size() || design.rows() == 0 ||
      (ridge.array() < 0).any()) {
    throw std::logic_error("design, target and ridge do not fit together");
  }
  Eigen::MatrixXd precision = design.transpose() * design;
  precision.diagonal() += ridge;
  const Eigen::LDLT<Eigen::MatrixXd> solver(precision);
  // A pivot this far below the largest one means that flat coefficients can trade off freely.
  const Eigen::VectorXd pivots = solver.vectorD();
  if (solver.info() != Eigen::Success || pivots.minCoeff() <= 1e-12 * pivots.maxCoeff()) {
    throw std::logic_error("the rows do not determine every flat coefficient");
  }
  const Eigen::MatrixXd inverse = solver.solve(Eigen::MatrixXd::Identity(design.cols(), design.cols()));
  const Eigen::VectorXd leverage = (design * inverse).cwiseProduct(design).rowwise().sum();

  mean_ = solver.solve(design.transpose() * target);
  fitted_ = design * mean_;
  const Eigen::VectorXd residual = target - fitted_;
  effective_parameters_ = leverage.sum();
  const double freedom = static_cast<double>(design.rows()) - effective_parameters_;
  if (freedom < 1e-9) throw std::logic_error("no degree of freedom is left for the noise");
  noise_variance_ = residual.squaredNorm() / freedom;
  covariance_ = noise_variance_ * inverse;
  leave_one_out_ = target - residual.cwiseQuotient(Eigen::VectorXd::Ones(leverage.size()) - leverage);
}

double BayesLinear::deviation(const Eigen::VectorXd& row) const {
  return std::sqrt(noise_variance_ + row.dot(covariance_ * row));
}

double rmse(std::span<const double> a, std::span<const double> b) {
  require_same_length(a, b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

double spearman(std::span<const double> a, std::span<const double> b) {
  require_same_length(a, b);
  const std::vector<double> ranks_a = average_ranks(a);
  const std::vector<double> ranks_b = average_ranks(b);
  const double middle = (static_cast<double>(a.size()) + 1) / 2;
  double covariance = 0;
  double variance_a = 0;
  double variance_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    covariance += (ranks_a[i] - middle) * (ranks_b[i] - middle);
    variance_a += (ranks_a[i] - middle) * (ranks_a[i] - middle);
    variance_b += (ranks_b[i] - middle) * (ranks_b[i] - middle);
  }
  return variance_a == 0 || variance_b == 0 ? 0.0 : covariance / std::sqrt(variance_a * variance_b);
}

}  // namespace plait::quality
