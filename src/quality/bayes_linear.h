#pragma once

#include <Eigen/Core>
#include <span>

namespace plait::quality {

/// Bayesian linear regression y = X b + e with e ~ N(0, s2 I) and independent priors b_j ~ N(0, s2 / ridge_j); a ridge
/// of 0 is a flat prior. The posterior mean is the ridge solution. s2 is estimated as |y - X b|^2 / (rows - effective
/// parameters) with effective parameters = trace of the hat matrix (Hastie, Tibshirani, Friedman, ESL 2nd ed., 7.6),
/// and the posterior covariance s2 (X'X + diag ridge)^-1 is conditional on it.
class BayesLinear {
 public:
  /// `design` [rows x coefficients], `target` [rows], `ridge` [coefficients], all >= 0. Throws std::logic_error when
  /// the shapes disagree, a flat coefficient is not determined by the rows, or no degree of freedom is left for the
  /// noise.
  BayesLinear(const Eigen::MatrixXd& design, const Eigen::VectorXd& target, const Eigen::VectorXd& ridge);

  const Eigen::VectorXd& mean() const { return mean_; }
  const Eigen::MatrixXd& covariance() const { return covariance_; }
  double noise_variance() const { return noise_variance_; }
  double effective_parameters() const { return effective_parameters_; }
  const Eigen::VectorXd& fitted() const { return fitted_; }

  /// Prediction of each row by the model refitted without it, in closed form: y_i - e_i / (1 - h_ii), exact for fixed
  /// ridge.
  const Eigen::VectorXd& leave_one_out() const { return leave_one_out_; }

  double predict(const Eigen::VectorXd& row) const { return row.dot(mean_); }
  /// Standard deviation of a new observation: posterior and noise.
  double deviation(const Eigen::VectorXd& row) const;

 private:
  Eigen::VectorXd mean_;
  Eigen::MatrixXd covariance_;
  Eigen::VectorXd fitted_;
  Eigen::VectorXd leave_one_out_;
  double noise_variance_ = 0;
  double effective_parameters_ = 0;
};

/// Root of the mean squared difference. Throws std::logic_error for unequal or zero lengths, as `spearman` does.
double rmse(std::span<const double> a, std::span<const double> b);
/// Spearman's rank correlation, ties at their average rank; 0 when one side is constant.
double spearman(std::span<const double> a, std::span<const double> b);

}  // namespace plait::quality
