#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/embedding/embedding.h"
#include "kernels/gated_delta_rule/gated_delta_rule.h"
#include "kernels/gated_delta_rule/layer.h"
#include "kernels/joined_weights/joined_weights.h"
#include "kernels/linear_attention/linear_attention.h"
#include "kernels/random/random.h"
#include "kernels/sequence/delta_inputs.h"
#include "kernels/sequence/sequence.h"
#include "src/proxy/adamw.h"
#include "src/proxy/backend.h"
#include "src/proxy/device.h"
#include "src/proxy/random.h"
#include "src/proxy/train.h"
#include "src/proxy/trainer.h"
#include "tests/proxy/tiny_training.h"

namespace plait::proxy {
namespace {

/// What runs on a GPU alone: the way to plait's kernels and steps launched as graphs.
class GpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      device = open_device("cuda");
    } catch (const Unavailable& error) {
      GTEST_SKIP() << error.what();
    }
  }
  at::Device device = at::kCPU;
};

/// Output, final state and gradients of a fixed functional of both, on the CPU in fp64.
template <class Scan>
std::vector<at::Tensor> evaluate(const Scan& run, const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> leaves, defined;
  for (const at::Tensor& input : inputs) {
    leaves.push_back(input.defined() ? input.detach().requires_grad_() : input);
    if (input.defined()) defined.push_back(leaves.back());
  }
  const kernels::Scan scan = run(leaves);
  const auto weighted = [](const at::Tensor& x) {
    const at::Tensor weights = at::arange(x.numel(), at::kDouble).mul_(0.37).cos_().view(x.sizes());
    return (x.to(at::kDouble) * weights.to(x.device())).sum();
  };
  std::vector<at::Tensor> out = torch::autograd::grad({weighted(scan.output) + weighted(scan.state)}, defined);
  out.push_back(scan.output);
  out.push_back(scan.state);
  for (at::Tensor& x : out) x = x.detach().to(at::kCPU, at::kDouble);
  return out;
}

/// In fp32 on the device, and in fp64 on the CPU.
template <class Scan>
void expect_scan_agreement(const Scan& run, std::vector<at::Tensor> inputs, at::Device device) {
  std::vector<at::Tensor> on_gpu;
  for (at::Tensor& x : inputs) {
    if (x.defined()) x = x.to(at::kFloat).to(at::kDouble);
    on_gpu.push_back(x.defined() ? x.to(device, at::kFloat) : x);
  }
  const std::vector<at::Tensor> expected = evaluate(run, inputs), actual = evaluate(run, on_gpu);
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_LE((actual[i] - expected[i]).norm().item<double>() / expected[i].norm().item<double>(), 2e-6) << i;
}

TEST_F(GpuTest, TheDeltaRuleRunsInPlaitsKernelAndAgreesWithTheCpu) {
  const auto run = [](const std::vector<at::Tensor>& x) {
    if (x[0].is_cuda()) {
      EXPECT_EQ(kernels::gated_delta_rule_path(x[1], x[2], x[3]), "plait's CUDA kernel");
    }
    return kernels::gated_delta_rule(x[0], x[1], x[2], x[3], x[4], {.initial_state = x[5]});
  };
  for (const auto& [K, V] : {std::pair{64, 64}, {32, 128}, {8, 16}, {40, 33}}) {
    for (const bool gated : {false, true}) {
      SCOPED_TRACE(::testing::Message() << "K " << K << " V " << V << " gated " << gated);
      at::manual_seed(5);
      const auto unit = [](const at::Tensor& x) { return x / x.norm(2, -1, true); };
      const at::Tensor g = gated ? -at::rand({3, 70, 2}, at::kDouble) : at::Tensor();
      expect_scan_agreement(run,
                            {unit(at::randn({3, 70, 2, K}, at::kDouble)), unit(at::randn({3, 70, 2, K}, at::kDouble)),
                             at::randn({3, 70, 2, V}, at::kDouble), g, at::rand({3, 70, 2}, at::kDouble),
                             at::randn({3, 2, K, V}, at::kDouble)},
                            device);
    }
  }
}

