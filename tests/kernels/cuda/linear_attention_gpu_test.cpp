#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/gated_delta_rule/gated_delta_rule_cuda.h"
#include "kernels/linear_attention/linear_attention_cuda.h"
#include "tests/kernels/cuda/harness.h"

namespace plait::kernels::gpu_test {
namespace {

enum class Gate { none, zero, mild, strong, extreme };

struct Case {
  int sequences = 2, tokens = 64, heads = 2, key_dim = 64, value_dim = 64;
  PlaitDataType data_type = PLAIT_BFLOAT16;
  bool by_channel = false;
  Gate gate = Gate::mild;
  bool zero_keys = false;  ///< some of them
  bool initial_state = false, d_final_state = false;
  bool wants_d_g = true;
  PlaitDataType gate_type = PLAIT_FLOAT32;

  bool gated() const { return gate != Gate::none; }
  int gate_dim() const { return by_channel ? key_dim : 1; }
  std::string text() const {
    static constexpr const char* gates[] = {"none", "zero", "mild", "strong", "extreme"};
    return std::string(name_of(data_type)) + " N" + std::to_string(sequences) + " T" + std::to_string(tokens) + " H" +
           std::to_string(heads) + " K" + std::to_string(key_dim) + " V" + std::to_string(value_dim) + " gate " +
           gates[static_cast<int>(gate)] + (by_channel ? " a channel" : "") + (zero_keys ? " zero keys" : "") +
           (initial_state ? " S0" : "") + (d_final_state ? " dST" : "") +
           (gate_type == PLAIT_BFLOAT16 ? " bf16 gates" : "");
  }
};

struct Sizes {
  std::size_t tokens, keys, values, gates, state;  ///< numbers in all; rows of tokens
  explicit Sizes(const Case& c) {
    const auto size = [](int x) { return static_cast<std::size_t>(x); };
    tokens = size(c.sequences) * size(c.tokens) * size(c.heads);
    keys = tokens * size(c.key_dim);
    values = tokens * size(c.value_dim);
    gates = tokens * size(c.gate_dim());
    state = size(c.sequences * c.heads) * size(c.key_dim * c.value_dim);
  }
};

/// Inputs q k v g S0 dO dST; results o ST dq dk dv dg dS0. Layouts of the C interface.
template <class Precision>
void run_head(const Case& c, const Tensors& in, Tensors& out, double scale, int n, int h) {
  using Real = typename Precision::Real;
  const auto r = [](Real x) { return Precision::round(x); };
  const std::size_t T = static_cast<std::size_t>(c.tokens), H = static_cast<std::size_t>(c.heads),
                    K = static_cast<std::size_t>(c.key_dim), V = static_cast<std::size_t>(c.value_dim),
                    G = static_cast<std::size_t>(c.gate_dim());
  const std::size_t head = static_cast<std::size_t>(n) * H + static_cast<std::size_t>(h);
  const auto row = [&](std::size_t t) {
    return (static_cast<std::size_t>(n) * T + t) * H + static_cast<std::size_t>(h);
  };
  const auto get = [&](const char* name, std::size_t i) { return static_cast<Real>(in.at(name)[i]); };
  const Real scale_r = r(static_cast<Real>(scale));

  std::vector<Real> states((T + 1) * K * V), decays(T * K, 1);
  for (std::size_t i = 0; i < K * V; ++i) states[i] = c.initial_state ? get("S0", head * K * V + i) : Real(0);
  std::vector<Real> o(V);
  for (std::size_t t = 0; t < T; ++t) {
    const Real* before = &states[t * K * V];
    Real* after = &states[(t + 1) * K * V];
    for (std::size_t j = 0; j < V; ++j) o[j] = 0;
    for (std::size_t i = 0; i < K; ++i) {
      if (c.gated()) decays[t * K + i] = std::exp(get("g", row(t) * G + i % G));
      const Real q = r(scale_r * get("q", row(t) * K + i)), k = get("k", row(t) * K + i);
      for (std::size_t j = 0; j < V; ++j) {
        after[i * V + j] = decays[t * K + i] * before[i * V + j] + r(k * get("v", row(t) * V + j));
        o[j] += r(after[i * V + j]) * q;
      }
    }
    for (std::size_t j = 0; j < V; ++j) out["o"][row(t) * V + j] = r(o[j]);
  }
  for (std::size_t i = 0; i < K * V; ++i) out["ST"][head * K * V + i] = states[T * K * V + i];

  std::vector<Real> d_state(K * V), d_v(V), d_decay(G);
  for (std::size_t i = 0; i < K * V; ++i) d_state[i] = c.d_final_state ? get("dST", head * K * V + i) : Real(0);
  for (std::size_t t = T; t-- > 0;) {
    const Real* before = &states[t * K * V];
    const Real* after = &states[(t + 1) * K * V];
    for (std::size_t j = 0; j < V; ++j) d_v[j] = 0;
    for (std::size_t i = 0; i < G; ++i) d_decay[i] = 0;
    for (std::size_t i = 0; i < K; ++i) {
      const Real q = r(scale_r * get("q", row(t) * K + i)), k = get("k", row(t) * K + i), decay = decays[t * K + i];
      Real dq = 0, dk = 0;
      for (std::size_t j = 0; j < V; ++j) {
        const Real d_out = get("dO", row(t) * V + j);
        Real& d_s = d_state[i * V + j];
        dq += r(after[i * V + j]) * d_out;
        d_s += r(q * d_out);
        d_v[j] += r(d_s) * k;
        dk += r(d_s) * get("v", row(t) * V + j);
        d_decay[i % G] += r(r(d_s) * r(before[i * V + j]));
        d_s *= decay;
      }
      out["dq"][row(t) * K + i] = r(scale_r * r(dq));
      out["dk"][row(t) * K + i] = r(dk);
    }
    for (std::size_t j = 0; j < V; ++j) out["dv"][row(t) * V + j] = r(d_v[j]);
    for (std::size_t i = 0; i < G; ++i) {
      const double d_g = decays[t * K + i] * d_decay[i];
      out["dg"][row(t) * G + i] = std::is_same_v<Real, double> ? d_g : rounded(d_g, c.gate_type);
    }
  }
  for (std::size_t i = 0; i < K * V; ++i) out["dS0"][head * K * V + i] = d_state[i];
}

template <class Precision>
Tensors recurrence(const Case& c, const Tensors& in, double scale) {
  const Sizes s(c);
  Tensors out{{"o", Numbers(s.values)},  {"ST", Numbers(s.state)}, {"dq", Numbers(s.keys)},  {"dk", Numbers(s.keys)},
              {"dv", Numbers(s.values)}, {"dg", Numbers(s.gates)}, {"dS0", Numbers(s.state)}};
  for_heads(c.sequences, c.heads, [&](int n, int h) { run_head<Precision>(c, in, out, scale, n, h); });
  return out;
}

Tensors make_inputs(const Case& c, unsigned seed) {
  const Sizes s(c);
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  Tensors in;
  const auto normals = [&](std::size_t count, PlaitDataType type) {
    Numbers x(count);
    for (double& y : x) y = rounded(normal(random), type);
    return x;
  };
  in["q"] = normals(s.keys, c.data_type);
  in["k"] = normals(s.keys, c.data_type);
  in["v"] = normals(s.values, c.data_type);
  in["dO"] = normals(s.values, c.data_type);
  in["S0"] = normals(s.state, PLAIT_FLOAT32);
  in["dST"] = normals(s.state, PLAIT_FLOAT32);
  if (c.zero_keys) {
    const std::size_t K = static_cast<std::size_t>(c.key_dim);
    for (std::size_t t = 0; t < s.tokens; ++t) {
      if (uniform(random) < 0.2) std::fill_n(&in["k"][t * K], K, 0.0);
    }
  }
  Numbers& g = in["g"] = Numbers(s.gates);
  for (double& x : g) {
    const double u = uniform(random);
    if (c.gate == Gate::mild) x = -0.1 * u;
    if (c.gate == Gate::strong) x = -5 * u;
    if (c.gate == Gate::extreme) x = u < 0.3 ? -60.0 : -0.1 * u;
    x = rounded(x, c.gate_type);
  }
  return in;
}

/// One forward and one backward pass into fresh poisoned buffers.
Bytes run_kernels(const Case& c, const Tensors& in, double scale) {
  const Sizes s(c);
  Arguments on_gpu;
  const auto input = [&](const char* name, PlaitDataType type) { return on_gpu.input(name, in.at(name), type); };
  PlaitLinearAttention p{};
  p.sequences = c.sequences, p.tokens = c.tokens, p.heads = c.heads, p.key_dim = c.key_dim, p.value_dim = c.value_dim;
  p.gate_dim = c.gate_dim();
  p.data_type = c.data_type, p.gate_type = c.gate_type, p.scale = static_cast<float>(scale);
  p.q = input("q", c.data_type), p.k = input("k", c.data_type), p.v = input("v", c.data_type);
  p.g = c.gated() ? input("g", c.gate_type) : nullptr;
  p.initial_state = c.initial_state ? on_gpu.input_fp32("S0", in.at("S0")) : nullptr;
  p.output = on_gpu.output("o", s.values, c.data_type);
  p.final_state = on_gpu.output_fp32("ST", s.state);
  const std::int64_t workspace_bytes = plait_linear_attention_workspace_bytes(&p);
  EXPECT_GE(workspace_bytes, 0);
  Buffer workspace(static_cast<std::size_t>(workspace_bytes));
  p.workspace = workspace.data();
  p.d_output = input("dO", c.data_type);
  p.d_final_state = c.d_final_state ? on_gpu.input_fp32("dST", in.at("dST")) : nullptr;
  p.d_q = on_gpu.output("dq", s.keys, c.data_type), p.d_k = on_gpu.output("dk", s.keys, c.data_type);
  p.d_v = on_gpu.output("dv", s.values, c.data_type);
  p.d_g = c.gated() && c.wants_d_g ? on_gpu.output("dg", s.gates, c.gate_type) : nullptr;
  p.d_initial_state = on_gpu.output_fp32("dS0", s.state);

  char message[256] = "";
  EXPECT_EQ(plait_linear_attention_forward(&p, nullptr, message, sizeof message), 0) << message;
  EXPECT_EQ(plait_linear_attention_backward(&p, nullptr, message, sizeof message), 0) << message;
  EXPECT_TRUE(workspace.bands_are_whole()) << "workspace";
  return on_gpu.results();
}

Worst worst;

void check(const Case& c) {
  SCOPED_TRACE(c.text());
  const double scale = 1.0 / std::sqrt(c.key_dim);
  const Tensors in = make_inputs(c, 4321u + static_cast<unsigned>(c.tokens));
  const Tensors exact = recurrence<Exact>(c, in, scale);
  const Tensors plain =
      c.data_type == PLAIT_BFLOAT16 ? recurrence<Bfloat16>(c, in, scale) : recurrence<Float32>(c, in, scale);
  const auto type_of = [&](const std::string& name) {
    if (name == "dg") return c.gate_type;
    return name == "ST" || name == "dS0" ? PLAIT_FLOAT32 : c.data_type;
  };
  const std::size_t width = c.by_channel ? 1 : static_cast<std::size_t>(c.key_dim);
  const double smallest_dg = smallest_gate_error(in, exact, width, c.data_type);
  const Bytes kernel = run_kernels(c, in, scale), again = run_kernels(c, in, scale);
  compare(kernel, again, {c.text(), c.data_type, type_of, exact, plain, smallest_dg}, worst);
}

struct Kind {
  PlaitDataType data_type;
  bool by_channel;
};

class LinearAttentionOnGpu : public testing::TestWithParam<Kind> {
 public:
  void SetUp() override {
    char message[256] = "";
    if (plait_cuda_device(message, sizeof message)) GTEST_SKIP() << message;
  }
  Case make() const {
    Case c;
    c.data_type = GetParam().data_type;
    c.by_channel = GetParam().by_channel;
    return c;
  }
  static void TearDownTestSuite() { worst.print(); }
};

TEST_P(LinearAttentionOnGpu, AgreesForEveryHeadDim) {
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

TEST_P(LinearAttentionOnGpu, AgreesForEveryLength) {
  for (const int tokens : {1, 2, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 127, 128, 129, 257, 1000}) {
    Case c = make();
    c.tokens = tokens, c.heads = 3, c.initial_state = c.d_final_state = true;
    check(c);
    c.key_dim = 32, c.value_dim = 32, c.initial_state = c.d_final_state = false;
    check(c);
  }
}

TEST_P(LinearAttentionOnGpu, AgreesForEveryGate) {
  for (const Gate gate : {Gate::none, Gate::zero, Gate::mild, Gate::strong, Gate::extreme}) {
    for (const PlaitDataType type : {PLAIT_FLOAT32, PLAIT_BFLOAT16}) {
      for (const bool zero_keys : {false, true}) {
        Case c = make();
        if (c.by_channel && type == PLAIT_BFLOAT16) continue;
        c.gate = gate, c.gate_type = type, c.tokens = 200, c.initial_state = c.d_final_state = true;
        c.zero_keys = zero_keys;
        check(c);
      }
    }
  }
}

TEST_P(LinearAttentionOnGpu, AgreesForManyHeads) {
  Case c = make();
  c.sequences = 150, c.heads = 4, c.tokens = 80, c.key_dim = c.value_dim = 32;
  check(c);
}

TEST_P(LinearAttentionOnGpu, PassesTheStateThroughASequenceOfNoTokens) {
  Case c = make();
  c.tokens = 0, c.initial_state = c.d_final_state = true;
  check(c);
}

TEST_P(LinearAttentionOnGpu, GivesTheSameWhereTheGradientOfTheGatesIsNotWanted) {
  Case c = make();
  c.tokens = 100, c.initial_state = c.d_final_state = true;
  const Tensors in = make_inputs(c, 7);
  Bytes with = run_kernels(c, in, 0.125);
  c.wants_d_g = false;
  with.erase("dg");
  EXPECT_EQ(run_kernels(c, in, 0.125), with);
}

INSTANTIATE_TEST_SUITE_P(Kinds, LinearAttentionOnGpu,
                         testing::Values(Kind{PLAIT_BFLOAT16, false}, Kind{PLAIT_FLOAT32, false},
                                         Kind{PLAIT_BFLOAT16, true}, Kind{PLAIT_FLOAT32, true}),
                         [](const auto& kind) {
                           return std::string(name_of(kind.param.data_type)) +
                                  (kind.param.by_channel ? "_channel_gates" : "_head_gates");
                         });

PlaitLinearAttention good() {
  PlaitLinearAttention p{};
  p.sequences = 1, p.tokens = 1, p.heads = 1, p.key_dim = p.value_dim = 64, p.gate_dim = 1;
  p.data_type = p.gate_type = PLAIT_FLOAT32;
  return p;
}

TEST(LinearAttentionCuda, RefusesInWords) {
  char message[256] = "";
  PlaitLinearAttention p = good();
  p.value_dim = 48;
  EXPECT_EQ(plait_linear_attention_forward(&p, nullptr, message, sizeof message), 1);
  EXPECT_STREQ(message, "value_dim is 48; 32, 64 and 128 are supported");
  EXPECT_EQ(plait_linear_attention_workspace_bytes(&p), -1);
  message[0] = 0;
  EXPECT_EQ(plait_linear_attention_check(&p, message, sizeof message), 1);
  EXPECT_STREQ(message, "value_dim is 48; 32, 64 and 128 are supported");
  p = good();
  p.data_type = static_cast<PlaitDataType>(7);
  EXPECT_EQ(plait_linear_attention_backward(&p, nullptr, message, sizeof message), 1);
  EXPECT_STREQ(message, "data_type is 7; fp32 (0) and bf16 (1) are supported");
  p = good();
  EXPECT_EQ(plait_linear_attention_forward(&p, nullptr, message, sizeof message), 1);
  EXPECT_STREQ(message, "q is null");
  p.q = reinterpret_cast<void*>(8);
  EXPECT_EQ(plait_linear_attention_forward(&p, nullptr, message, 8), 1);
  EXPECT_STREQ(message, "q is no");
}

TEST(LinearAttentionCuda, RefusesGatesThatAreNeitherOneAHeadNorOneAChannel) {
  char message[256] = "";
  PlaitLinearAttention p = good();
  p.g = reinterpret_cast<void*>(16);
  p.gate_dim = 3;
  EXPECT_EQ(plait_linear_attention_backward(&p, nullptr, message, sizeof message), 1);
  EXPECT_STREQ(message, "gate_dim is 3; 1 and 64 (key_dim) are supported");
  p.gate_dim = 64;
  p.gate_type = PLAIT_BFLOAT16;
  EXPECT_EQ(plait_linear_attention_forward(&p, nullptr, message, sizeof message), 1);
  EXPECT_STREQ(message, "gate_type is bf16 (1) with one gate a key channel; fp32 (0) is supported");
}

TEST(LinearAttentionCuda, NeedsNoWorkspaceForAShortSequence) {
  PlaitLinearAttention p = good();
  p.data_type = PLAIT_BFLOAT16;
  p.tokens = 64;
  EXPECT_EQ(plait_linear_attention_workspace_bytes(&p), 0);
  p.tokens = 65;
  EXPECT_EQ(plait_linear_attention_workspace_bytes(&p), 64 * 64 * 2);
  p.g = reinterpret_cast<void*>(16);
  p.gate_dim = 64;
  p.tokens = 32;
  EXPECT_EQ(plait_linear_attention_workspace_bytes(&p), 0);
  p.tokens = 65;
  EXPECT_EQ(plait_linear_attention_workspace_bytes(&p), 2 * 64 * 64 * 2);
}

}  // namespace
}  // namespace plait::kernels::gpu_test
