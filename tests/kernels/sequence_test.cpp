#include "kernels/sequence/sequence.h"

#include <gmock/gmock.h>

#include <cmath>
#include <stdexcept>

#include "tests/kernels/op_check.h"

namespace plait::kernels {
namespace {

using namespace testing;
using ::testing::HasSubstr;

/// The formulas of the header as they stand, differentiated by autograd.
at::Tensor plain_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      const at::Tensor& history) {
  const auto M = x.size(0), B = x.size(1), T = x.size(2), D = x.size(3), W = weight.size(2);
  const auto before = history.defined() ? history : at::zeros({M, B, W - 1, D}, x.options());
  const auto padded = at::cat({before, x}, 2).permute({1, 0, 3, 2}).reshape({B, M * D, T + W - 1});
  const auto taps = weight.reshape({M * D, 1, W});
  const auto y = at::conv1d(padded, taps, bias.defined() ? bias.reshape({M * D}) : at::Tensor(), at::IntArrayRef{1},
                            at::IntArrayRef{0}, at::IntArrayRef{1}, M * D);
  return y.view({B, M, D, T}).permute({1, 0, 3, 2});
}

at::Tensor over_axes(const at::Tensor& weight, const at::Tensor& x) {
  auto sizes = std::vector<std::int64_t>(static_cast<std::size_t>(x.dim()), 1);
  sizes.front() = x.size(0);
  sizes.back() = x.size(-1);
  return weight.reshape(sizes);
}

at::Tensor plain_rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return x / (x.square().mean(-1, true) + eps).sqrt() * over_axes(weight, x);
}

template <class Function>
Op op_of(Function function) {
  return [=](const std::vector<at::Tensor>& x) { return std::vector<at::Tensor>{function(x)}; };
}

void expect_equal(const Op& op, const Op& plain, const std::vector<Input>& inputs) {
  expect_equal_in_fp64(op, plain, inputs);
  expect_as_exact_as_plain(op, plain, inputs);
  expect_as_exact_as_plain(op, plain, inputs, at::kBFloat16);
}

class ShortConv : public OpTest {};

TEST_F(ShortConv, EqualsAConvolution) {
  const auto op = op_of([](const auto& x) { return short_conv(x[0], x[1], x[2], x[3]); });
  const auto plain = op_of([](const auto& x) { return plain_conv(x[0], x[1], x[2], x[3]); });
  for (const std::int64_t T : {1, 2, 3, 4, 15, 64})
    for (const std::int64_t W : {1, 2, 4})
      for (const bool bias : {false, true})
        for (const bool history : {false, true}) {
          if (history && W == 1) continue;
          SCOPED_TRACE(::testing::Message() << "T " << T << " W " << W << " bias " << bias << " history " << history);
          expect_equal(op, plain,
                       {{"x", at::randn({2, 3, T, 5}, at::kDouble)},
                        {"weight", at::randn({2, 5, W}, at::kDouble)},
                        {"bias", bias ? at::randn({2, 5}, at::kDouble) : at::Tensor()},
                        {"history", history ? at::randn({2, 3, W - 1, 5}, at::kDouble) : at::Tensor()}});
        }
}

TEST_F(ShortConv, LastTapMeetsTheCurrentToken) {
  const auto x = at::randn({1, 1, 5, 2});
  const auto weight = at::tensor({0.0f, 0.0f, 10.0f, 1.0f}).expand({1, 2, 4});
  const auto y = short_conv(x, weight);
  EXPECT_TRUE(at::allclose(y.select(2, 0), x.select(2, 0)));
  EXPECT_TRUE(at::allclose(y.select(2, 3), x.select(2, 3) + 10 * x.select(2, 2)));
}

TEST_F(ShortConv, GivesTheSameInTwoCalls) {
  const auto x = at::randn({2, 3, 20, 5}, at::kDouble), weight = at::randn({2, 5, 4}, at::kDouble);
  const auto whole = short_conv(x, weight);
  for (const std::int64_t split : {3, 7, 19}) {
    const auto head = short_conv(x.narrow(2, 0, split), weight);
    const auto tail = short_conv(x.narrow(2, split, 20 - split), weight, {}, x.narrow(2, split - 3, 3));
    EXPECT_TRUE(at::allclose(whole, at::cat({head, tail}, 2), 1e-12, 1e-12));
  }
}

class Norms : public OpTest {};

TEST_F(Norms, L2EqualsItsFormula) {
  expect_equal(op_of([](const auto& x) { return l2norm(x[0]); }),
               op_of([](const auto& x) { return x[0] / (x[0].square().sum(-1, true) + 1e-6).sqrt(); }),
               {{"x", at::randn({2, 3, 4, 7}, at::kDouble)}});
}

TEST_F(Norms, RmsEqualsItsFormulaOverAnyNumberOfAxes) {
  for (const std::vector<std::int64_t>& sizes : {std::vector<std::int64_t>{2, 7}, std::vector<std::int64_t>{2, 3, 4, 7},
                                                 std::vector<std::int64_t>{2, 3, 4, 5, 7}})
    expect_equal(op_of([](const auto& x) { return rms_norm(x[0], x[1], 1e-5); }),
                 op_of([](const auto& x) { return plain_rms_norm(x[0], x[1], 1e-5); }),
                 {{"x", at::randn(sizes, at::kDouble)}, {"weight", at::randn({2, 7}, at::kDouble)}});
}