TEST_F(GpuTest, LinearAttentionRunsInPlaitsKernelAndAgreesWithTheCpu) {
  const auto run = [](const std::vector<at::Tensor>& x) {
    if (x[0].is_cuda()) {
      EXPECT_EQ(kernels::linear_attention_path(x[1], x[2], x[3]), "plait's CUDA kernel");
    }
    return kernels::linear_attention(x[0], x[1], x[2], x[3], {.initial_state = x[4]});
  };
  for (const auto& [K, V] : {std::pair{64, 64}, {32, 128}, {8, 16}, {40, 33}}) {
    at::manual_seed(5);
    for (const at::Tensor& g :
         {at::Tensor(), -at::rand({3, 70, 2}, at::kDouble), -at::rand({3, 70, 2, K}, at::kDouble)}) {
      SCOPED_TRACE(::testing::Message() << "K " << K << " V " << V << " gate axes " << (g.defined() ? g.dim() : 0));
      expect_scan_agreement(run,
                            {at::randn({3, 70, 2, K}, at::kDouble), at::randn({3, 70, 2, K}, at::kDouble),
                             at::randn({3, 70, 2, V}, at::kDouble), g, at::randn({3, 2, K, V}, at::kDouble)},
                            device);
    }
  }
}

TEST_F(GpuTest, LinearAttentionAboveTheKernelsHeadDimsGoesThroughATen) {
  const auto values = [&](std::int64_t width) {
    return at::ones({1, 20, 1, width}, at::TensorOptions(at::kFloat).device(device));
  };
  EXPECT_EQ(kernels::linear_attention_path(values(130), values(16), {}),
            "chunks through ATen: the head dims are 130 and 16, above 128");
  const at::Tensor last = kernels::linear_attention(values(130), values(130), values(16), {}, {.scale = 1.0}).output;
  EXPECT_EQ(last.select(1, 19).min().item<float>(), 20 * 130);
}

using Function = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// Result and gradients of a fixed random functional of it, as fp64 on the CPU.
std::vector<at::Tensor> differentiate(const Function& function, std::vector<at::Tensor> leaves) {
  for (at::Tensor& leaf : leaves) leaf = leaf.detach().requires_grad_();
  const at::Tensor y = function(leaves);
  const at::Tensor weights = at::randn(y.sizes(), at::make_generator<at::CPUGeneratorImpl>(11), at::kDouble);
  auto out = torch::autograd::grad({(y.to(at::kDouble) * weights.to(y.device())).sum()}, leaves);
  out.push_back(y.detach());
  for (at::Tensor& x : out) x = x.to(at::kCPU, at::kDouble);
  return out;
}

/// The GPU against the CPU in fp64; the first `half` inputs are in bf16, the others in fp32.
void expect_agreement_mixed(const Function& function, const std::vector<at::Tensor>& inputs, std::size_t half,
                            at::Device device, double bound = 0x1p-8) {  // one rounding of a result in bf16
  std::vector<at::Tensor> exact, given;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const at::ScalarType type = i < half ? at::kBFloat16 : at::kFloat;
    given.push_back(inputs[i].to(device, type));
    exact.push_back(inputs[i].to(type).to(at::kDouble));
  }
  const auto expected = differentiate(function, exact), actual = differentiate(function, given);
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_LE((actual[i] - expected[i]).norm().item<double>(), bound * expected[i].norm().item<double>()) << i;
}

/// Twice: the first `half` inputs in bf16, and all in fp32.
void expect_agreement(const Function& function, const std::vector<at::Tensor>& inputs, std::size_t half,
                      at::Device device) {
  expect_agreement_mixed(function, inputs, half, device);
  SCOPED_TRACE("fp32");
  expect_agreement_mixed(function, inputs, 0, device, 1e-6);
}

