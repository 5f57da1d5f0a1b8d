#include "src/proxy/trainer.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <new>
#include <numeric>

#include "src/proxy/backend.h"
#include "src/proxy/checkpoint.h"

namespace plait::proxy {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.95;
constexpr double kEpsilon = 1e-8;

nn::Population make_population(std::span<const Member> members, at::Device device) {
  std::vector<spec::ModelSpec> models;
  std::vector<std::uint64_t> seeds;
  for (const Member& member : members) {
    models.push_back(member.model);
    seeds.push_back(member.seed);
  }
  return nn::Population(std::move(models), std::move(seeds),
                        {.device = device, .compute = device.is_cuda() ? at::kBFloat16 : at::kFloat});
}

/// [G] -> [G, 1, 1...] to broadcast over a parameter's own axes.
at::Tensor column(const at::Tensor& values, const at::Tensor& like) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[0] = values.size(0);
  return values.view(shape);
}

bool is_out_of_memory(const std::exception& error) {
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         std::string_view(error.what()).find("not enough memory") != std::string_view::npos;
}

std::int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace

Load load_at(std::span<const Load> loads, std::int64_t step, const TrainingPlan& plan) {
  const auto all = static_cast<std::int64_t>(loads.size());
  const double grown = static_cast<double>(step) / std::max(1.0, plan.ramp * static_cast<double>(plan.steps));
  const std::int64_t stages = std::max<std::int64_t>(1, all - 1);  // 2, 3, ... all loads
  const std::int64_t stage = std::min(stages - 1, static_cast<std::int64_t>(grown * static_cast<double>(stages)));
  const std::int64_t open = grown >= 1 ? all : std::min(all, 2 + stage);
  // The easiest load has done its work when all are open: with it the cycle would be spent on what is known.
  const std::int64_t first = open == all && all > 2 ? 1 : 0;
  return loads[static_cast<std::size_t>(first + step % (open - first))];
}

double schedule(std::int64_t step, const TrainingPlan& plan) {
  const auto steps = static_cast<double>(plan.steps);
  const auto at = static_cast<double>(step);
  const double rise = plan.warmup > 0 ? (at + 1) / (plan.warmup * steps) : 1;
  const double fall = plan.decay > 0 ? (steps - at) / (plan.decay * steps) : 1;
  return std::min({1.0, rise, fall});
}

Trainer::Trainer(std::span<const Member> members, const TrainingPlan& plan, const Task& task, at::Device device)
    : plan_(plan), task_(task), device_(device), population_(make_population(members, device)) {
  std::vector<std::int64_t> seed_of_member;
  std::vector<float> rates;
  for (const Member& member : members) {
    const auto found = std::ranges::find(seeds_, member.seed);
    seed_of_member.push_back(found - seeds_.begin());
    if (found == seeds_.end()) seeds_.push_back(member.seed);
    rates.push_back(static_cast<float>(member.learning_rate));
  }
  seed_of_member_ = torch::tensor(seed_of_member, at::kLong).to(device);
  learning_rates_ = torch::tensor(rates).to(device);
  alive_ = torch::ones({size()}, at::TensorOptions(at::kBool).device(device));
  loss_sum_ = torch::zeros({size()}, at::TensorOptions(at::kFloat).device(device));
  for (nn::Parameter& parameter : population_.parameters()) {
    moments_.push_back({at::zeros_like(parameter.value), at::zeros_like(parameter.value),
                        torch::tensor(parameter.members, at::kLong).to(device)});
  }
}

std::pair<at::Tensor, at::Tensor> Trainer::score(const Batch& batch) {
  const auto of_member = [&](const at::Tensor& per_seed) { return per_seed.index_select(0, seed_of_member_); };
  const at::Tensor hidden = population_.forward(of_member(batch.tokens)).flatten(1, 2);  // [M, B*T, D]
  const at::Tensor rows = of_member(batch.rows);                                         // [M, R]
  const at::Tensor labels = of_member(batch.labels);
  const at::Tensor picked = hidden.gather(1, rows.unsqueeze(-1).expand({-1, -1, hidden.size(-1)}));
  const at::Tensor logits = population_.logits(picked);  // [M, R, vocabulary]
  const at::Tensor loss = -at::log_softmax(logits, -1).gather(-1, labels.unsqueeze(-1)).squeeze(-1);
  return {loss, logits.argmax(-1).eq(labels)};
}

