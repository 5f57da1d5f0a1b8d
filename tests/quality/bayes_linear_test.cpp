#include "src/quality/bayes_linear.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <Eigen/Dense>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace plait::quality {
namespace {

Eigen::VectorXd vector(std::initializer_list<double> values) {
  return Eigen::Map<const Eigen::VectorXd>(values.begin(), static_cast<Eigen::Index>(values.size()));
}

struct Problem {
  Eigen::MatrixXd design;
  Eigen::VectorXd target;
  Eigen::VectorXd ridge;
};

/// 5..12 rows of an intercept and three entries in [-1, 1]; ridge of at least .1 beside the intercept keeps it
/// solvable.
Problem random_problem() {
  const int rows = *rc::gen::inRange(5, 13);
  const auto unit = rc::gen::map(rc::gen::inRange(-1000, 1001), [](int x) { return x / 1000.0; });
  Problem problem{Eigen::MatrixXd(rows, 4), Eigen::VectorXd(rows), Eigen::VectorXd(4)};
  for (int i = 0; i < rows; ++i) {
    problem.design(i, 0) = 1;
    for (int j = 1; j < 4; ++j) problem.design(i, j) = *unit;
    problem.target(i) = *unit;
  }
  problem.ridge(0) = 0;
  for (int j = 1; j < 4; ++j) problem.ridge(j) = *rc::gen::inRange(1, 20) / 10.0;
  return problem;
}

TEST(BayesLinear, IsLeastSquaresWithoutRidge) {
  // y = 1 + 2 x with errors (+1, -1, -1, +1), which are orthogonal to both columns.
  Eigen::MatrixXd design(4, 2);
  design << 1, 0, 1, 1, 1, 2, 1, 3;
  const BayesLinear fit(design, vector({2, 2, 4, 8}), Eigen::VectorXd::Zero(2));
  EXPECT_NEAR(fit.mean()(0), 1, 1e-12);
  EXPECT_NEAR(fit.mean()(1), 2, 1e-12);
  EXPECT_NEAR(fit.effective_parameters(), 2, 1e-12);
  EXPECT_NEAR(fit.noise_variance(), 4.0 / 2, 1e-12);
  // Textbook: var slope = s2 / sum (x - mean)^2 = 2 / 5, of a new point at x = 5: s2 (1 + 1/4 + 3.5^2 / 5).
  EXPECT_NEAR(fit.covariance()(1, 1), 0.4, 1e-12);
  EXPECT_NEAR(fit.deviation(vector({1, 5})), std::sqrt(2 * (1 + 0.25 + 12.25 / 5)), 1e-12);
  EXPECT_NEAR(fit.predict(vector({1, 5})), 11, 1e-12);
}

TEST(BayesLinear, RidgeShrinksOnlyWhatItIsGivenFor) {
  // One flat mean and two opposite offsets: b = +-sum / (rows + ridge) = +-2 / (2 + 2).
  Eigen::MatrixXd design(4, 3);
  design << 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1;
  const BayesLinear fit(design, vector({6, 6, 4, 4}), vector({0, 2, 2}));
  EXPECT_NEAR(fit.mean()(0), 5, 1e-12);
  EXPECT_NEAR(fit.mean()(1), 0.5, 1e-12);
  EXPECT_NEAR(fit.mean()(2), -0.5, 1e-12);
}

RC_GTEST_PROP(BayesLinear, LeaveOneOutIsRefitting, ()) {
  const Problem problem = random_problem();
  const BayesLinear fit(problem.design, problem.target, problem.ridge);
  for (Eigen::Index left_out = 0; left_out < problem.target.size(); ++left_out) {
    std::vector<Eigen::Index> kept;
    for (Eigen::Index i = 0; i < problem.target.size(); ++i) {
      if (i != left_out) kept.push_back(i);
    }
    const BayesLinear refit(problem.design(kept, Eigen::all), problem.target(kept), problem.ridge);
    const double expected = refit.predict(problem.design.row(left_out).transpose());
    RC_ASSERT(std::abs(fit.leave_one_out()(left_out) - expected) < 1e-9);  // rounding of a 4 x 4 solve
  }
}

RC_GTEST_PROP(BayesLinear, MeanIsTheStationaryPointOfThePenalisedError, ()) {
  const Problem problem = random_problem();
  const BayesLinear fit(problem.design, problem.target, problem.ridge);
  const Eigen::VectorXd gradient =
      problem.design.transpose() * (problem.target - fit.fitted()) - problem.ridge.cwiseProduct(fit.mean());
  RC_ASSERT(gradient.lpNorm<Eigen::Infinity>() < 1e-9);
}

TEST(BayesLinear, RefusesWhatItCannotFit) {
  const Eigen::MatrixXd twice = Eigen::MatrixXd::Ones(4, 2);
  const Eigen::VectorXd target = vector({1, 2, 3, 4});
  EXPECT_THROW(BayesLinear(twice, target, Eigen::VectorXd::Zero(2)), std::logic_error) << "two equal flat columns";
  EXPECT_NO_THROW(BayesLinear(twice, target, vector({0, 1})));
  EXPECT_THROW(BayesLinear(twice, vector({1, 2}), vector({0, 1})), std::logic_error) << "rows differ";
  EXPECT_THROW(BayesLinear(twice, target, vector({1})), std::logic_error) << "columns differ";
  EXPECT_THROW(BayesLinear(twice, target, vector({0, -1})), std::logic_error) << "negative ridge";
  EXPECT_THROW(BayesLinear(Eigen::MatrixXd::Identity(2, 2), vector({1, 2}), Eigen::VectorXd::Zero(2)), std::logic_error)
      << "as many parameters as rows";
}

TEST(Rmse, IsTheRootOfTheMeanSquare) {
  EXPECT_DOUBLE_EQ(rmse(std::vector{1.0, 2.0}, std::vector{4.0, 6.0}), std::sqrt(12.5));
  EXPECT_THROW(rmse(std::vector{1.0}, std::vector<double>{}), std::logic_error);
}

TEST(Spearman, GivesTiesTheirAverageRank) {
  // Ranks 1, 2.5, 2.5, 4 against 1, 3, 2, 4: covariance 4.5, variances 4.5 and 5.
  EXPECT_NEAR(spearman(std::vector{10.0, 20.0, 20.0, 90.0}, std::vector{1.0, 3.0, 2.0, 4.0}), 4.5 / std::sqrt(22.5),
              1e-12);
}

TEST(Spearman, SeesOrderOnly) {
  const std::vector<double> x = {1, 2, 3, 4, 5};
  EXPECT_DOUBLE_EQ(spearman(x, std::vector{1.0, 10.0, 100.0, 1000.0, 1e6}), 1);
  EXPECT_DOUBLE_EQ(spearman(x, std::vector{5.0, 4.0, 3.0, 2.0, -7.0}), -1);
  EXPECT_DOUBLE_EQ(spearman(x, std::vector{2.0, 2.0, 2.0, 2.0, 2.0}), 0);
}

}  // namespace
}  // namespace plait::quality