at::Tensor random(at::IntArrayRef sizes) { return at::randn(sizes, at::kDouble); }

TEST_F(GpuTest, NormsAgreeWithTheCpu) {
  at::manual_seed(6);
  for (const std::int64_t width : {8, 16, 40, 64, 128, 512, 1024}) {
    SCOPED_TRACE(width);
    const Function l2 = [](const auto& x) { return kernels::l2norm(x[0]); };
    const Function rms = [](const auto& x) { return kernels::rms_norm(x[0], x[1], 1e-6); };
    expect_agreement(l2, {random({3, 7, 5, width})}, 1, device);
    expect_agreement(rms, {random({3, 7, 5, width}), random({3, width})}, 1, device);
    for (const auto activation : {kernels::GateActivation::swish, kernels::GateActivation::sigmoid}) {
      const Function gated = [&](const auto& x) { return kernels::gated_rms_norm(x[0], x[1], x[2], 1e-6, activation); };
      expect_agreement(gated, {random({3, 7, 5, width}), random({3, 7, 5, width}), random({3, width})}, 2, device);
    }
  }
  const at::Tensor x = at::randn({2, 9, 64}, at::TensorOptions(at::kFloat).device(device));
  const at::Tensor weight = at::ones({2, 64}, x.options());
  EXPECT_EQ(kernels::rms_norm(x, weight, 1e-6, at::kBFloat16).scalar_type(), at::kBFloat16);
}

TEST_F(GpuTest, NormsOfSumsAndSwiGluAgreeWithTheCpu) {
  at::manual_seed(10);
  for (const std::int64_t width : {8, 40, 64, 256}) {
    SCOPED_TRACE(width);
    const Function both = [](const auto& x) {
      const auto [sum, normed] = kernels::normed_sum(x[1], x[0], x[2], 1e-6, x[0].scalar_type());
      return at::cat({sum, normed.to(sum.scalar_type())}, -1);
    };
    expect_agreement(both, {random({3, 7, 5, width}), random({3, 7, 5, width}), random({3, width})}, 1, device);
    expect_agreement([](const auto& x) { return kernels::swiglu(x[0]); }, {random({3, 7, 2 * width})}, 1, device);
  }
}

/// delta_inputs by the operations that it stands for.
kernels::DeltaInputs delta_inputs_by_operations(const std::vector<at::Tensor>& x, const kernels::DeltaShape& shape) {
  const std::int64_t keys = shape.heads * shape.key_dim, H = shape.value_heads;
  const at::Tensor y =
      kernels::short_conv(x[0].narrow(-1, 0, shape.channels()), x[1], {}, {}, kernels::ConvActivation::silu);
  const auto part = [](const at::Tensor& of, std::int64_t first, std::int64_t heads, std::int64_t width) {
    return of.narrow(-1, first, heads * width).flatten(0, 1).unflatten(-1, {heads, width});
  };
  const auto gate = [&](std::int64_t index) { return x[0].narrow(-1, shape.channels() + index * H, H); };
  kernels::DeltaInputs out{.q = kernels::l2norm(part(y, 0, shape.heads, shape.key_dim)),
                           .k = kernels::l2norm(part(y, keys, shape.heads, shape.key_dim)),
                           .v = part(y, 2 * keys, H, shape.value_dim),
                           .g = {},
                           .beta = shape.beta_scale * gate(shape.decays ? 1 : 0).sigmoid().flatten(0, 1)};
  const auto beside = [](const at::Tensor& parameter) { return parameter.unsqueeze(1).unsqueeze(1); };
  if (shape.decays) out.g = (-beside(x[2].exp()) * at::softplus(gate(0) + beside(x[3]))).flatten(0, 1);
  return out;
}

