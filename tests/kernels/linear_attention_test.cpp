#include "kernels/linear_attention/linear_attention.h"

#include <gmock/gmock.h>

#include <stdexcept>

#include "tests/kernels/op_check.h"

namespace plait::kernels {
namespace {

using namespace testing;
using ::testing::HasSubstr;

enum class Gate { none, scalar, channel };

struct Shape {
  std::int64_t N, T, H, K, V;
};

at::Tensor random_gate(const Shape& shape, Gate gate, double strength) {
  if (gate == Gate::none) return {};
  const auto sizes = gate == Gate::scalar ? std::vector<std::int64_t>{shape.N, shape.T, shape.H}
                                          : std::vector<std::int64_t>{shape.N, shape.T, shape.H, shape.K};
  return -strength * at::rand(sizes, at::kDouble);
}

std::vector<Input> random_inputs(const Shape& shape, const at::Tensor& g, bool initial_state) {
  const auto [N, T, H, K, V] = shape;
  return {{"q", at::randn({N, T, H, K}, at::kDouble)},
          {"k", at::randn({N, T, H, K}, at::kDouble)},
          {"v", at::randn({N, T, H, V}, at::kDouble)},
          {"g", g},
          {"initial_state", initial_state ? at::randn({N, H, K, V}, at::kDouble) : at::Tensor()}};
}

Op with(Scan (*op)(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const ScanOptions&),
        ScanOptions options = {}) {
  return [=](const std::vector<at::Tensor>& x) -> std::vector<at::Tensor> {
    auto given = options;
    given.initial_state = x[4];
    const auto result = op(x[0], x[1], x[2], x[3], given);
    return {result.output, result.state};
  };
}

struct Form {
  Gate gate;
  std::int64_t chunk;  ///< 0: token by token, as on a CPU; else as on a GPU
};

class LinearAttention : public OpTest, public ::testing::WithParamInterface<Form> {
 protected:
  Gate gate() const { return GetParam().gate; }
  ScanOptions options(const at::Tensor& initial_state = {}) const {
    return {.scale = 0.0, .initial_state = initial_state, .chunk = GetParam().chunk};
  }
  Op op() const { return with(linear_attention, options()); }
};
class GatedLinearAttention : public LinearAttention {};

TEST_P(LinearAttention, EqualsTheRecurrenceAtAwkwardLengths) {
  for (const std::int64_t T : {1, 2, 15, 16, 17, 63, 64, 65})
    for (const bool initial_state : {false, true}) {
      SCOPED_TRACE(::testing::Message() << "T " << T << " initial state " << initial_state);
      const Shape shape{16, T, 3, 5, 7};
      const auto inputs = random_inputs(shape, random_gate(shape, gate(), 0.3), initial_state);
      expect_equal_in_fp64(op(), with(linear_attention_reference), inputs);
      expect_as_exact_as_plain(op(), with(linear_attention_reference), inputs);
    }
}

TEST_P(LinearAttention, EqualsTheRecurrenceForAnyScaleAndWidth) {
  for (const auto& [K, V] : {std::pair{8, 4}, {40, 17}}) {
    const Shape shape{2, 130, 2, K, V};
    auto scaled = options();
    scaled.scale = 1.5;
    expect_equal_in_fp64(with(linear_attention, scaled), with(linear_attention_reference, scaled),
                         random_inputs(shape, random_gate(shape, gate(), 0.2), false));
  }
}

TEST_P(LinearAttention, EqualsTheRecurrenceForEveryChunk) {
  if (GetParam().chunk == 0) GTEST_SKIP() << "has no chunks";
  for (const std::int64_t chunk : {16, 32, 64}) {
    SCOPED_TRACE(::testing::Message() << "chunk " << chunk);
    const Shape shape{2, 130, 2, 8, 4};
    expect_equal_in_fp64(with(linear_attention, {.scale = 0.0, .initial_state = {}, .chunk = chunk}),
                         with(linear_attention_reference), random_inputs(shape, random_gate(shape, gate(), 0.2), true));
  }
}

TEST_P(LinearAttention, StaysExactOverAThousandTokens) {
  const Shape shape{1, 1000, 1, 4, 3};
  const auto inputs = random_inputs(shape, random_gate(shape, gate(), 0.1), false);
  expect_equal_in_fp64(op(), with(linear_attention_reference), inputs);
}

TEST_P(GatedLinearAttention, ToleratesZeroAndExtremeDecays) {
  const Shape shape{8, 70, 2, 6, 5};
  const auto choice = at::randint(0, 4, random_gate(shape, gate(), 1.0).sizes(), at::kLong);
  const auto g = at::tensor({0.0, -60.0, -1e-3, -2.0}, at::kDouble).index({choice});
  const auto inputs = random_inputs(shape, g, true);
  expect_equal_in_fp64(op(), with(linear_attention_reference), inputs);
  expect_as_exact_as_plain(op(), with(linear_attention_reference), inputs);
  for (const double all : {0.0, -60.0}) {
    auto same = inputs;
    same[3].tensor = at::full_like(g, all);
    expect_equal_in_fp64(op(), with(linear_attention_reference), same);
    expect_as_exact_as_plain(op(), with(linear_attention_reference), same);
  }
}

TEST_P(LinearAttention, ComputesInFp32ForBf16) {
  const Shape shape{2, 40, 2, 16, 8};
  const auto inputs = random_inputs(shape, random_gate(shape, gate(), 0.5), false);
  expect_as_exact_as_plain(op(), with(linear_attention_reference), inputs, at::kBFloat16);
  const auto bf16 = inputs[0].tensor.to(at::kBFloat16);
  const auto g = inputs[3].tensor.defined() ? inputs[3].tensor.to(at::kBFloat16) : at::Tensor();
  const auto result = linear_attention(bf16, bf16, bf16, g, options());
  EXPECT_EQ(result.output.scalar_type(), at::kBFloat16);
  EXPECT_EQ(result.state.scalar_type(), at::kFloat);
}

TEST_P(LinearAttention, GivesTheSameInTwoCalls) {
  const Shape shape{2, 90, 2, 5, 6};
  const auto x = random_inputs(shape, random_gate(shape, gate(), 0.5), true);
  const auto part = [&](std::size_t i, std::int64_t start, std::int64_t length) {
    return x[i].tensor.defined() ? x[i].tensor.narrow(1, start, length) : at::Tensor();
  };
  const auto run = [&](std::int64_t start, std::int64_t length, const at::Tensor& state) {
    return linear_attention(part(0, start, length), part(1, start, length), part(2, start, length),
                            part(3, start, length), options(state));
  };
  const auto whole = run(0, 90, x[4].tensor), head = run(0, 71, x[4].tensor), tail = run(71, 19, head.state);
  EXPECT_TRUE(at::allclose(whole.output, at::cat({head.output, tail.output}, 1), 1e-12, 1e-12));
  EXPECT_TRUE(at::allclose(whole.state, tail.state, 1e-12, 1e-12));
}

TEST_P(LinearAttention, TakesAGradientOfTheStateAlone) {
  const Shape shape{1, 20, 2, 3, 4};
  const auto of_state = [](const Op& whole) -> Op {
    return [=](const std::vector<at::Tensor>& x) { return std::vector<at::Tensor>{whole(x)[1]}; };
  };
  for (const bool initial_state : {false, true})
    expect_equal_in_fp64(of_state(op()), of_state(with(linear_attention_reference)),
                         random_inputs(shape, random_gate(shape, gate(), 0.5), initial_state));
}

std::vector<Form> forms(std::initializer_list<Gate> gates) {
  std::vector<Form> all;
  for (const Gate gate : gates)
    for (const std::int64_t chunk : {0, gate == Gate::none ? 64 : 32}) all.push_back({gate, chunk});
  return all;
}

std::string name_of(const ::testing::TestParamInfo<Form>& form) {
  const auto* const gate = form.param.gate == Gate::none     ? "None"
                           : form.param.gate == Gate::scalar ? "Scalar"
                                                             : "Channel";
  return gate + (form.param.chunk == 0 ? std::string("ByToken") : "Chunk" + std::to_string(form.param.chunk));
}

INSTANTIATE_TEST_SUITE_P(Forms, LinearAttention, ::testing::ValuesIn(forms({Gate::none, Gate::scalar, Gate::channel})),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Forms, GatedLinearAttention, ::testing::ValuesIn(forms({Gate::scalar, Gate::channel})),
                         name_of);

/// What linear_attention says of these tensors, empty if nothing.
std::string refusal(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                    const ScanOptions& options = {}) {
  try {
    linear_attention(q, k, v, g, options);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

TEST(LinearAttentionInput, IsRefusedByName) {
  const auto q = at::zeros({2, 3, 4, 5}), v = at::zeros({2, 3, 4, 6}), g = at::zeros({2, 3, 4});
  EXPECT_EQ(refusal(q, q, v, g), "");
  EXPECT_THAT(refusal(at::zeros({2, 3, 4, 6}), q, v, g), HasSubstr("q is [2, 3, 4, 6]"));
  EXPECT_THAT(refusal(q, at::zeros({2, 3, 4}), v, g), HasSubstr("k is [2, 3, 4]"));
  EXPECT_THAT(refusal(q, q, at::zeros({2, 3, 1, 6}), g), HasSubstr("v is [2, 3, 1, 6]"));
  EXPECT_THAT(refusal(q, q, v, at::zeros({2, 3, 4, 6})), HasSubstr("g is [2, 3, 4, 6]"));
  EXPECT_THAT(refusal(q, q, v.to(at::kDouble), g), HasSubstr("v is Double"));
  EXPECT_THAT(refusal(q.to(at::kLong), q.to(at::kLong), v, g), HasSubstr("k is Long"));
  EXPECT_THAT(refusal(q, q, v.to(at::kMeta), g), HasSubstr("v is meta"));
  EXPECT_THAT(refusal(q, q, {}, g), HasSubstr("v is undefined"));
  EXPECT_THAT(refusal(q, q, v, g, {.scale = 0, .initial_state = at::zeros({2, 4, 6, 5}), .chunk = 0}),
              HasSubstr("initial_state is [2, 4, 6, 5]"));
  EXPECT_THAT(refusal(q, q, v, g, {.scale = 0, .initial_state = {}, .chunk = 7}), HasSubstr("chunk is 7"));
}

}  // namespace
}  // namespace plait::kernels
