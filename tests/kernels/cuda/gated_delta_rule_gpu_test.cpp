#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/gated_delta_rule/gated_delta_rule_cuda.h"
#include "tests/kernels/cuda/harness.h"

namespace plait::kernels::gpu_test {
namespace {

enum class Gate { none, mild, strong, extreme, zero };
enum class Keys { random, alike, equal, some_zero };

struct Case {
  int sequences = 2, tokens = 64, heads = 2, key_dim = 64, value_dim = 64;
  PlaitDataType data_type = PLAIT_BFLOAT16;
  Gate gate = Gate::mild;
  Keys keys = Keys::random;
  double largest_beta = 1.0;
  bool initial_state = false, d_final_state = false;
  PlaitDataType gate_type = PLAIT_FLOAT32;

  std::string text() const {
    static constexpr const char* gates[] = {"none", "mild", "strong", "extreme", "zero"};
    static constexpr const char* key_names[] = {"random", "alike", "equal", "some zero"};
    return std::string(name_of(data_type)) + " N" + std::to_string(sequences) + " T" + std::to_string(tokens) + " H" +
           std::to_string(heads) + " K" + std::to_string(key_dim) + " V" + std::to_string(value_dim) + " gate " +
           gates[static_cast<int>(gate)] + " keys " + key_names[static_cast<int>(keys)] +
           " beta<=" + std::to_string(largest_beta).substr(0, 3) + (initial_state ? " S0" : "") +
           (d_final_state ? " dST" : "") + (gate_type == PLAIT_BFLOAT16 ? " bf16 gates" : "");
  }
};

/// Inputs q k v g beta S0 dO dST; results o ST dq dk dv dg dbeta dS0. Layouts of the C interface.
template <class Precision>
void run_head(const Case& c, const Tensors& in, Tensors& out, double scale, int n, int h) {
  using Real = typename Precision::Real;
  const auto r = [](Real x) { return Precision::round(x); };
  const std::size_t T = static_cast<std::size_t>(c.tokens), H = static_cast<std::size_t>(c.heads),
                    K = static_cast<std::size_t>(c.key_dim), V = static_cast<std::size_t>(c.value_dim);
  const std::size_t head = static_cast<std::size_t>(n) * H + static_cast<std::size_t>(h);
  const auto row = [&](std::size_t t) {
    return (static_cast<std::size_t>(n) * T + t) * H + static_cast<std::size_t>(h);
  };
  const auto get = [&](const char* name, std::size_t i) { return static_cast<Real>(in.at(name)[i]); };
  const Real scale_r = r(static_cast<Real>(scale));

  std::vector<Real> states((T + 1) * K * V), errors(T * V), news(T * V), decays(T, 1);
  for (std::size_t i = 0; i < K * V; ++i) states[i] = c.initial_state ? get("S0", head * K * V + i) : Real(0);
  std::vector<Real> q(K), k(K), o(V);
  for (std::size_t t = 0; t < T; ++t) {
    const Real decay = c.gate == Gate::none ? Real(1) : std::exp(get("g", row(t)));
    const Real beta = get("beta", row(t));
    decays[t] = decay;
    const Real* before = &states[t * K * V];
    Real* after = &states[(t + 1) * K * V];
    Real* error = &errors[t * V];
    Real* fresh = &news[t * V];
    for (std::size_t j = 0; j < V; ++j) error[j] = o[j] = 0;
    for (std::size_t i = 0; i < K; ++i) {
      q[i] = r(scale_r * get("q", row(t) * K + i));
      k[i] = get("k", row(t) * K + i);
      for (std::size_t j = 0; j < V; ++j) {
        after[i * V + j] = decay * before[i * V + j];
        error[j] += r(after[i * V + j]) * k[i];
      }
    }
    for (std::size_t j = 0; j < V; ++j) {
      error[j] = r(get("v", row(t) * V + j) - r(error[j]));
      fresh[j] = r(beta * error[j]);
    }
    for (std::size_t i = 0; i < K; ++i) {
      for (std::size_t j = 0; j < V; ++j) {
        after[i * V + j] += r(k[i] * fresh[j]);
        o[j] += r(after[i * V + j]) * q[i];
      }
    }
    for (std::size_t j = 0; j < V; ++j) out["o"][row(t) * V + j] = r(o[j]);
  }
  for (std::size_t i = 0; i < K * V; ++i) out["ST"][head * K * V + i] = states[T * K * V + i];

  std::vector<Real> d_state(K * V), d_fresh(V), d_error(V), d_out(V);
  for (std::size_t i = 0; i < K * V; ++i) d_state[i] = c.d_final_state ? get("dST", head * K * V + i) : Real(0);
  for (std::size_t t = T; t-- > 0;) {
    const Real decay = decays[t], beta = get("beta", row(t));
    const Real* before = &states[t * K * V];
    const Real* after = &states[(t + 1) * K * V];
    const Real* error = &errors[t * V];
    const Real* fresh = &news[t * V];
    for (std::size_t j = 0; j < V; ++j) {
      d_out[j] = get("dO", row(t) * V + j);
      d_fresh[j] = 0;
    }
    for (std::size_t i = 0; i < K; ++i) {
      q[i] = r(scale_r * get("q", row(t) * K + i));
      k[i] = get("k", row(t) * K + i);
      Real dq = 0;
      for (std::size_t j = 0; j < V; ++j) {
        dq += r(after[i * V + j]) * d_out[j];
        d_state[i * V + j] += r(q[i] * d_out[j]);
        d_fresh[j] += r(d_state[i * V + j]) * k[i];
      }
      out["dq"][row(t) * K + i] = r(scale_r * r(dq));
    }
    Real d_beta = 0;
    for (std::size_t j = 0; j < V; ++j) {
      d_fresh[j] = r(d_fresh[j]);
      d_beta += d_fresh[j] * error[j];
      d_error[j] = r(beta * d_fresh[j]);
      out["dv"][row(t) * V + j] = d_error[j];
    }
    Real d_decay = 0;
    for (std::size_t i = 0; i < K; ++i) {
      Real dk = 0, dk_error = 0;
      for (std::size_t j = 0; j < V; ++j) {
        dk += r(d_state[i * V + j]) * fresh[j];
        dk_error += r(decay * before[i * V + j]) * d_error[j];
        d_state[i * V + j] -= r(k[i] * d_error[j]);
        d_decay += r(r(d_state[i * V + j]) * r(before[i * V + j]));
        d_state[i * V + j] *= decay;
      }
      out["dk"][row(t) * K + i] = r(r(dk) - r(dk_error));
    }
    out["dbeta"][row(t)] = rounded(d_beta, c.gate_type);
    out["dg"][row(t)] = rounded(decay * d_decay, c.gate_type);
    if constexpr (std::is_same_v<Real, double>) {
      out["dbeta"][row(t)] = d_beta;
      out["dg"][row(t)] = decay * d_decay;
    }
  }
  for (std::size_t i = 0; i < K * V; ++i) out["dS0"][head * K * V + i] = d_state[i];
}

struct Sizes {
  std::size_t keys, values, gates, state;
  explicit Sizes(const Case& c)
      : keys(static_cast<std::size_t>(c.sequences) * static_cast<std::size_t>(c.tokens) *
             static_cast<std::size_t>(c.heads * c.key_dim)),
        values(static_cast<std::size_t>(c.sequences) * static_cast<std::size_t>(c.tokens) *
               static_cast<std::size_t>(c.heads * c.value_dim)),
        gates(static_cast<std::size_t>(c.sequences) * static_cast<std::size_t>(c.tokens) *
              static_cast<std::size_t>(c.heads)),
        state(static_cast<std::size_t>(c.sequences * c.heads) * static_cast<std::size_t>(c.key_dim * c.value_dim)) {}
};

template <class Precision>
Tensors recurrence(const Case& c, const Tensors& in, double scale) {
  const Sizes s(c);
  Tensors out{{"o", Numbers(s.values)},    {"ST", Numbers(s.state)},  {"dq", Numbers(s.keys)},
              {"dk", Numbers(s.keys)},     {"dv", Numbers(s.values)}, {"dg", Numbers(s.gates)},
              {"dbeta", Numbers(s.gates)}, {"dS0", Numbers(s.state)}};
  for_heads(c.sequences, c.heads, [&](int n, int h) { run_head<Precision>(c, in, out, scale, n, h); });
  return out;
}

Tensors make_inputs(const Case& c, unsigned seed) {
  const Sizes s(c);
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  Tensors in;
  const auto vectors = [&](std::size_t count, int dim, double common) {
    Numbers x(count);
    const auto d = static_cast<std::size_t>(dim);
    Numbers mean(d);
    for (double& y : mean) y = normal(random);
    for (std::size_t i = 0; i < count; i += d) {
      double norm = 0;
      for (std::size_t j = 0; j < d; ++j) {
        x[i + j] = std::sqrt(common) * mean[j] + std::sqrt(1 - common) * normal(random);
        norm += x[i + j] * x[i + j];
      }
      const bool zero = c.keys == Keys::some_zero && uniform(random) < 0.2;
      for (std::size_t j = 0; j < d; ++j) x[i + j] = zero ? 0.0 : rounded(x[i + j] / std::sqrt(norm), c.data_type);
    }
    return x;
  };
  const auto normals = [&](std::size_t count, PlaitDataType type) {
    Numbers x(count);
    for (double& y : x) y = rounded(normal(random), type);
    return x;
  };
  in["q"] = vectors(s.keys, c.key_dim, 0.0);
  in["k"] = vectors(s.keys, c.key_dim, c.keys == Keys::alike ? 0.5 : c.keys == Keys::equal ? 1.0 : 0.0);
  in["v"] = normals(s.values, c.data_type);
  in["dO"] = normals(s.values, c.data_type);
  in["S0"] = normals(s.state, PLAIT_FLOAT32);
  in["dST"] = normals(s.state, PLAIT_FLOAT32);
  Numbers& g = in["g"] = Numbers(s.gates);
  Numbers& beta = in["beta"] = Numbers(s.gates);
  for (std::size_t i = 0; i < s.gates; ++i) {
    const double u = uniform(random);
    if (c.gate == Gate::mild) g[i] = -0.1 * u;
    if (c.gate == Gate::strong) g[i] = -5 * u;
    if (c.gate == Gate::extreme) g[i] = u < 0.3 ? -60.0 : -0.1 * u;
    g[i] = rounded(g[i], c.gate_type);
    beta[i] = rounded(c.largest_beta * (c.keys == Keys::equal ? 1.0 : uniform(random)), c.gate_type);
  }
  return in;
}

/// One forward and one backward pass into fresh poisoned buffers.
Bytes run_kernels(const Case& c, const Tensors& in, double scale) {
  const Sizes s(c);
  Arguments on_gpu;
  const auto input = [&](const char* name, PlaitDataType type) { return on_gpu.input(name, in.at(name), type); };
  const bool gated = c.gate != Gate::none;
  PlaitGatedDeltaRule p{};
  p.sequences = c.sequences, p.tokens = c.tokens, p.heads = c.heads, p.key_dim = c.key_dim, p.value_dim = c.value_dim;
  p.data_type = c.data_type, p.gate_type = c.gate_type, p.scale = static_cast<float>(scale);
  p.q = input("q", c.data_type), p.k = input("k", c.data_type), p.v = input("v", c.data_type);
  p.g = gated ? input("g", c.gate_type) : nullptr;
  p.beta = input("beta", c.gate_type);
  p.initial_state = c.initial_state ? on_gpu.input_fp32("S0", in.at("S0")) : nullptr;
  p.output = on_gpu.output("o", s.values, c.data_type);
  p.final_state = on_gpu.output_fp32("ST", s.state);
  const std::int64_t workspace_bytes = plait_gated_delta_rule_workspace_bytes(&p);
  EXPECT_GE(workspace_bytes, 0);
  Buffer workspace(static_cast<std::size_t>(workspace_bytes));
  p.workspace = workspace.data();
  p.d_output = input("dO", c.data_type);
  p.d_final_state = c.d_final_state ? on_gpu.input_fp32("dST", in.at("dST")) : nullptr;
  p.d_q = on_gpu.output("dq", s.keys, c.data_type), p.d_k = on_gpu.output("dk", s.keys, c.data_type);
  p.d_v = on_gpu.output("dv", s.values, c.data_type);
  p.d_g = gated ? on_gpu.output("dg", s.gates, c.gate_type) : nullptr;
  p.d_beta = on_gpu.output("dbeta", s.gates, c.gate_type);
  p.d_initial_state = on_gpu.output_fp32("dS0", s.state);

  char message[256] = "";
  EXPECT_EQ(plait_gated_delta_rule_forward(&p, nullptr, message, sizeof message), 0) << message;
  EXPECT_EQ(plait_gated_delta_rule_backward(&p, nullptr, message, sizeof message), 0) << message;
  EXPECT_TRUE(workspace.bands_are_whole()) << "workspace";
  return on_gpu.results();
}

Worst worst;

void check(const Case& c) {
  SCOPED_TRACE(c.text());
  const double scale = 1.0 / std::sqrt(c.key_dim);
  const Tensors in = make_inputs(c, 1234u + static_cast<unsigned>(c.tokens));
  const Tensors exact = recurrence<Exact>(c, in, scale);
  const Tensors plain =
      c.data_type == PLAIT_BFLOAT16 ? recurrence<Bfloat16>(c, in, scale) : recurrence<Float32>(c, in, scale);
  const auto type_of = [&](const std::string& name) {
    if (name == "dg" || name == "dbeta") return c.gate_type;
    return name == "ST" || name == "dS0" ? PLAIT_FLOAT32 : c.data_type;
  };
  const double smallest_dg = smallest_gate_error(in, exact, static_cast<std::size_t>(c.key_dim), c.data_type);
  const Bytes kernel = run_kernels(c, in, scale), again = run_kernels(c, in, scale);
  compare(kernel, again, {c.text(), c.data_type, type_of, exact, plain, smallest_dg}, worst);
}

class GatedDeltaRuleOnGpu : public testing::TestWithParam<PlaitDataType> {
 public:
  void SetUp() override {
    char message[256] = "";
    if (plait_cuda_device(message, sizeof message)) GTEST_SKIP() << message;
  }
  Case make() const {
    Case c;
    c.data_type = GetParam();
    return c;
  }
  static void TearDownTestSuite() { worst.print(); }
};

TEST_P(GatedDeltaRuleOnGpu, AgreesForEveryHeadDim) {
  for (const int k : {32, 64, 128}) {
    for (const int v : {32, 64, 128}) {
      Case c = make();
      c.key_dim = k, c.value_dim = v, c.tokens = 150, c.initial_state = c.d_final_state = true;
      check(c);
      c.gate = Gate::none, c.initial_state = c.d_final_state = false, c.tokens = 70;
      check(c);
    }
  }
}

TEST_P(GatedDeltaRuleOnGpu, AgreesForEveryLength) {
  for (const int tokens : {1, 2, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 127, 128, 129, 257, 1000}) {
    Case c = make();
    c.tokens = tokens, c.heads = 3, c.initial_state = c.d_final_state = true;
    check(c);
    c.key_dim = 32, c.value_dim = 32, c.initial_state = c.d_final_state = false;
    check(c);
  }
}

TEST_P(GatedDeltaRuleOnGpu, AgreesForEveryGate) {
  for (const Gate gate : {Gate::none, Gate::zero, Gate::mild, Gate::strong, Gate::extreme}) {
    for (const PlaitDataType type : {PLAIT_FLOAT32, PLAIT_BFLOAT16}) {
      Case c = make();
      c.gate = gate, c.gate_type = type, c.tokens = 200, c.initial_state = c.d_final_state = true;
      check(c);
    }
  }
}

TEST_P(GatedDeltaRuleOnGpu, AgreesForHardKeys) {
  for (const Keys keys : {Keys::alike, Keys::equal, Keys::some_zero}) {
    for (const double beta : {1.0, 2.0}) {
      for (const Gate gate : {Gate::none, Gate::mild}) {
        Case c = make();
        c.keys = keys, c.largest_beta = beta, c.gate = gate, c.tokens = 200;
        check(c);
      }
    }
  }
}

TEST_P(GatedDeltaRuleOnGpu, AgreesForManyHeads) {
  Case c = make();
  c.sequences = 150, c.heads = 4, c.tokens = 80, c.key_dim = c.value_dim = 32;
  check(c);
}

TEST_P(GatedDeltaRuleOnGpu, PassesTheStateThroughASequenceOfNoTokens) {
  Case c = make();
  c.tokens = 0, c.initial_state = c.d_final_state = true;
  check(c);
}

INSTANTIATE_TEST_SUITE_P(Types, GatedDeltaRuleOnGpu, testing::Values(PLAIT_BFLOAT16, PLAIT_FLOAT32),
                         [](const auto& type) { return type.param == PLAIT_BFLOAT16 ? "bf16" : "fp32"; });

PlaitGatedDeltaRule good() {
  PlaitGatedDeltaRule p{};
  p.sequences = 1, p.tokens = 1, p.heads = 1, p.key_dim = p.value_dim = 64;
  p.data_type = p.gate_type = PLAIT_FLOAT32;
  return p;
}

TEST(GatedDeltaRuleCuda, RefusesInWords) {
  char message[256] = "";
  PlaitGatedDeltaRule p = good();
  p.key_dim = 48;
  EXPECT_EQ(plait_gated_delta_rule_forward(&p, nullptr, message, sizeof message), 1);
  EXPECT_STREQ(message, "key_dim is 48; 32, 64 and 128 are supported");
  EXPECT_EQ(plait_gated_delta_rule_workspace_bytes(&p), -1);
  message[0] = 0;
  EXPECT_EQ(plait_gated_delta_rule_check(&p, message, sizeof message), 1);
  EXPECT_STREQ(message, "key_dim is 48; 32, 64 and 128 are supported");
  p = good();
  p.data_type = static_cast<PlaitDataType>(7);
  EXPECT_EQ(plait_gated_delta_rule_backward(&p, nullptr, message, sizeof message), 1);
  EXPECT_STREQ(message, "data_type is 7; fp32 (0) and bf16 (1) are supported");
  p = good();
  EXPECT_EQ(plait_gated_delta_rule_forward(&p, nullptr, message, sizeof message), 1);
  EXPECT_STREQ(message, "q is null");
  p.q = reinterpret_cast<void*>(8);
  EXPECT_EQ(plait_gated_delta_rule_forward(&p, nullptr, message, 8), 1);
  EXPECT_STREQ(message, "q is no");
}

TEST(GatedDeltaRuleCuda, WorkspaceHoldsARecordAChunkAndAStateEvery64Tokens) {
  PlaitGatedDeltaRule p = good();
  p.data_type = PLAIT_BFLOAT16;
  constexpr std::int64_t kRecord = 2 * (16 * 16 * 2) + 4 * (16 * 4) + 2 * (16 * 16 * 2);  // m, b; gates; T in two parts
  p.tokens = 0;
  EXPECT_EQ(plait_gated_delta_rule_workspace_bytes(&p), 0);
  p.tokens = 64;
  EXPECT_EQ(plait_gated_delta_rule_workspace_bytes(&p), 4 * kRecord);
  p.tokens = 65;
  EXPECT_EQ(plait_gated_delta_rule_workspace_bytes(&p), 5 * kRecord + 64 * 64 * 2);
}

TEST(GatedDeltaRuleCuda, SaysWhichDeviceOrWhyNone) {
  char message[256] = "";
  const int none = plait_cuda_device(message, sizeof message);
  EXPECT_GT(std::strlen(message), 0u);
  if (none) {
    EXPECT_NE(std::string(message).find("GPU"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace plait::kernels::gpu_test