TEST_F(GpuTest, DeltaInputsAgreeWithTheOperationsTheyStandFor) {
  using Shape = kernels::DeltaShape;
  at::manual_seed(11);
  for (const Shape& shape : {Shape{2, 2, 32, 32, 4, true, 1}, Shape{1, 2, 8, 16, 3, true, 2},
                             Shape{2, 4, 64, 128, 2, true, 1}, Shape{3, 3, 16, 16, 4, false, 2}}) {
    for (const std::int64_t tokens : {1, 3, 17, 70}) {
      SCOPED_TRACE(::testing::Message() << "key dim " << shape.key_dim << " tokens " << tokens);
      const Function function = [&](const std::vector<at::Tensor>& x) {
        const kernels::DeltaInputs in = x[0].is_cuda() ? kernels::delta_inputs(x[0], x[1], x[2], x[3], shape)
                                                       : delta_inputs_by_operations(x, shape);
        std::vector<at::Tensor> parts;
        for (const at::Tensor& part : {in.q, in.k, in.v, in.g, in.beta})
          if (part.defined()) parts.push_back(part.flatten().to(at::kDouble));
        // What is not there has no part in the result, but a gradient.
        return at::cat(parts) + 0 * (x[2].sum() + x[3].sum());
      };
      const std::int64_t H = shape.value_heads;
      ASSERT_TRUE(kernels::fits_delta_inputs(at::TensorOptions(at::kBFloat16).device(device), shape));
      expect_agreement(function,
                       {random({2, 3, tokens, shape.padded_columns()}), random({2, shape.channels(), shape.conv_width}),
                        random({2, H}), random({2, H})},
                       1, device);
    }
  }
}

TEST_F(GpuTest, DeltaLayersAreThoseOfTheirOperators) {
  using Shape = kernels::DeltaShape;
  at::manual_seed(12);
  for (const Shape& shape : {Shape{2, 2, 32, 64, 4, true, 1}, Shape{2, 2, 64, 32, 3, false, 2}}) {
    for (const bool gated : {true, false}) {
      for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        SCOPED_TRACE(::testing::Message() << "key dim " << shape.key_dim << " gated " << gated << " " << type);
        ASSERT_TRUE(kernels::fits_delta_layer(at::TensorOptions(type).device(device), shape));
        const std::int64_t H = shape.heads, keys = H * shape.key_dim, values = H * shape.value_dim;
        const std::int64_t gates = gated ? values : 0;
        const auto on_gpu = [&](at::IntArrayRef sizes) { return random(sizes).to(device, at::kFloat); };
        const std::vector<at::Tensor> inputs = {on_gpu({2, 3, 70, gates + shape.padded_columns()}).to(type),
                                                on_gpu({2, keys, 1, shape.conv_width}),
                                                on_gpu({2, keys, 1, shape.conv_width}),
                                                on_gpu({2, values, 1, shape.conv_width}),
                                                on_gpu({2, H}),
                                                on_gpu({2, H}),
                                                on_gpu({2, shape.value_dim})};
        // What is not there has no part in the result, but a gradient.
        const auto all = [](const std::vector<at::Tensor>& x, const at::Tensor& y) {
          return y.to(at::kDouble) + 0 * (x[4].sum() + x[5].sum());
        };
        const Function layer = [&](const auto& x) {
          const kernels::JoinedWeights filters =
              kernels::joined_weights({x[1], x[2], x[3]}, shape.channels(), at::kFloat);
          kernels::join(std::vector{filters});
          return all(x, kernels::delta_layer(x[0], filters, x[4], x[5], x[6], shape, 1e-6));
        };
        const Function operators = [&](const auto& x) {
          const at::Tensor filters = at::cat({x[1], x[2], x[3]}, 1).squeeze(2);
          const kernels::DeltaInputs in =
              kernels::delta_inputs(x[0].narrow(3, gates, shape.padded_columns()), filters, x[4], x[5], shape);
          const at::Tensor y = kernels::gated_delta_rule(in.q, in.k, in.v, in.g, in.beta).output.unflatten(0, {2, 3});
          const at::Tensor normed =
              gated ? kernels::gated_rms_norm(y, x[0].narrow(3, 0, gates).unflatten(3, {H, shape.value_dim}), x[6],
                                              1e-6, kernels::GateActivation::swish)
                    : kernels::rms_norm(y, x[6], 1e-6);
          return all(x, normed.flatten(3));
        };
        const auto expected = differentiate(operators, inputs), actual = differentiate(layer, inputs);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          EXPECT_TRUE(at::equal(actual[i], expected[i])) << i;
          EXPECT_TRUE(i == 4 || i == 5 || expected[i].norm().item<double>() > 0) << i;
        }
      }
    }
  }
}

