#include "kernels/attention/attention.h"

#include <gmock/gmock.h>

#include <stdexcept>

#include "tests/kernels/op_check.h"

namespace plait::kernels {
namespace {

using namespace testing;
using ::testing::HasSubstr;

struct Shape {
  std::int64_t N, T, S, H, Hkv, D, V;
};

std::vector<Input> random_inputs(const Shape& s) {
  return {{"q", at::randn({s.N, s.T, s.H, s.D}, at::kDouble)},
          {"k", at::randn({s.N, s.S, s.Hkv, s.D}, at::kDouble)},
          {"v", at::randn({s.N, s.S, s.Hkv, s.V}, at::kDouble)}};
}

Op with(at::Tensor (*op)(const at::Tensor&, const at::Tensor&, const at::Tensor&, const AttentionOptions&),
        AttentionOptions options = {}) {
  return [=](const std::vector<at::Tensor>& x) { return std::vector<at::Tensor>{op(x[0], x[1], x[2], options)}; };
}

void expect_equal(const Shape& shape, AttentionOptions options = {}) {
  SCOPED_TRACE(::testing::Message() << "T " << shape.T << " S " << shape.S << " window " << options.window);
  const auto inputs = random_inputs(shape);
  expect_equal_in_fp64(with(attention, options), with(attention_reference, options), inputs);
  // One visible key: the gradients of q and k are 0, exactly so only in the written-out form.
  if (shape.S == 1 || options.window == 1) return;
  expect_as_exact_as_plain(with(attention, options), with(attention_reference, options), inputs);
}

class Attention : public OpTest {};

TEST_F(Attention, EqualsTheWrittenOutFormAtAwkwardLengths) {
  for (const std::int64_t T : {1, 2, 15, 16, 17, 63, 64, 65}) expect_equal({16, T, T, 3, 3, 8, 8});
}

TEST_F(Attention, SharesKeyHeadsBetweenQueryHeads) {
  expect_equal({16, 20, 20, 6, 2, 8, 8});
  expect_equal({16, 20, 20, 4, 1, 8, 8});
  expect_equal({16, 5, 20, 4, 2, 8, 8});
}

TEST_F(Attention, TakesValuesOfAnotherWidth) {
  expect_equal({16, 20, 20, 2, 2, 8, 5});
  expect_equal({16, 20, 20, 2, 1, 5, 8});
}

TEST_F(Attention, SeesAWindow) {
  for (const std::int64_t window : {1, 2, 7, 16, 40, 63, 64, 65, 1000})
    for (const std::int64_t T : {1, 16, 64, 65, 100})
      expect_equal({16, T, T, 2, 1, 4, 4}, {.scale = 0.0, .window = window});
  expect_equal({1, 1000, 1000, 1, 1, 4, 4}, {.scale = 0.0, .window = 30});
}

TEST_F(Attention, SeesAWindowInLongSequences) {
  for (const std::int64_t window : {2, 7, 64, 128})
    for (const std::int64_t T : {511, 512, 513}) expect_equal({2, T, T, 4, 2, 4, 3}, {.scale = 0.0, .window = window});
}

TEST_F(Attention, AlignsFewerQueriesWithTheLastKeys) {
  for (const std::int64_t window : {0, 1, 5, 30})
    for (const std::int64_t T : {1, 2, 7, 29}) expect_equal({16, T, 30, 2, 2, 4, 6}, {.scale = 0.3, .window = window});
}

TEST_F(Attention, GivesTheSameInTwoCalls) {
  const auto x = random_inputs({2, 50, 50, 4, 2, 8, 6});
  const auto &q = x[0].tensor, &k = x[1].tensor, &v = x[2].tensor;
  for (const std::int64_t window : {0, 9}) {
    const AttentionOptions options{.scale = 0.0, .window = window};
    const auto whole = attention(q, k, v, options);
    const auto head = attention(q.narrow(1, 0, 31), k.narrow(1, 0, 31), v.narrow(1, 0, 31), options);
    const auto tail = attention(q.narrow(1, 31, 19), k, v, options);
    EXPECT_TRUE(at::allclose(whole, at::cat({head, tail}, 1), 1e-12, 1e-12));
  }
}

TEST_F(Attention, ToleratesHugeScores) {
  auto inputs = random_inputs({1, 20, 20, 2, 2, 4, 4});
  for (const std::size_t i : {0, 1}) inputs[i].tensor = inputs[i].tensor * 20.0;  // up to some thousands
  expect_equal_in_fp64(with(attention), with(attention_reference), inputs);
}

TEST_F(Attention, TakesBf16) {
  expect_as_exact_as_plain(with(attention), with(attention_reference), random_inputs({2, 40, 40, 2, 2, 16, 16}),
                           at::kBFloat16);
}

std::string refusal(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const AttentionOptions& options = {}) {
  try {
    attention(q, k, v, options);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

TEST(AttentionInput, IsRefusedByName) {
  const auto q = at::zeros({2, 3, 4, 5}), k = at::zeros({2, 3, 2, 5});
  EXPECT_EQ(refusal(q, k, k), "");
  EXPECT_THAT(refusal(at::zeros({2, 3}), k, k), HasSubstr("q is [2, 3]"));
  EXPECT_THAT(refusal(q, at::zeros({2, 3, 2, 6}), k), HasSubstr("k is [2, 3, 2, 6]"));
  EXPECT_THAT(refusal(q, k, at::zeros({2, 4, 2, 5})), HasSubstr("v is [2, 4, 2, 5]"));
  EXPECT_THAT(refusal(q, k, k.to(at::kDouble)), HasSubstr("v is Double"));
  EXPECT_THAT(refusal(q, k.to(at::kMeta), k), HasSubstr("k is meta"));
  EXPECT_THAT(refusal(q, at::zeros({2, 3, 3, 5}), at::zeros({2, 3, 3, 5})), HasSubstr("k has 3 heads"));
  EXPECT_THAT(refusal(q, at::zeros({2, 2, 2, 5}), at::zeros({2, 2, 2, 5})), HasSubstr("k has 2 tokens"));
  EXPECT_THAT(refusal(q, k, k, {.scale = 0.0, .window = -1}), HasSubstr("window is -1"));
}

}  // namespace
}  // namespace plait::kernels
