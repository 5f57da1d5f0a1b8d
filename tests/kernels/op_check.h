#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

/// Compares an operator with its reference: outputs, final states and the gradients of all inputs, in fp64 and below.
namespace plait::kernels::testing {

/// An input by name; an undefined tensor stays undefined and has no gradient.
struct Input {
  std::string name;
  at::Tensor tensor;  ///< fp64
};

/// Operator or reference as a function of all its tensors in the order of the inputs; gives output and final states.
using Op = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)>;

/// Uninitialised memory is NaN in tests of this fixture: what an operator forgets to write is seen.
class OpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    at::globalContext().setDeterministicAlgorithms(true, false);
    at::globalContext().setDeterministicFillUninitializedMemory(true);
    torch::manual_seed(7);
  }
  void TearDown() override { at::globalContext().setDeterministicAlgorithms(false, false); }
};

struct Values {
  std::vector<std::string> names;
  std::vector<at::Tensor> tensors;  ///< fp64
};

/// Outputs of op on the inputs in `dtype`, and every gradient of a fixed random linear functional of all outputs.
inline Values evaluate(const Op& op, const std::vector<Input>& inputs, at::ScalarType dtype) {
  std::vector<at::Tensor> given, leaves;
  Values values;
  std::vector<std::string> gradient_names;
  for (const auto& [name, tensor] : inputs) {
    given.push_back(tensor.defined() ? tensor.detach().to(dtype, false, true).requires_grad_() : tensor);
    if (!tensor.defined()) continue;
    leaves.push_back(given.back());
    gradient_names.push_back("gradient of " + name);
  }
  const auto outputs = op(given);
  auto functional = at::zeros({}, at::kDouble);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(11);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto weights = at::randn(outputs[i].sizes(), generator, at::kDouble);
    functional = functional + (outputs[i] * weights.to(outputs[i].scalar_type())).to(at::kDouble).sum();
    values.names.push_back("output " + std::to_string(i));
    values.tensors.push_back(outputs[i].detach().to(at::kDouble));
  }
  const auto gradients = torch::autograd::grad({functional}, leaves, {}, {}, false, true);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (given[i].defined()) {
      EXPECT_TRUE(given[i].equal(inputs[i].tensor.to(dtype))) << inputs[i].name << " was changed";
    }
  }
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    values.names.push_back(gradient_names[i]);
    values.tensors.push_back(gradients[i].defined() ? gradients[i].to(at::kDouble)
                                                    : at::zeros_like(leaves[i], at::kDouble));
  }
  return values;
}

inline double frobenius(const at::Tensor& x) { return x.norm().item<double>(); }

/// The smallest norm that errors are relative to: a gradient that is 0 but for rounding has no relative error.
inline double floor_of(const at::Tensor& x) { return 1e-3 * std::sqrt(static_cast<double>(x.numel())); }

/// Finite first; then relative Frobenius errors of everything in fp64 against the reference.
inline void expect_equal_in_fp64(const Op& op, const Op& reference, const std::vector<Input>& inputs,
                                 double tolerance = 1e-10) {
  const auto actual = evaluate(op, inputs, at::kDouble), expected = evaluate(reference, inputs, at::kDouble);
  ASSERT_EQ(actual.names, expected.names);
  for (std::size_t i = 0; i < actual.names.size(); ++i) {
    const auto &x = actual.tensors[i], &y = expected.tensors[i];
    ASSERT_EQ(x.sizes(), y.sizes()) << actual.names[i];
    ASSERT_TRUE(y.isfinite().all().item<bool>()) << actual.names[i] << " of the reference";
    EXPECT_TRUE(x.isfinite().all().item<bool>()) << actual.names[i];
    EXPECT_LE(frobenius(x - y) / std::max(frobenius(y), floor_of(y)), tolerance) << actual.names[i];
  }
}

/// Finite first; then no error in `dtype` above twice that of a plain implementation in `dtype`, both against the
/// reference in fp64 on the same rounded inputs, and none below the dtype's unit is asked for (a bf16 operator's fp32
/// states and gradients are held to bf16's). Plain is the reference and, where given, another implementation: the worse
/// of the two.
inline void expect_as_exact_as_plain(const Op& op, const Op& reference, std::vector<Input> inputs,
                                     at::ScalarType dtype = at::kFloat, const Op& plain = {}) {
  for (auto& [name, tensor] : inputs)
    if (tensor.defined()) tensor = tensor.to(dtype).to(at::kDouble);
  const auto expected = evaluate(reference, inputs, at::kDouble), actual = evaluate(op, inputs, dtype);
  std::vector<Values> plains = {evaluate(reference, inputs, dtype)};
  if (plain) plains.push_back(evaluate(plain, inputs, dtype));
  ASSERT_EQ(actual.names, expected.names);
  const double unit = dtype == at::kFloat ? 0x1p-23 : dtype == at::kBFloat16 ? 0x1p-8 : 0x1p-52;
  for (std::size_t i = 0; i < actual.names.size(); ++i) {
    const auto &x = actual.tensors[i], &y = expected.tensors[i];
    ASSERT_EQ(x.sizes(), y.sizes()) << actual.names[i];
    EXPECT_TRUE(x.isfinite().all().item<bool>()) << actual.names[i];
    const double scale = std::max(frobenius(y), floor_of(y));
    double allowed = unit;
    for (const auto& values : plains) {
      ASSERT_TRUE(values.tensors[i].isfinite().all().item<bool>()) << actual.names[i] << " of a plain implementation";
      allowed = std::max(allowed, 2 * frobenius(values.tensors[i] - y) / scale);
    }
    EXPECT_LE(frobenius(x - y) / scale, allowed) << actual.names[i];
  }
}

}  // namespace plait::kernels::testing