TEST_F(GpuTest, JoinedWeightsAreTheirPartsRounded) {
  const auto numbers = [&](at::IntArrayRef sizes) { return random(sizes).to(device, at::kFloat); };
  const at::Tensor whole = numbers({2, 5, 8}), odd = numbers({1, 7}),
                   shifted = numbers({1 + 2 * 3 * 7}).narrow(0, 1, 42);
  const std::vector<kernels::JoinedWeights> weights = {
      kernels::joined_weights({whole, numbers({2, 3, 8})}, 16, at::kBFloat16),
      kernels::joined_weights({odd.view({1, 1, 7}), numbers({1, 2, 7})}, 3, at::kBFloat16),
      kernels::joined_weights({shifted.view({2, 3, 7})}, 3, at::kFloat)};
  kernels::join(weights);
  for (const kernels::JoinedWeights& of : weights) {
    ASSERT_TRUE(kernels::fits_joined_weights(of.parts));
    const at::Tensor expected = at::cat(of.parts, 1).to(of.joined.scalar_type());
    EXPECT_TRUE(at::equal(of.joined.narrow(1, 0, expected.size(1)), expected));
    EXPECT_EQ(of.joined.narrow(1, expected.size(1), of.joined.size(1) - expected.size(1)).abs().sum().item<double>(),
              0);
  }
}

TEST_F(GpuTest, ShortConvolutionsAgreeWithTheCpu) {
  at::manual_seed(7);
  for (const auto activation : {kernels::ConvActivation::none, kernels::ConvActivation::silu}) {
    for (const std::int64_t width : {2, 3, 4}) {
      for (const std::int64_t tokens : {1, 3, 16, 33, 100}) {
        SCOPED_TRACE(::testing::Message() << "width " << width << " tokens " << tokens);
        const Function plain = [&](const auto& x) { return kernels::short_conv(x[0], x[1], {}, {}, activation); };
        const Function biased = [&](const auto& x) { return kernels::short_conv(x[0], x[1], x[2], {}, activation); };
        expect_agreement(plain, {random({2, 5, tokens, 12}), random({2, 12, width})}, 1, device);
        expect_agreement(biased, {random({2, 3, tokens, 200}), random({2, 200, width}), random({2, 200})}, 1, device);
      }
    }
  }
}

