#include "src/proxy/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "src/nn/layer.h"
#include "src/proxy/random.h"
#include "src/spec/error.h"

namespace plait::proxy {
namespace {

nn::PopulationOptions options_on(at::Device device) {
  return {.device = device, .compute = device.is_cuda() ? at::kBFloat16 : at::kFloat};
}

nn::Population make_population(std::span<const Member> members, const Task& task, at::Device device) {
  std::vector<spec::ModelSpec> models;
  std::vector<std::uint64_t> seeds;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const spec::ModelSpec& model = members[i].model;
    if (model.vocab_size != task.vocab_size()) {
      throw spec::SpecError(spec::index_path("members", i) + ".vocab_size",
                            fmt::format("is {}; the task has {} tokens", model.vocab_size, task.vocab_size()));
    }
    models.push_back(model);
    seeds.push_back(members[i].seed);
  }
  return nn::Population(std::move(models), std::move(seeds), options_on(device));
}

}  // namespace

double schedule(std::int64_t step, const TrainingPlan& plan) {
  const auto steps = static_cast<double>(plan.steps);
  const auto at = static_cast<double>(step);
  const double rise = plan.warmup > 0 ? (at + 1) / (plan.warmup * steps) : 1;
  const double fall = plan.decay > 0 ? (steps - at) / (plan.decay * steps) : 1;
  return std::min({1.0, rise, fall});
}

Trainer::PositionReader Trainer::make_position_reader(std::vector<nn::Parameter>& parameters) const {
  if (!task_.reads_positions()) return {};
  std::vector<std::int64_t> all;
  for (std::int64_t m = 0; m < size(); ++m) all.push_back(m);
  nn::WeightFactory weights(parameters, "position_reader.", all, member_seeds_, options_on(device_));
  const spec::Dim width = population_.members()[0].d_model;
  PositionReader out;
  out.in = weights.linear("in.weight", width, width);
  out.in_bias = weights.vector("in.bias", width, nn::constant(0));
  out.out = weights.linear("out.weight", width, width);
  out.out_bias = weights.vector("out.bias", width, nn::constant(0));
  const at::TensorOptions options = at::TensorOptions(at::kFloat).device(device_);
  out.frequencies = at::arange(width / 2, options).mul_(-2 * std::log(10000.0) / static_cast<double>(width)).exp_();
  return out;
}

PopulationAdamW Trainer::make_optimiser() {
  std::vector<nn::Parameter> parameters = population_.parameters();
  position_reader_ = make_position_reader(parameters);
  return PopulationAdamW(std::move(parameters), size(), plan_.weight_decay);
}

namespace {

std::vector<std::uint64_t> seeds_of(std::span<const Member> members) {
  std::vector<std::uint64_t> seeds;
  for (const Member& member : members) seeds.push_back(member.seed);
  return seeds;
}

}  // namespace

Trainer::Trainer(std::span<const Member> members, const TrainingPlan& plan, const Task& task, at::Device device)
    : plan_(plan),
      task_(task),
      device_(device),
      population_(make_population(members, task, device)),
      member_seeds_(seeds_of(members)),
      optimiser_(make_optimiser()) {
  std::vector<std::int64_t> seed_of_member;
  std::vector<float> rates;
  for (const Member& member : members) {
    const auto found = std::ranges::find(seeds_, member.seed);
    seed_of_member.push_back(found - seeds_.begin());
    if (found == seeds_.end()) seeds_.push_back(member.seed);
    rates.push_back(static_cast<float>(member.learning_rate));
  }
  for (const nn::Parameter& parameter : optimiser_.parameters()) leaves_.push_back(parameter.value);
  seed_of_member_ = at::tensor(seed_of_member, at::kLong).to(device);
  learning_rates_ = at::tensor(rates).to(device);
  alive_ = at::ones({size()}, at::TensorOptions(at::kBool).device(device));
  ones_ = at::ones({size()}, at::TensorOptions(at::kFloat).device(device));
  loss_sum_ = at::zeros({size()}, at::TensorOptions(at::kFloat).device(device));
  keys_ = at::empty({static_cast<std::int64_t>(seeds_.size())}, at::TensorOptions(at::kLong).device(device));
  scalars_ = at::empty({3}, at::TensorOptions(at::kFloat).device(device));
  if (device.is_cuda() && plan.graphs) {
    graphs_ = make_step_graphs();
    if (!graphs_) no_graphs_ = "this plait was built without CUDA";
  }
}

