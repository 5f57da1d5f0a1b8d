#include "kernels/momentum_delta_rule/momentum_delta_rule.h"

#include <stdexcept>

#include "kernels/gated_delta_rule/gated_delta_rule.h"
#include "tests/kernels/op_check.h"

namespace plait::kernels {
namespace {

using testing::expect_as_exact_as_plain;
using testing::expect_equal_in_fp64;
using testing::Input;

struct Case {
  std::int64_t tokens = 65;
  bool initial_states = true;
  double log_alpha = -0.2, log_mu = -0.5;  ///< the hardest; uniform up to 0
  std::int64_t chunk = 0;
  std::int64_t batch = 2, heads = 2, key_width = 8, value_width = 5;
};

at::Tensor unit(const at::Tensor& x) { return x / x.norm(2, -1, true); }

std::vector<Input> inputs_of(const Case& c) {
  const auto options = at::TensorOptions(at::kDouble);
  const std::vector<std::int64_t> sizes = {c.batch, c.tokens, c.heads, c.key_width};
  const auto common = unit(at::randn({1, 1, c.heads, c.key_width}, options));
  const auto key = [&] { return unit(common + unit(at::randn(sizes, options))); };  // cosine 0.5 on average
  const auto gate = [&] { return at::rand({c.batch, c.tokens, c.heads}, options); };
  const auto alpha = (c.log_alpha * gate()).exp(), mu = (c.log_mu * gate()).exp();
  const auto q = key(), k = key(), p = alpha.unsqueeze(-1) * k;
  at::Tensor state, momentum;
  if (c.initial_states) {
    state = at::randn({c.batch, c.heads, c.key_width, c.value_width}, options);
    momentum = 0.3 * at::randn_like(state);
  }
  const auto v = at::randn({c.batch, c.tokens, c.heads, c.value_width}, options);
  return {{"q", q},
          {"k", k},
          {"p", p},
          {"v", v},
          {"alpha", alpha},
          {"mu", mu},
          {"eta", gate()},
          {"beta", 0.5 * gate()},
          {"initial state", state},
          {"initial momentum", momentum}};
}

template <auto Function>
testing::Op as_op(std::int64_t chunk = 0) {
  return [chunk](const std::vector<at::Tensor>& x) {
    const MomentumScanOptions options = {.initial_state = x[8], .initial_momentum = x[9], .chunk = chunk};
    const auto scan = Function(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], options);
    return std::vector<at::Tensor>{scan.output, scan.state, scan.momentum};
  };
}

/// The chunk equations as they are written (README.md), by substitution and differentiated by autograd.
MomentumScan plain_chunks(const at::Tensor& q, const at::Tensor& k, const at::Tensor& p, const at::Tensor& v,
                          const at::Tensor& alpha, const at::Tensor& mu, const at::Tensor& eta, const at::Tensor& beta,
                          const MomentumScanOptions& options) {
  const double scale = 1 / std::sqrt(static_cast<double>(k.size(3)));
  const auto zeros = at::zeros({k.size(0), k.size(2), k.size(3), v.size(3)}, at::kFloat);
  auto state = options.initial_state.defined() ? options.initial_state : zeros;
  auto momentum = options.initial_momentum.defined() ? options.initial_momentum : zeros;
  std::vector<at::Tensor> outputs;
  for (std::int64_t from = 0; from < k.size(1); from += options.chunk) {
    const auto count = std::min(options.chunk, k.size(1) - from);
    const auto part = [&](const at::Tensor& x) { return x.transpose(1, 2).narrow(2, from, count); };
    const auto gate = [&](const at::Tensor& x, std::int64_t t) { return part(x).select(2, t).unsqueeze(-1); };
    // Rows of gamma, rho, a, b and m by their recurrences.
    auto rho = at::zeros({k.size(0), k.size(2), count}), gamma = rho;
    auto a = at::ones({k.size(0), k.size(2), 1}), m = a, b = at::zeros_like(a);
    std::vector<at::Tensor> gammas, befores, as, bs, a_befores, b_befores;
    for (std::int64_t t = 0; t < count; ++t) {
      befores.push_back(gamma);
      a_befores.push_back(a);
      b_befores.push_back(b);
      rho = gate(mu, t) * rho + at::eye(count).select(0, t);
      m = gate(mu, t) * m;
      gamma = gate(alpha, t) * gamma + gate(beta, t) * rho;
      b = gate(alpha, t) * b + gate(beta, t) * m;
      a = gate(alpha, t) * a;
      gammas.push_back(gamma);
      as.push_back(a);
      bs.push_back(b);
    }
    const auto write = (part(k) * part(eta).unsqueeze(-1)).transpose(2, 3);  // [N, H, K, C]
    const auto right = part(v) - at::stack(a_befores, 2) * at::matmul(part(p), state) +
                       at::stack(b_befores, 2) * at::matmul(part(p), momentum);
    const auto values =
        at::linalg_solve_triangular(at::matmul(part(p), write) * at::stack(befores, 2), right, false, true, true);
    outputs.push_back(scale * (at::stack(as, 2) * at::matmul(part(q), state) -
                               at::stack(bs, 2) * at::matmul(part(q), momentum) +
                               at::matmul(at::matmul(part(q), write) * at::stack(gammas, 2), values)));
    state = a.unsqueeze(-1) * state - b.unsqueeze(-1) * momentum + at::matmul(write * gamma.unsqueeze(-2), values);
    momentum = m.unsqueeze(-1) * momentum - at::matmul(write * rho.unsqueeze(-2), values);
  }
  return {at::cat(outputs, 2).transpose(1, 2), state, momentum};
}

/// In chunks beside plain_chunks; the token form rounds as the recurrence does.
void check(const std::vector<Input>& inputs, std::int64_t chunk) {
  const auto op = as_op<momentum_delta_rule>(chunk), reference = as_op<momentum_delta_rule_reference>();
  expect_equal_in_fp64(op, reference, inputs);
  expect_as_exact_as_plain(op, reference, inputs, at::kFloat, chunk == 0 ? testing::Op() : as_op<plain_chunks>(chunk));
}

/// By the chunk: 0 as chosen on a CPU, token by token; 64 as chosen on a GPU.
class MomentumDeltaRuleTest : public testing::OpTest, public ::testing::WithParamInterface<std::int64_t> {
 protected:
  testing::Op op() const { return as_op<momentum_delta_rule>(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Forms, MomentumDeltaRuleTest, ::testing::Values(0, 64), [](const auto& chunk) {
  return chunk.param == 0 ? std::string("ByToken") : "Chunk" + std::to_string(chunk.param);
});

TEST_P(MomentumDeltaRuleTest, IsTheRecurrenceAtEveryLength) {
  for (const std::int64_t tokens : {1, 2, 15, 16, 17, 63, 64, 65, 130})
    for (const bool initial : {false, true}) {
      SCOPED_TRACE(::testing::Message() << "T " << tokens << ", initial states " << initial);
      check(inputs_of({.tokens = tokens, .initial_states = initial}), GetParam());
    }
}

TEST_P(MomentumDeltaRuleTest, IsTheRecurrenceOverManyChunks) {
  check(inputs_of({.tokens = 1000, .batch = 1, .heads = 1}), GetParam());
}

TEST_P(MomentumDeltaRuleTest, IsTheRecurrenceForEveryChunk) {
  if (GetParam() == 0) GTEST_SKIP() << "has no chunks";
  for (const std::int64_t chunk : {16, 32}) {
    SCOPED_TRACE(::testing::Message() << "chunk " << chunk);
    check(inputs_of({.tokens = 70}), chunk);
  }
}

TEST_P(MomentumDeltaRuleTest, WideKeysAndValues) {
  check(inputs_of({.tokens = 40, .batch = 4, .heads = 1, .key_width = 4, .value_width = 24}), GetParam());
  check(inputs_of({.tokens = 40, .batch = 4, .key_width = 20, .value_width = 16}), GetParam());
  check(inputs_of({.tokens = 40, .batch = 4, .key_width = 40, .value_width = 17}), GetParam());
}

TEST_P(MomentumDeltaRuleTest, MomentumThatDecaysFasterThanTheStateLosesNoDigits) {
  for (const double log_mu : {-0.1, -2.0, -60.0})
    for (const double log_alpha : {0.0, -0.5, -60.0}) {
      SCOPED_TRACE(::testing::Message() << "log mu " << log_mu << ", log alpha " << log_alpha);
      auto inputs = inputs_of({.tokens = 80});
      inputs[4].tensor.fill_(std::exp(log_alpha));
      inputs[5].tensor.fill_(std::exp(log_mu));
      check(inputs, GetParam());
    }
}

TEST_P(MomentumDeltaRuleTest, GatesOfZeroAreExact) {
  for (const std::size_t gate : {4, 5, 6, 7}) {
    auto inputs = inputs_of({.tokens = 70});
    SCOPED_TRACE(inputs[gate].name);
    inputs[gate].tensor.slice(1, 0, {}, 3).zero_();
    check(inputs, GetParam());
    inputs[gate].tensor.zero_();
    check(inputs, GetParam());
  }
}

TEST_P(MomentumDeltaRuleTest, WithoutMomentumItIsTheGatedDeltaRule) {
  auto inputs = inputs_of({.tokens = 70});
  inputs[5].tensor.zero_();
  inputs[9].tensor = at::Tensor();
  const testing::Op gated = [](const std::vector<at::Tensor>& x) {
    const auto scan = gated_delta_rule_reference(x[0], x[1], x[3], x[4].log(), x[6] * x[7], {.initial_state = x[8]});
    return std::vector<at::Tensor>{scan.output, scan.state};
  };
  const testing::Op momentum = [this](const std::vector<at::Tensor>& x) {
    const auto p = x[4].unsqueeze(-1) * x[1];
    const auto scan = momentum_delta_rule(x[0], x[1], p, x[3], x[4], at::zeros_like(x[5]), x[6], x[7],
                                          {.initial_state = x[8], .chunk = GetParam()});
    return std::vector<at::Tensor>{scan.output, scan.state};
  };
  expect_equal_in_fp64(momentum, gated, inputs);
}

TEST_P(MomentumDeltaRuleTest, GradientOfEachResultAlone) {
  for (const bool initial : {false, true})
    for (const std::size_t result : {0, 1, 2}) {
      const auto one = [&](const testing::Op& all) {
        return [all, result](const std::vector<at::Tensor>& x) { return std::vector{all(x)[result]}; };
      };
      SCOPED_TRACE(::testing::Message() << "result " << result << ", initial states " << initial);
      expect_equal_in_fp64(one(op()), one(as_op<momentum_delta_rule_reference>()),
                           inputs_of({.tokens = 40, .initial_states = initial}));
    }
}

TEST_P(MomentumDeltaRuleTest, OneInitialStateOfTwo) {
  for (const std::size_t absent : {8, 9}) {
    auto inputs = inputs_of({.tokens = 70});
    inputs[absent].tensor = at::Tensor();
    check(inputs, GetParam());
  }
}

TEST_P(MomentumDeltaRuleTest, HalfPrecisionInputsAreComputedInSingle) {
  const auto inputs = inputs_of({.tokens = 70});
  expect_as_exact_as_plain(op(), as_op<momentum_delta_rule_reference>(), inputs, at::kBFloat16);
  std::vector<at::Tensor> half;
  for (const auto& input : inputs) half.push_back(input.tensor.to(at::kBFloat16));
  const auto results = op()(half);
  EXPECT_EQ(results[0].scalar_type(), at::kBFloat16);
  EXPECT_EQ(results[1].scalar_type(), at::kFloat);
  EXPECT_EQ(results[2].scalar_type(), at::kFloat);
}

std::string message(const std::vector<at::Tensor>& x, const MomentumScanOptions& options = {}) {
  try {
    momentum_delta_rule(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], options);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(MomentumDeltaRuleErrorsTest, NameTheTensorWhatItIsAndWhatIsAllowed) {
  const auto key = at::zeros({2, 6, 3, 4}), gate = at::zeros({2, 6, 3});
  const std::vector<at::Tensor> good = {key, key, key, at::zeros({2, 6, 3, 5}), gate, gate, gate, gate};
  EXPECT_EQ(message(good), "accepted");
  const std::vector<std::string> names = {"q", "k", "p", "v", "alpha", "mu", "eta", "beta"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto x = good;
    x[i] = at::Tensor();
    EXPECT_EQ(message(x).rfind("momentum_delta_rule: " + names[i] + " is undefined; allowed is [", 0), 0) << message(x);
    x[i] = at::zeros({2, 7, 3});
    EXPECT_EQ(message(x).rfind("momentum_delta_rule: " + names[i] + " is [2, 7, 3]; allowed is [", 0), 0) << message(x);
    if (i == 1) continue;  // what the others are compared with
    x[i] = good[i].to(at::kDouble);
    EXPECT_EQ(message(x), "momentum_delta_rule: " + names[i] + " is Double; allowed is Float");
  }
  EXPECT_EQ(message(good, {.initial_state = at::zeros({2, 3, 5, 4})}),
            "momentum_delta_rule: initial_state is [2, 3, 5, 4]; allowed is [2, 3, 4, 5], none of them 0");
  EXPECT_EQ(message(good, {.initial_momentum = at::zeros({2, 3, 4, 5}, at::kMeta)}),
            "momentum_delta_rule: initial_momentum is meta; allowed is cpu");
  EXPECT_EQ(message(good, {.chunk = 8}), "momentum_delta_rule: chunk is 8; allowed is 0, 16, 32 or 64");
}

}  // namespace
}  // namespace plait::kernels