void Trainer::step(std::int64_t step) {
  const Load load = load_at(task_.train_loads(), step, plan_);
  const Batch batch = task_.make(seeds_, step, plan_.batch, load, Split::train, device_);
  const at::Tensor loss = score(batch).first.mean(-1);  // [M]
  for (nn::Parameter& parameter : population_.parameters()) parameter.value.mutable_grad() = {};
  loss.sum().backward();

  const at::NoGradGuard no_grad;
  at::Tensor squares = at::zeros_like(loss);
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    const at::Tensor& gradient = population_.parameters()[i].value.grad();
    if (gradient.defined()) squares.index_add_(0, moments_[i].rows, gradient.square().flatten(1).sum(1));
  }
  const at::Tensor norm = squares.sqrt();
  alive_.logical_and_(loss.isfinite()).logical_and_(norm.isfinite());
  loss_sum_.add_(loss);
  ++losses_;

  const at::Tensor clip = (plan_.clip / (norm + 1e-6)).clamp_max(1.0);
  const at::Tensor rate = learning_rates_ * schedule(step, plan_);
  const double correct1 = 1 - std::pow(kBeta1, static_cast<double>(step + 1));
  const double correct2 = 1 - std::pow(kBeta2, static_cast<double>(step + 1));
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    nn::Parameter& parameter = population_.parameters()[i];
    at::Tensor value = parameter.value;
    if (!value.grad().defined()) continue;
    auto& [first, second, rows] = moments_[i];
    const at::Tensor alive = column(alive_.index_select(0, rows), value);
    const at::Tensor gradient =
        at::where(alive, value.grad() * column(clip.index_select(0, rows), value), at::zeros({}, value.options()));
    first.lerp_(gradient, 1 - kBeta1);
    second.lerp_(gradient.square(), 1 - kBeta2);
    at::Tensor change = (first / correct1) / ((second / correct2).sqrt_() + kEpsilon);
    if (parameter.weight_decay) change.add_(value, plan_.weight_decay);
    value.sub_(at::where(alive, change * column(rate.index_select(0, rows), value), at::zeros({}, value.options())));
  }
}

std::vector<Trainer::Reading> Trainer::read() {
  const at::Tensor loss = (loss_sum_ / std::max<std::int64_t>(1, losses_)).to(at::kCPU, at::kDouble);
  const at::Tensor alive = alive_.to(at::kCPU);
  std::vector<Reading> out;
  for (std::int64_t m = 0; m < size(); ++m) out.push_back({loss[m].item<double>(), alive[m].item<bool>()});
  loss_sum_.zero_();
  losses_ = 0;
  return out;
}

std::vector<TestScore> Trainer::test(Load load) {
  const at::NoGradGuard no_grad;
  const Batch batch = task_.make(seeds_, 0, plan_.test_batch, load, Split::test, device_);
  const auto [loss, hits] = score(batch);
  const at::Tensor cross_entropy = loss.mean(-1).to(at::kCPU, at::kDouble);
  const at::Tensor accuracy = hits.to(at::kFloat).mean(-1).to(at::kCPU, at::kDouble);
  std::vector<TestScore> out;
  for (std::int64_t m = 0; m < size(); ++m) {
    out.push_back({.pairs = load.pairs,
                   .length = load.length,
                   .candidates = batch.candidates,
                   .cross_entropy = cross_entropy[m].item<double>(),
                   .accuracy = accuracy[m].item<double>()});
  }
  return out;
}