at::Tensor Trainer::of_member(const at::Tensor& per_seed) const {
  return static_cast<std::int64_t>(seeds_.size()) == size() ? per_seed : per_seed.index_select(0, seed_of_member_);
}

nn::Population::Scores Trainer::score(const Batch& batch) {
  const at::Tensor hidden = population_.forward(of_member(batch.tokens)).flatten(1, 2);  // [M, B*T, D]
  const at::Tensor rows = of_member(batch.rows);                                         // [M, R]
  const at::Tensor labels = of_member(batch.labels);
  at::Tensor picked = hidden.gather(1, rows.unsqueeze(-1).expand({-1, -1, hidden.size(-1)}));
  if (task_.reads_positions()) {
    const PositionReader& reader = position_reader_;
    const at::Tensor angles = of_member(batch.positions).unsqueeze(-1) * reader.frequencies;  // [M, R, D / 2]
    picked = picked + at::cat({angles.sin(), angles.cos()}, -1).to(picked.scalar_type());
    picked = nn::project(at::gelu(nn::project(picked, reader.in, reader.in_bias)), reader.out, reader.out_bias);
  }
  return population_.score(picked, labels);
}

Load Trainer::step(std::int64_t step) {
  const Load load = task_.train_load(step, plan_.steps);
  const auto [first, second] = PopulationAdamW::bias_corrections(step);
  keys_.copy_(batch_keys(seeds_, static_cast<std::uint64_t>(step), Split::train, device_));
  scalars_.copy_(upload(std::vector<double>{schedule(step, plan_), first, second}, device_));
  LoadGraph& of_load = graph_of_load_[{load.pairs, load.length}];
  if (graphs_ && of_load.has_run && !of_load.graph) {
    try {
      of_load.graph = graphs_->record([&] { run(load); });
    } catch (const c10::OutOfMemoryError&) {
      throw;
    } catch (const c10::Error& error) {
      no_graphs_ = error.what_without_backtrace();
      graphs_.reset();
    }
  }
  if (graphs_ && of_load.graph) {
    graphs_->launch(*of_load.graph);
  } else {
    run(load);
    of_load.has_run = true;
  }
  ++losses_;
  return load;
}

void Trainer::run(Load load) {
  const Batch batch = task_.make(keys_, plan_.batch, load, Split::train);
  const at::Tensor loss = score(batch).loss;  // [M]
  const at::Tensor norm = optimiser_.take(torch::autograd::grad({loss}, leaves_, {ones_}, false, false, true));

  const at::NoGradGuard no_grad;
  const auto [scale, rate] = kernels::step_rates(loss.detach(), norm, plan_.clip, learning_rates_,
                                                 scalars_.narrow(0, 0, 1), alive_, loss_sum_);
  optimiser_.apply(scale, rate, alive_, scalars_.narrow(0, 1, 2));
}

std::vector<std::string> Trainer::notes() const {
  std::vector<std::string> out;
  if (!device_.is_cuda()) return out;
  for (const std::string& path : population_.scan_paths()) out.push_back(path);
  if (!no_graphs_.empty()) out.push_back("steps are not launched as CUDA graphs: " + no_graphs_);
  return out;
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
  const std::int64_t batch_size = std::min(plan_.batch, plan_.test_batch);
  const std::int64_t batches = (plan_.test_batch + batch_size - 1) / batch_size;
  at::Tensor losses = at::zeros({size()}, at::TensorOptions(at::kDouble).device(device_));
  at::Tensor hits = losses.clone();
  std::int64_t candidates = 0;
  for (std::int64_t i = 0; i < batches; ++i) {
    const at::Tensor keys = batch_keys(seeds_, static_cast<std::uint64_t>(i), Split::test, device_);
    const Batch batch = task_.make(keys, batch_size, load, Split::test);
    const auto [loss, hit] = score(batch);
    losses.add_(loss);
    hits.add_(hit.to(at::kDouble).mean(-1));
    candidates = batch.candidates;
  }
  const at::Tensor cross_entropy = (losses / batches).to(at::kCPU);
  const at::Tensor accuracy = (hits / batches).to(at::kCPU);
  std::vector<TestScore> out;
  for (std::int64_t m = 0; m < size(); ++m) {
    out.push_back({.pairs = load.pairs,
                   .length = load.length,
                   .candidates = candidates,
                   .cross_entropy = cross_entropy[m].item<double>(),
                   .accuracy = accuracy[m].item<double>()});
  }
  return out;
}

}  // namespace plait::proxy
