#include "kernels/mlstm/mlstm.h"

#include <gmock/gmock.h>

#include <stdexcept>

#include "tests/kernels/op_check.h"

namespace plait::kernels {
namespace {

using namespace testing;
using ::testing::HasSubstr;

struct Shape {
  std::int64_t N, T, H, K, V;
};

/// Gates with this deviation; a small one leaves the denominator at its floor, a large one seldom does.
std::vector<Input> random_inputs(const Shape& shape, double deviation, bool initial_state) {
  const auto [N, T, H, K, V] = shape;
  const auto state = [&](at::IntArrayRef sizes) {
    return initial_state ? at::randn(sizes, at::kDouble) : at::Tensor();
  };
  return {{"q", at::randn({N, T, H, K}, at::kDouble)},
          {"k", at::randn({N, T, H, K}, at::kDouble)},
          {"v", at::randn({N, T, H, V}, at::kDouble)},
          {"i", deviation * at::randn({N, T, H}, at::kDouble)},
          {"f", deviation * at::randn({N, T, H}, at::kDouble)},
          {"cell", state({N, H, K, V})},
          {"normaliser", state({N, H, K})},
          {"maximum", state({N, H})}};
}

Op with(MLstmScan (*op)(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&,
                        const MLstmState&)) {
  return [=](const std::vector<at::Tensor>& x) -> std::vector<at::Tensor> {
    const auto result = op(x[0], x[1], x[2], x[3], x[4], {x[5], x[6], x[7]});
    return {result.output, result.state.cell, result.state.normaliser, result.state.maximum};
  };
}

class MLstm : public OpTest {};

TEST_F(MLstm, EqualsTheRecurrenceAtAwkwardLengths) {
  for (const std::int64_t T : {1, 2, 15, 16, 17, 63, 64, 65})
    for (const bool initial_state : {false, true}) {
      SCOPED_TRACE(::testing::Message() << "T " << T << " initial state " << initial_state);
      auto inputs = random_inputs({16, T, 3, 5, 7}, 1.0, initial_state);
      expect_equal_in_fp64(with(mlstm), with(mlstm_reference), inputs);
      // Denominators of one sign: where they cancel, a few rows' rounding is all the error there is.
      for (auto& [name, tensor] : inputs)
        if (tensor.defined() && (name == "q" || name == "k" || name == "normaliser")) tensor = tensor.abs();
      expect_as_exact_as_plain(with(mlstm), with(mlstm_reference), inputs);
    }
}

TEST_F(MLstm, StaysExactOverAThousandTokens) {
  expect_equal_in_fp64(with(mlstm), with(mlstm_reference), random_inputs({1, 1000, 1, 4, 3}, 1.0, false));
}

TEST_F(MLstm, ToleratesZeroAndExtremeGates) {
  const Shape shape{8, 70, 2, 6, 5};
  for (const double deviation : {0.0, 15.0})
    for (const bool initial_state : {false, true}) {
      SCOPED_TRACE(::testing::Message() << "deviation " << deviation << " initial state " << initial_state);
      expect_equal_in_fp64(with(mlstm), with(mlstm_reference), random_inputs(shape, deviation, initial_state));
    }
  auto inputs = random_inputs(shape, 1.0, false);
  const auto choice = [&] { return at::randint(0, 4, {shape.N, shape.T, shape.H}, at::kLong); };
  inputs[3].tensor = at::tensor({0.0, -60.0, 60.0, 1.0}, at::kDouble).index({choice()});
  inputs[4].tensor = at::tensor({0.0, -60.0, 60.0, 3.0}, at::kDouble).index({choice()});
  expect_equal_in_fp64(with(mlstm), with(mlstm_reference), inputs);
  for (const auto dtype : {at::kDouble, at::kFloat})
    for (const double i : {-60.0, 60.0})
      for (const double f : {-60.0, 60.0}) {
        inputs[3].tensor.fill_(i);
        inputs[4].tensor.fill_(f);
        for (const auto& tensor : evaluate(with(mlstm), inputs, dtype).tensors)
          EXPECT_TRUE(tensor.isfinite().all().item<bool>()) << "i " << i << " f " << f;
      }
}

TEST_F(MLstm, GivesTheValueAloneWhereOneTokenOutweighsTheRest) {
  const auto x = random_inputs({2, 20, 2, 4, 3}, 0.0, false);
  const auto gate = at::full({2, 20, 2}, 60.0, at::kDouble);
  const auto sign = (x[0].tensor * x[1].tensor).sum(3, true).sign();
  EXPECT_TRUE(at::allclose(mlstm(x[0].tensor, x[1].tensor, x[2].tensor, gate, -gate).output, sign * x[2].tensor));
}

TEST_F(MLstm, HasTheGradientOfTheUnstabilisedFormula) {
  // h = C^T q / max(|n^T q|, 1) without a maximum, all of it differentiated.
  const Op plain = [](const std::vector<at::Tensor>& x) -> std::vector<at::Tensor> {
    const auto K = x[0].size(3), T = x[0].size(1);
    const auto q = x[0] / std::sqrt(static_cast<double>(K));
    auto C = at::zeros({x[0].size(0), x[0].size(2), K, x[2].size(3)}, at::kDouble);
    auto n = at::zeros({x[0].size(0), x[0].size(2), K}, at::kDouble);
    std::vector<at::Tensor> outputs;
    for (std::int64_t t = 0; t < T; ++t) {
      const auto forget = x[4].select(1, t).sigmoid().unsqueeze(2);
      const auto key = x[3].select(1, t).exp().unsqueeze(2) * x[1].select(1, t);
      C = forget.unsqueeze(3) * C + key.unsqueeze(3) * x[2].select(1, t).unsqueeze(2);
      n = forget * n + key;
      const auto query = q.select(1, t);
      outputs.push_back((query.unsqueeze(3) * C).sum(2) / (n * query).sum(2).abs().clamp_min(1.0).unsqueeze(2));
    }
    return {at::stack(outputs, 1)};
  };
  const auto output_of = [](const Op& op) -> Op {
    return [=](const std::vector<at::Tensor>& x) { return std::vector<at::Tensor>{op(x)[0]}; };
  };
  const auto inputs = random_inputs({2, 33, 2, 4, 3}, 1.5, false);
  expect_equal_in_fp64(output_of(with(mlstm)), plain, inputs);
  expect_equal_in_fp64(output_of(with(mlstm_reference)), plain, inputs);
}

TEST_F(MLstm, ComputesInFp32ForBf16) {
  const auto inputs = random_inputs({2, 40, 2, 16, 8}, 1.0, false);
  expect_as_exact_as_plain(with(mlstm), with(mlstm_reference), inputs, at::kBFloat16);
  const auto q = inputs[0].tensor.to(at::kBFloat16), i = inputs[3].tensor.to(at::kBFloat16);
  const auto result = mlstm(q, q, q, i, i);
  EXPECT_EQ(result.output.scalar_type(), at::kBFloat16);
  EXPECT_EQ(result.state.cell.scalar_type(), at::kFloat);
}

TEST_F(MLstm, GivesTheSameInTwoCalls) {
  const auto x = random_inputs({2, 90, 2, 5, 6}, 2.0, true);
  const auto run = [&](std::int64_t start, std::int64_t length, const MLstmState& state) {
    const auto part = [&](std::size_t i) { return x[i].tensor.narrow(1, start, length); };
    return mlstm(part(0), part(1), part(2), part(3), part(4), state);
  };
  const MLstmState initial{x[5].tensor, x[6].tensor, x[7].tensor};
  const auto whole = run(0, 90, initial), head = run(0, 71, initial), tail = run(71, 19, head.state);
  EXPECT_TRUE(at::allclose(whole.output, at::cat({head.output, tail.output}, 1), 1e-11, 1e-11));
  EXPECT_TRUE(at::allclose(whole.state.cell, tail.state.cell, 1e-11, 1e-11));
  EXPECT_TRUE(at::allclose(whole.state.normaliser, tail.state.normaliser, 1e-11, 1e-11));
  EXPECT_TRUE(at::allclose(whole.state.maximum, tail.state.maximum, 1e-11, 1e-11));
}

std::string refusal(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& i,
                    const at::Tensor& f, const MLstmState& state = {}) {
  try {
    mlstm(q, k, v, i, f, state);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

TEST(MLstmInput, IsRefusedByName) {
  const auto q = at::zeros({2, 3, 4, 5}), v = at::zeros({2, 3, 4, 6}), i = at::zeros({2, 3, 4});
  EXPECT_EQ(refusal(q, q, v, i, i), "");
  EXPECT_THAT(refusal(at::zeros({2, 3, 4, 6}), q, v, i, i), HasSubstr("q is [2, 3, 4, 6]"));
  EXPECT_THAT(refusal(q, at::zeros({2, 3}), v, i, i), HasSubstr("k is [2, 3]"));
  EXPECT_THAT(refusal(q, q, at::zeros({2, 1, 4, 6}), i, i), HasSubstr("v is [2, 1, 4, 6]"));
  EXPECT_THAT(refusal(q, q, v, q, i), HasSubstr("i is [2, 3, 4, 5]"));
  EXPECT_THAT(refusal(q, q, v, i, i.to(at::kDouble)), HasSubstr("f is Double"));
  EXPECT_THAT(refusal(q, q, v, i, i.to(at::kMeta)), HasSubstr("f is meta"));
  EXPECT_THAT(refusal(q, q, v, i, i, {at::zeros({2, 4, 6, 5}), {}, {}}), HasSubstr("cell is [2, 4, 6, 5]"));
  EXPECT_THAT(refusal(q, q, v, i, i, {{}, at::zeros({2, 4}), {}}), HasSubstr("normaliser is [2, 4]"));
  EXPECT_THAT(refusal(q, q, v, i, i, {{}, {}, at::zeros({2, 5})}), HasSubstr("maximum is [2, 5]"));
}

}  // namespace
}  // namespace plait::kernels