/// Loss and gradients beside fp64 are as close as those of the same steps by ATen in bf16.
void expect_linear_cross_entropy(std::int64_t rows, std::int64_t classes, at::Device device) {
  for (const std::int64_t width : {24, 128}) {
    SCOPED_TRACE(::testing::Message() << "width " << width << " rows " << rows << " classes " << classes);
    const at::Tensor labels = at::randint(classes, {2, rows}, at::kLong);
    const Function loss = [&](const auto& x) {
      return kernels::linear_cross_entropy(x[0], x[1], labels.to(x[0].device())).loss;
    };
    const Function plain = [&](const auto& x) {
      const at::Tensor logits = at::bmm(x[0], x[1].transpose(1, 2)).to(at::kFloat);
      return -at::log_softmax(logits, -1).gather(-1, labels.to(device).unsqueeze(-1)).mean({1, 2});
    };
    const at::Tensor x = at::randn({2, rows, width}).to(at::kBFloat16);
    const at::Tensor weight =
        (3 / std::sqrt(static_cast<double>(width)) * at::randn({2, classes, width})).to(at::kBFloat16);
    const auto expected = differentiate(loss, {x.to(device, at::kDouble), weight.to(device, at::kDouble)});
    const auto ours = differentiate(loss, {x.to(device), weight.to(device)});
    const auto theirs = differentiate(plain, {x.to(device), weight.to(device)});
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto error = [&](const at::Tensor& given) { return (given - expected[i]).norm().item<double>(); };
      // Where rounding happens to cancel, one rounding of a result.
      EXPECT_LE(error(ours[i]), std::max(2 * error(theirs[i]), 0x1p-9 * expected[i].norm().item<double>())) << i;
    }
    // Few different logits: the first of several largest is the choice.
    const at::Tensor few = at::randint(2, {2, rows, width}, at::kFloat);
    at::Tensor by = at::zeros({2, classes, width});
    by.select(2, 0).copy_(at::randint(3, {2, classes}, at::kFloat));
    const at::Tensor largest = at::bmm(few.to(device), by.to(device).transpose(1, 2)).argmax(-1).to(at::kCPU);
    for (const at::Tensor& choice : {largest, (largest + 1).remainder(classes), labels}) {
      const auto hits =
          kernels::linear_cross_entropy(few.to(device, at::kBFloat16), by.to(device, at::kBFloat16), choice.to(device))
              .hits;
      EXPECT_TRUE(hits.to(at::kCPU).equal(choice.eq(largest)));
    }
  }
}

TEST_F(GpuTest, LinearCrossEntropyAgreesAsPlainBf16Does) {
  at::manual_seed(9);
  expect_linear_cross_entropy(1, 8, device);
  expect_linear_cross_entropy(130, 1000, device);  // a warp a row
  expect_linear_cross_entropy(300, 8192, device);  // a block
}

TEST_F(GpuTest, LinearCrossEntropyWorksInParts) {
  at::manual_seed(13);
  expect_linear_cross_entropy(9000, 8192, device);   // by members
  expect_linear_cross_entropy(17000, 8192, device);  // and by rows
  expect_linear_cross_entropy(1500, 20000, device);  // a large block a row
}

TEST_F(GpuTest, RandomWordsAndOrdersAreThoseOfTheCpu) {
  const at::Tensor keys = at::tensor({std::int64_t{5}, std::int64_t{-77}, INT64_MIN});
  const at::Tensor words = kernels::random_words(keys, 12, 3000);
  EXPECT_TRUE(kernels::random_words(keys.to(device), 12, 3000).to(at::kCPU).equal(words));
  for (const std::int64_t width : {1, 2, 3, 31, 32, 33, 100, 512, 1000, 1024}) {
    SCOPED_TRACE(width);
    const at::Tensor x = words.narrow(1, 0, width).unsqueeze(0).expand({2, 3, width});
    EXPECT_TRUE(kernels::sorted_rows(x.to(device)).to(at::kCPU).equal(std::get<0>(x.sort(-1))));
    for (const at::Tensor& from : {x, x.to(at::kDouble).log1p_().nan_to_num_(-1).add_(at::arange(width, at::kDouble))})
      EXPECT_TRUE(kernels::row_order(from.to(device)).to(at::kCPU).equal(from.argsort(std::int64_t{-1})));
  }
  // Many repeats and few; a part of a wider tensor.
  for (const auto& [width, range] :
       {std::pair<std::int64_t, std::int64_t>{1, 5}, {40, 20}, {136, 4095}, {1024, 1 << 20}}) {
    SCOPED_TRACE(width);
    const at::Tensor x = words.bitwise_and(INT64_MAX).view({3, 1, 3000}).narrow(2, 7, width);
    EXPECT_TRUE(kernels::distinct(x.to(device), range, width).to(at::kCPU).equal(kernels::distinct(x, range, width)));
    const at::Tensor wide = words.bitwise_and(INT64_MAX).to(device).view({3, 1, 3000}).narrow(2, 7, width);
    EXPECT_TRUE(kernels::distinct(wide, range, width).to(at::kCPU).equal(kernels::distinct(x, range, width)));
  }
}