MemberState Trainer::state(std::int64_t member) const {
  MemberState out;
  auto& parameters = const_cast<nn::Population&>(population_).parameters();
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    const auto row = std::ranges::find(parameters[i].members, member);
    if (row == parameters[i].members.end()) continue;
    const std::int64_t at = row - parameters[i].members.begin();
    const auto copy = [&](const at::Tensor& all) { return all.detach()[at].to(at::kCPU).clone(); };
    out.weights[parameters[i].name] = {copy(parameters[i].value), copy(moments_[i].first), copy(moments_[i].second)};
  }
  return out;
}

void Trainer::set_state(std::int64_t member, const MemberState& state) {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    nn::Parameter& parameter = population_.parameters()[i];
    const auto row = std::ranges::find(parameter.members, member);
    if (row == parameter.members.end()) continue;
    const std::int64_t at = row - parameter.members.begin();
    const MemberState::Weight& weight = state.weights.at(parameter.name);
    parameter.value[at].copy_(weight.value);
    moments_[i].first[at].copy_(weight.first_moment);
    moments_[i].second[at].copy_(weight.second_moment);
  }
}

namespace {

at::Device device_of(const TrainingPlan& plan) {
  if (plan.device == "cpu") return at::kCPU;
  if (plan.device != "cuda") {
    throw spec::SpecError("device", fmt::format("\"{}\" is no device; allowed are \"cpu\" and \"cuda\"", plan.device));
  }
  if (!at::hasCUDA()) {
    throw Unavailable("--device cuda: no GPU that this LibTorch can use is here; leave it out to train on the CPU");
  }
  return at::Device(at::kCUDA, 0);
}

/// Trains some members to the end, at first all of them; those that are done leave the population, so that the rest is
/// faster.
class Run {
 public:
  Run(std::span<const Member> members, const TrainingPlan& plan, const Task& task, std::stop_token stop,
      const TrainingObserver& observer)
      : members_(members), plan_(plan), task_(task), stop_(stop), observer_(observer), device_(device_of(plan)) {
    result_.runs.resize(members.size());
  }

