#include "kernels/gated_delta_rule/gated_delta_rule.h"

#include <stdexcept>

#include "tests/kernels/op_check.h"

namespace plait::kernels {
namespace {

using testing::expect_as_exact_as_plain;
using testing::expect_equal_in_fp64;
using testing::Input;

enum class Gate { none, scalar, channel };

struct Case {
  std::int64_t tokens = 65;
  Gate gate = Gate::scalar;
  bool initial_state = true;
  std::int64_t batch = 2, heads = 3, key_width = 8, value_width = 5;
  double cosine = 0.5;   ///< between any two keys, on average
  double hardest = 2.0;  ///< gates are mild; every eighth is -hardest
  std::int64_t chunk = 0;
};

at::Tensor unit(const at::Tensor& x) { return x / x.norm(2, -1, true); }

std::vector<Input> inputs_of(const Case& c) {
  const auto options = at::TensorOptions(at::kDouble);
  const std::vector<std::int64_t> sizes = {c.batch, c.tokens, c.heads, c.key_width};
  const auto common = unit(at::randn({1, 1, c.heads, c.key_width}, options));
  const auto key = [&] {
    return unit(std::sqrt(c.cosine) * common + std::sqrt(1 - c.cosine) * unit(at::randn(sizes, options)));
  };
  const auto gate_sizes = c.gate == Gate::channel ? at::IntArrayRef(sizes) : at::IntArrayRef(sizes).slice(0, 3);
  at::Tensor g;
  if (c.gate != Gate::none) {
    g = -0.3 * at::rand(gate_sizes, options);
    g = at::where(at::rand(gate_sizes, options) < 0.125, at::full({}, -c.hardest, options), g);
    g = at::where(at::rand(gate_sizes, options) < 0.125, at::zeros({}, options), g);
  }
  at::Tensor state;
  if (c.initial_state) state = at::randn({c.batch, c.heads, c.key_width, c.value_width}, options);
  const auto q = key(), k = key(), v = at::randn({c.batch, c.tokens, c.heads, c.value_width}, options);
  return {{"q", q},
          {"k", k},
          {"v", v},
          {"g", g},
          {"beta", 2 * at::rand({c.batch, c.tokens, c.heads}, options)},
          {"initial state", state}};
}

template <auto Function>
testing::Op as_op(std::int64_t chunk = 0) {
  return [chunk](const std::vector<at::Tensor>& x) {
    const auto scan = Function(x[0], x[1], x[2], x[3], x[4], ScanOptions{.initial_state = x[5], .chunk = chunk});
    return std::vector<at::Tensor>{scan.output, scan.state};
  };
}

/// The chunk equations as they are written (README.md), by substitution and differentiated by autograd. Its sums over
/// the tokens of a chunk round more than the recurrence does, whatever carries them out.
Scan plain_chunks(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                  const at::Tensor& beta, const ScanOptions& options) {
  const auto rows = [](const at::Tensor& x) { return x.transpose(1, 2).to(at::kFloat); };  // [N, H, T, ...]
  const double scale = 1 / std::sqrt(static_cast<double>(k.size(3)));
  auto state = options.initial_state.defined() ? options.initial_state.to(at::kFloat)
                                               : at::zeros({k.size(0), k.size(2), k.size(3), v.size(3)}, at::kFloat);
  std::vector<at::Tensor> outputs;
  for (std::int64_t from = 0; from < k.size(1); from += options.chunk) {
    const auto count = std::min(options.chunk, k.size(1) - from);
    const auto part = [&](const at::Tensor& x) { return rows(x).narrow(2, from, count); };
    const auto decay = !g.defined()   ? at::ones({1, 1, count, 1})
                       : g.dim() == 3 ? part(g).exp().unsqueeze(-1)
                                      : part(g).exp();  // [N, H, C, 1 or K]
    const auto below = at::ones({count, count}, at::kBool).tril(-1).unsqueeze(-1);
    const auto pairs = at::where(below, decay.unsqueeze(3), at::ones({})).cumprod(2);  // [N, H, C, C, 1 or K]
    const auto product = [&](const at::Tensor& left) {
      return (left.unsqueeze(3) * pairs * part(k).unsqueeze(2)).sum(-1).tril();
    };
    const auto prefix = decay.cumprod(2), suffix = pairs.select(2, -1);
    const auto step = part(beta).unsqueeze(-1);
    const auto right = step * (part(v) - at::matmul(part(k) * prefix, state));
    const auto written = at::linalg_solve_triangular(step * product(part(k)), right, false, true, true);
    outputs.push_back(scale * (at::matmul(part(q) * prefix, state) + at::matmul(product(part(q)), written)));
    state = prefix.select(2, -1).unsqueeze(-1) * state + at::matmul((part(k) * suffix).transpose(2, 3), written);
  }
  return {at::cat(outputs, 2).transpose(1, 2).to(v.scalar_type()), state};
}

/// plain_chunks in the chunks of the operator; nothing for the token form, which rounds as the recurrence does.
testing::Op plain_for(std::int64_t chunk) { return chunk == 0 ? testing::Op() : as_op<plain_chunks>(chunk); }

void check(const Case& c) {
  SCOPED_TRACE(::testing::Message() << "T " << c.tokens << ", gate " << static_cast<int>(c.gate) << ", initial state "
                                    << c.initial_state << ", hardest gate -" << c.hardest << ", chunk " << c.chunk);
  const auto inputs = inputs_of(c);
  const auto reference = as_op<gated_delta_rule_reference>();
  expect_equal_in_fp64(as_op<gated_delta_rule>(c.chunk), reference, inputs);
  expect_as_exact_as_plain(as_op<gated_delta_rule>(c.chunk), reference, inputs, at::kFloat, plain_for(c.chunk));
}

struct Form {
  Gate gate;
  std::int64_t chunk;  ///< 0: token by token
};

class GatedDeltaRuleTest : public testing::OpTest, public ::testing::WithParamInterface<Form> {
 protected:
  Gate gate() const { return GetParam().gate; }
  std::int64_t chunk() const { return GetParam().chunk; }
  testing::Op op() const { return as_op<gated_delta_rule>(chunk()); }
};

std::vector<Form> forms() {
  std::vector<Form> all;
  for (const Gate gate : {Gate::none, Gate::scalar, Gate::channel})
    for (const std::int64_t chunk : {0, 32}) all.push_back({gate, chunk});  // as chosen on a CPU, on a GPU
  return all;
}

std::string name_of(const ::testing::TestParamInfo<Form>& form) {
  const auto* const gate = form.param.gate == Gate::none     ? "None"
                           : form.param.gate == Gate::scalar ? "Scalar"
                                                             : "Channel";
  return gate + (form.param.chunk == 0 ? std::string("ByToken") : "Chunk" + std::to_string(form.param.chunk));
}

INSTANTIATE_TEST_SUITE_P(Forms, GatedDeltaRuleTest, ::testing::ValuesIn(forms()), name_of);

TEST_P(GatedDeltaRuleTest, IsTheRecurrenceAtEveryLength) {
  for (const std::int64_t tokens : {1, 2, 15, 16, 17, 63, 64, 65, 130})
    for (const bool initial_state : {false, true})
      check({.tokens = tokens, .gate = gate(), .initial_state = initial_state, .chunk = chunk()});
}

TEST_P(GatedDeltaRuleTest, IsTheRecurrenceOverManyChunks) {
  check({.tokens = 1000, .gate = gate(), .batch = 1, .heads = 1, .chunk = chunk()});
}

TEST_P(GatedDeltaRuleTest, IsTheRecurrenceForEveryChunk) {
  if (chunk() == 0) GTEST_SKIP() << "has no chunks";
  for (const std::int64_t width : {16, 64}) check({.tokens = 70, .gate = gate(), .chunk = width});
}

TEST_P(GatedDeltaRuleTest, WideValuesAndOneHead) {
  check({.tokens = 40, .gate = gate(), .heads = 1, .key_width = 4, .value_width = 24, .chunk = chunk()});
  check({.tokens = 40, .gate = gate(), .batch = 1, .key_width = 40, .value_width = 17, .chunk = chunk()});
}

TEST_P(GatedDeltaRuleTest, GatesThatForgetEverythingLoseNoDigits) {
  if (gate() == Gate::none) GTEST_SKIP() << "has no gate";
  check({.tokens = 100, .gate = gate(), .hardest = 60, .chunk = chunk()});
  auto inputs = inputs_of({.tokens = 100, .gate = gate()});
  inputs[3].tensor.fill_(-60);
  expect_equal_in_fp64(op(), as_op<gated_delta_rule_reference>(), inputs);
  expect_as_exact_as_plain(op(), as_op<gated_delta_rule_reference>(), inputs, at::kFloat, plain_for(chunk()));
}

TEST_P(GatedDeltaRuleTest, AlikeKeysWrittenTwiceOverLoseNoDigits) {
  auto inputs = inputs_of({.tokens = 64, .gate = gate(), .cosine = 0.9});
  inputs[4].tensor.fill_(2);
  expect_equal_in_fp64(op(), as_op<gated_delta_rule_reference>(), inputs);
  expect_as_exact_as_plain(op(), as_op<gated_delta_rule_reference>(), inputs, at::kFloat, plain_for(chunk()));
}

TEST_P(GatedDeltaRuleTest, HalfPrecisionInputsAreComputedInSingle) {
  const auto inputs = inputs_of({.tokens = 70, .gate = gate()});
  expect_as_exact_as_plain(op(), as_op<gated_delta_rule_reference>(), inputs, at::kBFloat16);
  std::vector<at::Tensor> half;
  for (const auto& input : inputs)
    half.push_back(input.tensor.defined() ? input.tensor.to(at::kBFloat16) : at::Tensor());
  const auto scan =
      gated_delta_rule(half[0], half[1], half[2], half[3], half[4], {.initial_state = half[5], .chunk = chunk()});
  EXPECT_EQ(scan.output.scalar_type(), at::kBFloat16);
  EXPECT_EQ(scan.state.scalar_type(), at::kFloat);
}

TEST_P(GatedDeltaRuleTest, GradientOfTheStateAloneAndOfTheOutputAlone) {
  const auto inputs = inputs_of({.tokens = 40, .gate = gate(), .initial_state = false});
  for (const bool state : {false, true}) {
    const auto one = [&](const testing::Op& whole) {
      return [whole, state](const std::vector<at::Tensor>& x) { return std::vector{whole(x)[state ? 1 : 0]}; };
    };
    expect_equal_in_fp64(one(op()), one(as_op<gated_delta_rule_reference>()), inputs);
  }
}

TEST_P(GatedDeltaRuleTest, TwoHalvesAreTheWhole) {
  const auto inputs = inputs_of({.tokens = 90, .gate = gate()});
  const testing::Op halves = [this](const std::vector<at::Tensor>& x) {
    const auto part = [&](std::int64_t from, std::int64_t count, const at::Tensor& state) {
      const auto cut = [&](const at::Tensor& y) { return y.defined() ? y.narrow(1, from, count) : y; };
      return gated_delta_rule(cut(x[0]), cut(x[1]), cut(x[2]), cut(x[3]), cut(x[4]),
                              {.initial_state = state, .chunk = chunk()});
    };
    const auto first = part(0, 37, x[5]), second = part(37, 53, first.state);
    return std::vector<at::Tensor>{at::cat({first.output, second.output}, 1), second.state};
  };
  expect_equal_in_fp64(halves, as_op<gated_delta_rule_reference>(), inputs);
}

TEST_P(GatedDeltaRuleTest, OptionsScaleAndNonContiguousTensors) {
  auto inputs = inputs_of({.tokens = 20, .gate = gate()});
  const auto scaled = [this](auto function) {
    return [function, width = chunk()](const std::vector<at::Tensor>& x) {
      const auto t = [](const at::Tensor& y) { return y.transpose(0, 1).contiguous().transpose(0, 1); };
      const auto scan = function(t(x[0]), t(x[1]), t(x[2]), x[3], x[4], ScanOptions{.scale = 1.5, .chunk = width});
      return std::vector<at::Tensor>{scan.output, scan.state};
    };
  };
  inputs[5].tensor = at::Tensor();
  expect_equal_in_fp64(scaled(gated_delta_rule), scaled(gated_delta_rule_reference), inputs);
}

std::string message(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
                    const at::Tensor& beta, const ScanOptions& options = {}) {
  try {
    gated_delta_rule(q, k, v, g, beta, options);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(GatedDeltaRuleErrorsTest, NameTheTensorWhatItIsAndWhatIsAllowed) {
  const auto q = at::zeros({2, 6, 3, 4}), v = at::zeros({2, 6, 3, 5}), beta = at::zeros({2, 6, 3});
  EXPECT_EQ(message(q, q, v, {}, beta), "accepted");
  EXPECT_EQ(message(q, q, v, {}, beta, {.initial_state = at::zeros({2, 3, 4, 5}, at::kDouble)}), "accepted");
  EXPECT_EQ(message(q, at::zeros({2, 6, 4}), v, {}, beta),
            "gated_delta_rule: k is [2, 6, 4]; allowed is [any, any, any, any], none of them 0");
  EXPECT_EQ(message(at::zeros({2, 6, 3, 8}), q, v, {}, beta),
            "gated_delta_rule: q is [2, 6, 3, 8]; allowed is [2, 6, 3, 4], none of them 0");
  EXPECT_EQ(message(q, q, at::zeros({2, 6, 3, 0}), {}, beta),
            "gated_delta_rule: v is [2, 6, 3, 0]; allowed is [2, 6, 3, any], none of them 0");
  EXPECT_EQ(message(q, q, v, at::zeros({2, 6}), beta),
            "gated_delta_rule: g is [2, 6]; allowed is [2, 6, 3] or [2, 6, 3, 4]");
  EXPECT_EQ(message(q, q, v, {}, {}), "gated_delta_rule: beta is undefined; allowed is [2, 6, 3]");
  EXPECT_EQ(message(q, q, v.to(at::kDouble), {}, beta), "gated_delta_rule: v is Double; allowed is Float");
  EXPECT_EQ(message(q, q, v, beta.to(at::kDouble), beta), "gated_delta_rule: g is Double; allowed is Float");
  EXPECT_EQ(message(q.to(at::kInt), q.to(at::kInt), v.to(at::kInt), {}, beta.to(at::kInt)),
            "gated_delta_rule: k is Int; allowed is floating point");
  EXPECT_EQ(message(q, q, v, {}, at::zeros({2, 6, 3}, at::kMeta)), "gated_delta_rule: beta is meta; allowed is cpu");
  EXPECT_EQ(message(q, q, v, {}, beta, {.initial_state = at::zeros({2, 3, 5, 4})}),
            "gated_delta_rule: initial_state is [2, 3, 5, 4]; allowed is [2, 3, 4, 5], none of them 0");
  EXPECT_EQ(message(q, q, v, {}, beta, {.chunk = 48}), "gated_delta_rule: chunk is 48; allowed is 0, 16, 32 or 64");
}

}  // namespace
}  // namespace plait::kernels