TEST_F(Norms, GatedRmsEqualsItsFormula) {
  for (const auto activation : {GateActivation::swish, GateActivation::sigmoid})
    expect_equal(op_of([=](const auto& x) { return gated_rms_norm(x[0], x[1], x[2], 1e-5, activation); }),
                 op_of([=](const auto& x) {
                   const auto s = x[1].sigmoid();
                   return plain_rms_norm(x[0], x[2], 1e-5) * (activation == GateActivation::swish ? x[1] * s : s);
                 }),
                 {{"x", at::randn({2, 3, 4, 7}, at::kDouble)},
                  {"gate", 3 * at::randn({2, 3, 4, 7}, at::kDouble)},
                  {"weight", at::randn({2, 7}, at::kDouble)}});
}

TEST_F(Norms, AreFiniteAtZero) {
  for (const auto norm : {0, 1}) {
    const auto x = at::zeros({1, 2, 4}).requires_grad_();
    const auto y = norm == 0 ? l2norm(x) : rms_norm(x, at::ones({1, 4}), 1e-6);
    y.sum().backward();
    EXPECT_TRUE(y.eq(0).all().item<bool>());
    EXPECT_TRUE(x.grad().isfinite().all().item<bool>());
    EXPECT_TRUE(at::allclose(x.grad(), at::full_like(x, 1000.0)));  // 1 / sqrt(1e-6)
  }
}

class Rotary : public OpTest {};

TEST_F(Rotary, TurnsPairsByPositionTimesFrequency) {
  for (const std::int64_t width : {0, 4}) {
    const std::int64_t used = width == 0 ? 8 : width, half = used / 2;
    const auto plain = op_of([=](const auto& inputs) {
      const auto& x = inputs[0];
      auto y = x.clone();
      for (std::int64_t t = 0; t < x.size(1); ++t)
        for (std::int64_t i = 0; i < half; ++i) {
          const double angle =
              static_cast<double>(t + 3) * std::pow(100.0, -2.0 * static_cast<double>(i) / static_cast<double>(used));
          const auto a = x.select(1, t).select(2, i), b = x.select(1, t).select(2, i + half);
          y.select(1, t).select(2, i).copy_(a * std::cos(angle) - b * std::sin(angle));
          y.select(1, t).select(2, i + half).copy_(a * std::sin(angle) + b * std::cos(angle));
        }
      return y;
    });
    const auto op = op_of([=](const auto& x) { return rotary(x[0], 100.0, 3, width); });
    expect_equal_in_fp64(op, plain, {{"x", at::randn({2, 6, 3, 8}, at::kDouble)}});
    expect_as_exact_as_plain(op, plain, {{"x", at::randn({2, 6, 3, 8}, at::kDouble)}}, at::kBFloat16);
  }
}

TEST_F(Rotary, MakesProductsDependOnDistanceAlone) {
  const auto q = at::randn({1, 1, 1, 16}, at::kDouble), k = at::randn({1, 1, 1, 16}, at::kDouble);
  const auto product = [&](std::int64_t i, std::int64_t j) {
    return (rotary(q, 10000.0, i) * rotary(k, 10000.0, j)).sum().item<double>();
  };
  EXPECT_NEAR(product(9, 4), product(105, 100), 1e-10);
  EXPECT_GT(std::abs(product(9, 4) - product(9, 5)), 1e-3);
}

template <class Function>
std::string refusal(Function function) {
  try {
    function();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

TEST(SequenceInput, IsRefusedByName) {
  const auto x = at::zeros({2, 3, 4, 5}), weight = at::zeros({2, 5}), taps = at::zeros({2, 5, 4});
  EXPECT_THAT(refusal([&] { short_conv(at::zeros({2, 3}), taps); }), HasSubstr("x is [2, 3]"));
  EXPECT_THAT(refusal([&] { short_conv(x, at::zeros({2, 4, 4})); }), HasSubstr("weight is [2, 4, 4]"));
  EXPECT_THAT(refusal([&] { short_conv(x, taps.to(at::kDouble)); }), HasSubstr("weight is Double"));
  EXPECT_THAT(refusal([&] { short_conv(x, taps, at::zeros({5})); }), HasSubstr("bias is [5]"));
  EXPECT_THAT(refusal([&] { short_conv(x, taps, {}, x); }), HasSubstr("history is [2, 3, 4, 5]"));
  EXPECT_THAT(refusal([&] { l2norm(at::zeros({2}, at::kLong)); }), HasSubstr("x is Long"));
  EXPECT_THAT(refusal([&] { rms_norm(x, at::zeros({2, 4}), 1e-5); }), HasSubstr("weight is [2, 4]"));
  EXPECT_THAT(refusal([&] { rms_norm(at::zeros({5}), weight, 1e-5); }), HasSubstr("x is [5]"));
  EXPECT_THAT(refusal([&] { gated_rms_norm(x, weight, weight, 1e-5, GateActivation::swish); }),
              HasSubstr("gate is [2, 5]"));
  EXPECT_THAT(refusal([&] { rotary(x, 1e4, 0, 3); }), HasSubstr("width is 3"));
  EXPECT_THAT(refusal([&] { rotary(x, 1e4, 0, 8); }), HasSubstr("width is 8"));
}

}  // namespace
}  // namespace plait::kernels
