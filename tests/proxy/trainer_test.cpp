#include "src/proxy/trainer.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <cmath>

#include "tests/proxy/tiny_training.h"
#include "tests/support/expect_problems.h"

namespace plait::proxy {
namespace {

at::Tensor corrections(std::int64_t step) {
  const auto [first, second] = PopulationAdamW::bias_corrections(step);
  return at::tensor({first, second}, at::kFloat);
}

using ::testing::ElementsAre;
using testing::problem;
using testing::problems_of;

Member member(std::string_view layout, const Task& task, double learning_rate = 1e-2, std::uint64_t seed = 0) {
  return {tiny_model(layout, task), learning_rate, seed};
}

const OneLoad& mqar() {
  static const OneLoad task("mqar", {.pairs = 2, .length = 16});
  return task;
}

TrainingPlan plan() {
  TrainingPlan out;
  out.steps = 20;
  out.batch = 4;
  out.test_batch = 8;
  return out;
}

TEST(ScheduleTest, RisesStaysAndFalls) {
  TrainingPlan schedule_plan;
  schedule_plan.steps = 100;
  schedule_plan.warmup = 0.1;
  schedule_plan.decay = 0.2;
  EXPECT_DOUBLE_EQ(schedule(0, schedule_plan), 0.1);
  EXPECT_DOUBLE_EQ(schedule(9, schedule_plan), 1);
  EXPECT_DOUBLE_EQ(schedule(79, schedule_plan), 1);
  EXPECT_DOUBLE_EQ(schedule(90, schedule_plan), 0.5);
  EXPECT_DOUBLE_EQ(schedule(99, schedule_plan), 0.05);
  schedule_plan.warmup = schedule_plan.decay = 0;
  EXPECT_DOUBLE_EQ(schedule(0, schedule_plan), 1);
  EXPECT_DOUBLE_EQ(schedule(99, schedule_plan), 1);
}

/// Two parameters of three members, of which member 1 holds only the first; both paths of the buffers.
std::vector<nn::Parameter> parameters() {
  at::manual_seed(3);
  const auto leaf = [](at::IntArrayRef shape) { return at::randn(shape).requires_grad_(true); };
  return {{"wide", leaf({3, 4, 16}), {0, 1, 2}, true},
          {"odd", leaf({2, 5}), {2, 0}, false},
          {"scalar", leaf({3}), {0, 1, 2}, false}};
}

/// The rule of torch.optim.AdamW after clipping, one member's share at a time, in fp64.
struct Expected {
  at::Tensor value, first, second;
  void step(const at::Tensor& gradient, double rate, double decay, std::int64_t t) {
    first = 0.9 * first + 0.1 * gradient;
    second = 0.95 * second + 0.05 * gradient * gradient;
    value = value * (1 - rate * decay);
    value = value - rate * (first / (1 - std::pow(0.9, t))) / ((second / (1 - std::pow(0.95, t))).sqrt() + 1e-8);
  }
};

TEST(PopulationAdamWTest, IsAdamWForEachMemberAtItsOwnRateAndClip) {
  std::vector<nn::Parameter> weights = parameters();
  std::vector<std::vector<Expected>> expected;  // by parameter and row
  for (const nn::Parameter& weight : weights) {
    auto& rows = expected.emplace_back();
    for (const at::Tensor& row : weight.value.detach().to(at::kDouble).unbind(0))
      rows.push_back({row.clone(), at::zeros_like(row), at::zeros_like(row)});
  }
  const std::vector<at::Tensor> handles = {weights[0].value, weights[1].value, weights[2].value};
  PopulationAdamW optimiser(weights, 3, 0.1);
  const std::vector<double> rates = {0.01, 0.2, 0.003};
  const at::Tensor rate = at::tensor({0.01f, 0.2f, 0.003f});
  const at::Tensor alive = at::ones({3}, at::kBool);
  for (std::int64_t step = 0; step < 5; ++step) {
    std::vector<at::Tensor> gradients;
    std::vector<double> squares(3);
    for (const nn::Parameter& weight : weights) {
      gradients.push_back(at::randn(weight.value.sizes()));
      for (std::size_t row = 0; row < weight.members.size(); ++row)
        squares[static_cast<std::size_t>(weight.members[row])] +=
            gradients.back()[static_cast<std::int64_t>(row)].to(at::kDouble).square().sum().item<double>();
    }
    const at::Tensor norm = optimiser.take(gradients);
    for (std::int64_t m = 0; m < 3; ++m)
      EXPECT_NEAR(norm[m].item<double>(), std::sqrt(squares[static_cast<std::size_t>(m)]), 1e-5);
    const at::Tensor scale = at::tensor({1.0f, 0.5f, 0.25f});
    optimiser.apply(scale, rate, alive, corrections(step));
    for (std::size_t i = 0; i < weights.size(); ++i) {
      for (std::size_t row = 0; row < weights[i].members.size(); ++row) {
        const auto m = static_cast<std::size_t>(weights[i].members[row]);
        expected[i][row].step(gradients[i][static_cast<std::int64_t>(row)].to(at::kDouble) * std::pow(0.5, m), rates[m],
                              weights[i].weight_decay ? 0.1 : 0, step + 1);
      }
    }
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    for (std::size_t row = 0; row < weights[i].members.size(); ++row) {
      const at::Tensor trained = handles[i].detach()[static_cast<std::int64_t>(row)].to(at::kDouble);
      EXPECT_LT((trained - expected[i][row].value).abs().max().item<double>(), 2e-5) << weights[i].name << " " << row;
    }
  }
}

TEST(PopulationAdamWTest, AGradientThatIsNotThereIsZero) {
  std::vector<nn::Parameter> weights = parameters();
  PopulationAdamW optimiser(weights, 3, 0);
  const at::Tensor before = weights[0].value.detach().clone();
  const at::Tensor norm = optimiser.take({{}, {}, {}});
  EXPECT_EQ(norm.abs().max().item<float>(), 0);
  optimiser.apply(at::ones({3}), at::ones({3}), at::ones({3}, at::kBool), corrections(0));
  EXPECT_TRUE(weights[0].value.detach().equal(before));
}

TEST(PopulationAdamWTest, TheDeadKeepTheirValuesWhateverTheirGradient) {
  std::vector<nn::Parameter> weights = parameters();
  PopulationAdamW optimiser(weights, 3, 0.1);
  const at::Tensor before = weights[0].value.detach().clone();
  std::vector<at::Tensor> gradients = {at::ones({3, 4, 16}), at::ones({2, 5}), at::ones({3})};
  gradients[0][1].fill_(std::nan(""));
  const at::Tensor norm = optimiser.take(gradients);
  EXPECT_TRUE(std::isfinite(norm[0].item<float>()));
  EXPECT_FALSE(std::isfinite(norm[1].item<float>()));
  const at::Tensor alive = norm.isfinite();
  optimiser.apply(1 / norm, at::full({3}, 0.1f), alive, corrections(0));
  EXPECT_TRUE(weights[0].value.detach()[1].equal(before[1]));
  EXPECT_FALSE(weights[0].value.detach()[0].equal(before[0]));
  EXPECT_TRUE(weights[0].value.detach().isfinite().all().item<bool>());
}

TEST(PopulationAdamWTest, StatesGoIntoAnyPopulationThatHoldsTheMember) {
  std::vector<nn::Parameter> weights = parameters();
  PopulationAdamW optimiser(weights, 3, 0.1);
  optimiser.take({at::randn({3, 4, 16}), at::randn({2, 5}), at::randn({3})});
  optimiser.apply(at::ones({3}), at::full({3}, 0.1f), at::ones({3}, at::kBool), corrections(0));
  const std::vector<MemberState> states = optimiser.states();
  EXPECT_EQ(states[1].weights.size(), 2u);
  EXPECT_EQ(states[2].weights.size(), 3u);

  std::vector<nn::Parameter> alone = {{"wide", at::zeros({1, 4, 16}).requires_grad_(true), {0}, true},
                                      {"odd", at::zeros({1, 5}).requires_grad_(true), {0}, false},
                                      {"scalar", at::zeros({1}).requires_grad_(true), {0}, false}};
  PopulationAdamW other(alone, 1, 0.1);
  other.set_state(0, states[2]);
  EXPECT_TRUE(alone[0].value.detach()[0].equal(weights[0].value.detach()[2]));
  EXPECT_TRUE(alone[1].value.detach()[0].equal(weights[1].value.detach()[0]));
  const MemberState copy = other.states()[0];
  EXPECT_TRUE(copy.weights.at("odd").second_moment.equal(states[2].weights.at("odd").second_moment));
  EXPECT_THROW(other.set_state(0, states[1]), std::runtime_error) << "member 1 has no \"odd\"";
}

TEST(TrainerTest, RefusesMembersThatDoNotFitTogetherOrTheTask) {
  const TrainingPlan two_steps = plan();
  std::vector<Member> members = {member("G", mqar()), member("G", mqar())};
  members[1].model.vocab_size = 100;
  EXPECT_THAT(problems_of([&] { Trainer(members, two_steps, mqar(), at::kCPU); }),
              ElementsAre(problem("members[1].vocab_size", "is 100; the task has 64 tokens")));
  members[1] = member("GG", mqar());
  EXPECT_EQ(problems_of([&] { Trainer(members, two_steps, mqar(), at::kCPU); }).size(), 1u);
}

TEST(TrainerTest, MembersTrainAsTheyWouldAlone) {
  const TrainingPlan few_steps = plan();
  const std::vector<Member> members = {member("G*", mqar(), 1e-2, 1), member("**", mqar(), 3e-3, 1),
                                       member("*G", mqar(), 1e-2, 2)};
  Trainer together(members, few_steps, mqar(), at::kCPU);
  for (std::int64_t step = 0; step < 5; ++step) together.step(step);
  const auto readings = together.read();
  const auto states = together.states();
  for (std::size_t m = 0; m < members.size(); ++m) {
    const std::vector<Member> one = {members[m]};
    Trainer alone(one, few_steps, mqar(), at::kCPU);
    for (std::int64_t step = 0; step < 5; ++step) alone.step(step);
    EXPECT_NEAR(alone.read()[0].loss, readings[m].loss, 1e-4);
    const auto own = alone.states();
    for (const auto& [name, weight] : own[0].weights) {
      const at::Tensor other = states[m].weights.at(name).value;
      EXPECT_LT((weight.value - other).abs().max().item<double>(), 2e-3) << m << " " << name;
    }
  }
}

TEST(TrainerTest, SeedsShareBatchesAndCommonWeights) {
  const TrainingPlan no_rate = plan();
  const std::vector<Member> members = {member("G*", mqar(), 1e-30, 5), member("G*", mqar(), 1e-30, 5),
                                       member("G*", mqar(), 1e-30, 6)};
  Trainer trainer(members, no_rate, mqar(), at::kCPU);
  trainer.step(0);
  const auto readings = trainer.read();
  EXPECT_EQ(readings[0].loss, readings[1].loss);
  EXPECT_NE(readings[0].loss, readings[2].loss);
  const auto tests = trainer.test(mqar().test_loads()[0]);
  EXPECT_EQ(tests[0].cross_entropy, tests[1].cross_entropy);
  EXPECT_EQ(tests[0].candidates, 2);
  EXPECT_EQ(trainer.test(mqar().test_loads()[0])[2].cross_entropy, tests[2].cross_entropy) << "fixed sequences";
}

TEST(TrainerTest, ANotFiniteMemberIsFrozenAndNobodyElseNotices) {
  TrainingPlan few_steps = plan();
  few_steps.warmup = 0;
  const std::vector<Member> members = {member("G*", mqar(), 1e-2), member("G*", mqar(), 1e30),
                                       member("G*", mqar(), 1e-2)};
  const std::vector<Member> healthy = {members[0], member("G*", mqar(), 1e-2), members[2]};
  Trainer trainer(members, few_steps, mqar(), at::kCPU), reference(healthy, few_steps, mqar(), at::kCPU);
  for (std::int64_t step = 0; step < 6; ++step) {
    trainer.step(step);
    reference.step(step);
  }
  const auto readings = trainer.read();
  EXPECT_TRUE(readings[0].alive);
  EXPECT_FALSE(readings[1].alive);
  EXPECT_EQ(readings[0].loss, reference.read()[0].loss) << "the same population shape computes the same bits";
  const auto states = trainer.states(), expected = reference.states();
  for (const auto& [name, weight] : states[2].weights)
    EXPECT_TRUE(weight.value.equal(expected[2].weights.at(name).value)) << name;
}

TEST(TrainerTest, AnswersAreReadOutOfOneStateWithAnMlpOfItsOwn) {
  const OneLoad compression("compression", make_task("compression", {})->test_loads().front());
  ASSERT_TRUE(compression.reads_positions());
  TrainingPlan longer = plan();
  longer.steps = 120;
  longer.batch = 32;
  const std::vector<Member> members = {member("G", compression, 1e-2, 1), member("G", compression, 1e-2, 2)};
  Trainer trainer(members, longer, compression, at::kCPU);
  const auto before = trainer.states();
  ASSERT_TRUE(before[0].weights.contains("position_reader.in.weight"));
  for (std::int64_t step = 0; step < longer.steps; ++step) {
    if (step == 100) trainer.read();
    trainer.step(step);
  }
  // ln 15 is the best that an answer can be which does not know the tokens.
  for (const Trainer::Reading& reading : trainer.read()) EXPECT_LT(reading.loss, std::log(15) - 0.1);
  for (const char* const name : {"in.weight", "in.bias", "out.weight", "out.bias"}) {
    const std::string full = std::string("position_reader.") + name;
    EXPECT_FALSE(trainer.states()[0].weights.at(full).value.equal(before[0].weights.at(full).value)) << full;
  }
}

TEST(TrainerTest, StepsDoNotGrowTheHeap) {
  const TrainingPlan many_steps = plan();
  const std::vector<Member> members = {member("G*", mqar()), member("*G", mqar())};
  Trainer trainer(members, many_steps, mqar(), at::kCPU);
  for (std::int64_t step = 0; step < 20; ++step) trainer.step(step);
  const auto in_use = [] { return static_cast<double>(mallinfo2().uordblks) / 1024; };
  const double before = in_use();
  for (std::int64_t step = 20; step < 60; ++step) trainer.step(step);
  EXPECT_LT(in_use() - before, 64) << "KiB over 40 steps";
}

}  // namespace
}  // namespace plait::proxy