  TrainingResult run() {
    std::vector<std::size_t> all(members_.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    Checkpoint start{.step = 0, .training = all, .states = {}, .runs = result_.runs};
    if (!plan_.checkpoint.empty()) {
      if (auto stored = read_checkpoint(plan_.checkpoint, members_, plan_)) start = std::move(*stored);
    }
    result_.runs = start.runs;
    first_step_ = start.step;
    train(start);
    result_.elapsed_s = seconds();
    result_.tokens_per_s = tokens_ / std::max(1e-9, result_.elapsed_s);
    result_.peak_memory_bytes = peak_memory_bytes();
    return std::move(result_);
  }

 private:
  using Clock = std::chrono::steady_clock;

  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  /// Trains from a checkpoint; when memory runs out, one half after the other from where they were.
  void train(Checkpoint from) {
    try {
      train_together(from);
    } catch (const std::exception& error) {
      if (!is_out_of_memory(error)) throw;
      const std::size_t size = from.training.size();
      if (size == 1) {
        result_.runs[from.training[0]].failure = "out of memory with a population of one";
        return;
      }
      result_.notes.push_back(fmt::format("out of memory with {} members: {} and {} are trained one after the other",
                                          size, size / 2, size - size / 2));
      for (const auto [begin, end] : {std::pair<std::size_t, std::size_t>{0, size / 2}, {size / 2, size}}) {
        Checkpoint half{.step = from.step, .training = {}, .states = {}, .runs = {}};
        for (std::size_t i = begin; i < end; ++i) {
          half.training.push_back(from.training[i]);
          if (!from.states.empty()) half.states.push_back(from.states[i]);
        }
        train(std::move(half));
      }
    }
  }

  /// `from` moves on with the training, so that it is where to continue from when this throws.
  void train_together(Checkpoint& from) {
    while (!from.training.empty() && from.step < plan_.steps) {
      std::vector<Member> members;
      for (const std::size_t index : from.training) members.push_back(members_[index]);
      Trainer trainer(members, plan_, task_, device_);
      for (std::size_t i = 0; i < from.states.size(); ++i) {
        trainer.set_state(static_cast<std::int64_t>(i), from.states[i]);
      }
      if (!train_until_one_is_done(trainer, from)) return;
    }
  }

  /// Returns false when a stop was requested.
  bool train_until_one_is_done(Trainer& trainer, Checkpoint& at) {
    std::int64_t step = at.step;
    while (step < plan_.steps) {
      if (stop_.stop_requested()) {
        result_.finished = false;
        return false;
      }
      trainer.step(step);
      const Load load = load_at(task_.train_loads(), step, plan_);
      tokens_ += static_cast<double>(trainer.size() * plan_.batch * load.length);
      ++step;
      if (step % plan_.report_every != 0 && step != plan_.steps) continue;

      const std::vector<bool> done = read(trainer, at.training, step);
      Checkpoint next{.step = step, .training = {}, .states = {}, .runs = {}};
      for (std::size_t i = 0; i < done.size(); ++i) {
        if (done[i]) continue;
        next.training.push_back(at.training[i]);
        next.states.push_back(trainer.state(static_cast<std::int64_t>(i)));
      }
      at = std::move(next);
      if (!plan_.checkpoint.empty()) {
        at.runs = result_.runs;
        write_checkpoint(plan_.checkpoint, at, members_, plan_);
      }
      if (std::ranges::find(done, true) != done.end()) return true;
    }
    return true;
  }

  /// Takes a reading; members that are solved, dead or at the end are tested. Returns who is done.
  std::vector<bool> read(Trainer& trainer, const std::vector<std::size_t>& who, std::int64_t step) {
    const std::vector<Trainer::Reading> readings = trainer.read();
    const std::vector<Load> loads = task_.test_loads();
    const std::vector<TestScore> hardest = trainer.test(loads.back());
    std::vector<bool> done(who.size());
    bool any = false;
    TrainingProgress progress{.step = step, .steps = plan_.steps, .elapsed_s = seconds()};
    for (std::size_t i = 0; i < who.size(); ++i) {
      MemberRun& run = result_.runs[who[i]];
      run.steps = step;
      if (!readings[i].alive) {
        run.failure = fmt::format("diverged: the loss or its gradient was not finite at or before step {}", step);
        result_.notes.push_back(fmt::format("{}, learning rate {}, seed {}: {}", members_[who[i]].model.name,
                                            members_[who[i]].learning_rate, members_[who[i]].seed, run.failure));
        done[i] = true;
        continue;
      }
      const bool solved_before = !run.curve.empty() && run.curve.back().accuracy >= plan_.solved;
      run.curve.push_back({step, readings[i].loss, hardest[i].accuracy});
      progress.best_accuracy = std::max(progress.best_accuracy, hardest[i].accuracy);
      done[i] = step == plan_.steps || (solved_before && hardest[i].accuracy >= plan_.solved);
      any |= done[i];
      progress.training += !done[i];
    }
    if (any) {
      for (const Load& load : loads) {
        const std::vector<TestScore> scores = load == loads.back() ? hardest : trainer.test(load);
        for (std::size_t i = 0; i < who.size(); ++i) {
          if (done[i] && result_.runs[who[i]].failure.empty()) result_.runs[who[i]].tests.push_back(scores[i]);
        }
      }
    }
    const std::int64_t since = step - first_step_;
    progress.eta_s = progress.elapsed_s / static_cast<double>(since) * static_cast<double>(plan_.steps - step);
    if (observer_) observer_(progress);
    return done;
  }

  std::span<const Member> members_;
  const TrainingPlan& plan_;
  const Task& task_;
  std::stop_token stop_;
  const TrainingObserver& observer_;
  at::Device device_;
  Clock::time_point begin_ = Clock::now();
  std::int64_t first_step_ = 0;
  double tokens_ = 0;
  TrainingResult result_;
};

}  // namespace

TrainingResult train(std::span<const Member> members, const TrainingPlan& plan, const Task& task, std::stop_token stop,
                     const TrainingObserver& observer) {
  return Run(members, plan, task, stop, observer).run();
}

}  // namespace plait::proxy