TEST_F(GpuTest, EmbeddingsAgreeWithTheCpuAndTheirGradientsRepeat) {
  for (const std::int64_t width : {32, 64, 128, 256, 48}) {
    for (const auto& [classes, tokens] : {std::pair{7, 300}, {8192, 100}, {300, 1}, {1, 5000}}) {
      SCOPED_TRACE(::testing::Message() << "width " << width << " classes " << classes << " tokens " << tokens);
      at::manual_seed(3);
      const at::Tensor table = at::randn({3, classes, width}), token = at::randint(classes, {3, 1, tokens}),
                       dy = at::randn({3, 1, tokens, width});
      const auto run = [&](at::Device on, const at::Tensor& d_y) {
        const at::Tensor weight = table.detach().to(on).requires_grad_();
        const at::Tensor y = kernels::embedding(weight, token.to(on));
        return std::pair{y.detach().to(at::kCPU), torch::autograd::grad({y}, {weight}, {d_y.to(on)})[0].to(at::kCPU)};
      };
      // Sums of integers have one value in any order.
      const auto [y, gradient] = run(device, dy.round());
      const auto [expected, expected_gradient] = run(at::kCPU, dy.round());
      EXPECT_TRUE(y.equal(expected));
      EXPECT_TRUE(gradient.equal(expected_gradient));
      if (width != 48) {
        EXPECT_TRUE(run(device, dy).second.equal(run(device, dy).second));
      }
    }
  }
}

TEST_F(GpuTest, AdamWStepsAsOnTheCpu) {
  // Three members; who has the second weight, with rows of one number, differs. More weights than a launch takes.
  const auto states = [](at::Device on) {
    at::manual_seed(12);
    const auto leaf = [&](at::IntArrayRef sizes) { return at::randn(sizes).to(on).requires_grad_(); };
    std::vector<nn::Parameter> parameters = {{"a", leaf({3, 400, 64}), {0, 1, 2}, true},
                                             {"b", leaf({2, 7}), {2, 0}, false},
                                             {"c", leaf({3, 33, 3}), {0, 1, 2}, true}};
    for (int i = 0; i < 70; ++i) parameters.push_back({"d" + std::to_string(i), leaf({1, 64}), {i % 3}, true});
    PopulationAdamW optimiser(std::move(parameters), 3, 0.1);
    const at::Tensor rate = at::tensor({1e-2F, 3e-3F, 1e-3F}).to(on);
    const at::Tensor alive = at::tensor({1, 1, 0}).to(at::kBool).to(on);
    std::vector<at::Tensor> out;
    for (std::int64_t step = 0; step < 5; ++step) {
      std::vector<at::Tensor> gradients;
      for (const nn::Parameter& parameter : optimiser.parameters())
        gradients.push_back(at::randn(parameter.value.sizes()).to(on));
      if (step == 3) gradients[0][2].fill_(NAN);
      if (step == 4) gradients[1] = at::Tensor();
      const at::Tensor norm = optimiser.take(gradients);
      out.push_back(norm.narrow(0, 0, 2));
      const auto [first, second] = PopulationAdamW::bias_corrections(step);
      optimiser.apply((20 / norm).clamp_max(1), rate, alive,
                      upload(std::vector<double>{first, second}, on).to(at::kFloat));
    }
    for (const MemberState& state : optimiser.states())
      for (const auto& [name, weight] : state.weights)
        out.insert(out.end(), {weight.value, weight.first_moment, weight.second_moment});
    for (at::Tensor& x : out) x = x.to(at::kCPU, at::kDouble);
    return out;
  };
  const auto expected = states(at::kCPU), actual = states(device);
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(actual[i].allclose(expected[i], 1e-5, 1e-7)) << i;
}

