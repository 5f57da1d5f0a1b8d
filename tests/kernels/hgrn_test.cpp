#include "kernels/hgrn/hgrn.h"

#include <gmock/gmock.h>

#include <stdexcept>

#include "tests/kernels/op_check.h"

namespace plait::kernels {
namespace {

using namespace testing;
using ::testing::HasSubstr;

const Op kOp = [](const std::vector<at::Tensor>& x) -> std::vector<at::Tensor> {
  const auto result = hgrn(x[0], x[1], x[2]);
  return {result.output, result.state};
};
const Op kReference = [](const std::vector<at::Tensor>& x) -> std::vector<at::Tensor> {
  const auto result = hgrn_reference(x[0], x[1], x[2]);
  return {result.output, result.state};
};

std::vector<Input> random_inputs(std::int64_t N, std::int64_t T, std::int64_t D, bool initial_state) {
  return {{"x", at::randn({N, T, D}, at::kDouble)},
          {"f", -at::rand({N, T, D}, at::kDouble)},
          {"initial_state", initial_state ? at::randn({N, D}, at::kDouble) : at::Tensor()}};
}

class Hgrn : public OpTest {};

/// Steps below and above the size at which blocks are given up.
TEST_F(Hgrn, EqualsTheRecurrenceAtAwkwardLengthsAndSizes) {
  for (const auto& [N, D] : {std::pair<std::int64_t, std::int64_t>{50, 3}, {2, 2050}})
    for (const std::int64_t T : {1, 2, 3, 15, 16, 17, 63, 64, 65})
      for (const bool initial_state : {false, true}) {
        SCOPED_TRACE(::testing::Message() << "D " << D << " T " << T << " initial state " << initial_state);
        const auto inputs = random_inputs(N, T, D, initial_state);
        expect_equal_in_fp64(kOp, kReference, inputs);
        expect_as_exact_as_plain(kOp, kReference, inputs);
      }
}

TEST_F(Hgrn, StaysExactOverAThousandTokens) { expect_equal_in_fp64(kOp, kReference, random_inputs(2, 1000, 3, true)); }

TEST_F(Hgrn, ToleratesZeroAndExtremeDecays) {
  for (const std::int64_t D : {3, 2050}) {
    auto inputs = random_inputs(2, 50, D, true);
    inputs[1].tensor =
        at::tensor({0.0, -60.0, -1e-3, -2.0}, at::kDouble).index({at::randint(0, 4, {2, 50, D}, at::kLong)});
    expect_equal_in_fp64(kOp, kReference, inputs);
    expect_as_exact_as_plain(kOp, kReference, inputs);
    for (const double all : {0.0, -60.0}) {
      inputs[1].tensor.fill_(all);
      expect_equal_in_fp64(kOp, kReference, inputs);
      expect_as_exact_as_plain(kOp, kReference, inputs);
    }
  }
}

TEST_F(Hgrn, ComputesInFp32ForBf16) {
  const auto inputs = random_inputs(2, 40, 8, false);
  expect_as_exact_as_plain(kOp, kReference, inputs, at::kBFloat16);
  const auto x = inputs[0].tensor.to(at::kBFloat16);
  EXPECT_EQ(hgrn(x, x).output.scalar_type(), at::kBFloat16);
  EXPECT_EQ(hgrn(x, x).state.scalar_type(), at::kFloat);
}

TEST_F(Hgrn, GivesTheSameInTwoCalls) {
  const auto inputs = random_inputs(2, 50, 6, true);
  const auto &x = inputs[0].tensor, &f = inputs[1].tensor;
  const auto whole = hgrn(x, f, inputs[2].tensor);
  const auto head = hgrn(x.narrow(1, 0, 31), f.narrow(1, 0, 31), inputs[2].tensor);
  const auto tail = hgrn(x.narrow(1, 31, 19), f.narrow(1, 31, 19), head.state);
  EXPECT_TRUE(at::allclose(whole.output, at::cat({head.output, tail.output}, 1), 1e-12, 1e-12));
  EXPECT_TRUE(at::allclose(whole.state, tail.state, 1e-12, 1e-12));
}

TEST_F(Hgrn, TakesAGradientOfTheStateAlone) {
  const auto of_state = [](const Op& op) -> Op {
    return [=](const std::vector<at::Tensor>& x) { return std::vector<at::Tensor>{op(x)[1]}; };
  };
  expect_equal_in_fp64(of_state(kOp), of_state(kReference), random_inputs(2, 20, 4, false));
}

std::string refusal(const at::Tensor& x, const at::Tensor& f, const at::Tensor& initial_state = {}) {
  try {
    hgrn(x, f, initial_state);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

TEST(HgrnInput, IsRefusedByName) {
  const auto x = at::zeros({2, 3, 4});
  EXPECT_EQ(refusal(x, x, at::zeros({2, 4})), "");
  EXPECT_THAT(refusal(at::zeros({2, 3}), x), HasSubstr("x is [2, 3]"));
  EXPECT_THAT(refusal(x, at::zeros({2, 3, 1})), HasSubstr("f is [2, 3, 1]"));
  EXPECT_THAT(refusal(x, x.to(at::kDouble)), HasSubstr("f is Double"));
  EXPECT_THAT(refusal(x, x.to(at::kMeta)), HasSubstr("f is meta"));
  EXPECT_THAT(refusal(x, x, at::zeros({2, 3})), HasSubstr("initial_state is [2, 3]"));
}

}  // namespace
}  // namespace plait::kernels