TEST_F(GpuTest, StepRatesAreThoseOfTheCpu) {
  const auto rates = [](at::Device on) {
    const auto numbers = [&](std::initializer_list<float> x) { return at::tensor(std::vector<float>(x)).to(on); };
    at::Tensor alive = at::tensor({1, 1, 1, 0}).to(at::kBool).to(on), loss_sum = numbers({1, 2, 3, 4});
    const auto [scale, rate] = kernels::step_rates(numbers({.5F, NAN, 2, 1}), numbers({.25F, 2, INFINITY, 4}), 1.5,
                                                   numbers({1, 2, 3, 4}), numbers({.3F}), alive, loss_sum);
    return std::vector{scale.cpu(), rate.cpu(), alive.to(at::kCPU, at::kFloat), loss_sum.cpu()};
  };
  const auto expected = rates(at::kCPU), actual = rates(device);
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_TRUE(actual[i].allclose(expected[i], 1e-6, 0, true)) << i << ": " << actual[i] << expected[i];
}

TEST_F(GpuTest, StepsLaunchedAsGraphsTrainAsTheSameStepsByOperations) {
  const OneLoad task("mqar", {.pairs = 2, .length = 16});
  const auto losses = [&](bool graphs) {
    TrainingPlan plan;
    plan.steps = 60;
    plan.graphs = graphs;
    std::vector<Member> members;
    for (std::uint64_t seed = 0; seed < 3; ++seed) members.push_back({tiny_model("GG*", task), 1e-2, seed});
    Trainer trainer(members, plan, task, device);
    std::vector<double> out;
    for (std::int64_t step = 0; step < plan.steps; ++step) {
      trainer.step(step);
      if (step % 10 != 9) continue;
      for (const Trainer::Reading& reading : trainer.read()) {
        EXPECT_TRUE(reading.alive);
        out.push_back(reading.loss);
      }
    }
    for (const std::string& note : trainer.notes()) EXPECT_EQ(note, "gated delta rule: plait's CUDA kernel");
    return out;
  };
  const std::vector<double> graphs = losses(true), operations = losses(false);
  EXPECT_EQ(graphs, operations);
  for (std::size_t m = 0; m < 3; ++m) EXPECT_LT(graphs[graphs.size() - 3 + m], 0.9 * graphs[m]);
}

TEST_F(GpuTest, EveryMixerOfLinearAttentionTrainsInPlaitsKernel) {
  const OneLoad task("mqar", {.pairs = 2, .length = 16});
  for (const char* layout : {"R*", "L*", "H*", "M*", "X*"}) {
    SCOPED_TRACE(layout);
    TrainingPlan plan;
    plan.steps = 20;
    const std::vector<Member> members = {{tiny_model(layout, task), 1e-2, 0}};
    Trainer trainer(members, plan, task, device);
    for (std::int64_t step = 0; step < plan.steps; ++step) trainer.step(step);
    EXPECT_TRUE(trainer.read()[0].alive);
    EXPECT_THAT(trainer.notes(), ::testing::ElementsAre("linear attention: plait's CUDA kernel"));
  }
}

TEST_F(GpuTest, AMemberThatDivergesInAGraphLeavesTheOthersAlone) {
  const OneLoad task("mqar", {.pairs = 2, .length = 16});
  TrainingPlan plan;
  plan.device = "cuda";
  plan.steps = 60;
  plan.report_every = 20;
  const std::vector<Member> members = {{tiny_model("G*", task), 1e-2, 0}, {tiny_model("G*", task), 1e30, 0}};
  const TrainingResult result = train(members, plan, task, {}, {});
  EXPECT_FALSE(result.runs[0].diverged);
  EXPECT_EQ(result.runs[0].steps, plan.steps);
  EXPECT_TRUE(result.runs[1].diverged);
}

}  // namespace
}  // namespace plait::proxy
