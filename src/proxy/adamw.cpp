#include "src/proxy/adamw.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace plait::proxy {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.95;
constexpr double kEpsilon = 1e-8;
// What a parameter's size per member must divide to be in the first buffer; all matrices and, in proxies, most vectors
// are.
constexpr std::int64_t kWidth = 32;

std::int64_t member_size(const nn::Parameter& parameter) { return parameter.value.numel() / parameter.value.size(0); }

}  // namespace

/// A member's share of a parameter within a buffer.
struct PopulationAdamW::Slice {
  std::size_t parameter;
  std::int64_t member, row, rows;
};

template <class Use>
void PopulationAdamW::for_each_slice(const Use& use) const {
  for (std::size_t f = 0; f < flats_.size(); ++f) {
    std::int64_t row = 0;
    for (const std::size_t index : flats_[f].parameters) {
      const std::int64_t rows = member_size(parameters_[index]) / flats_[f].width;
      for (const std::int64_t member : parameters_[index].members) {
        use(f, Slice{index, member, row, rows});
        row += rows;
      }
    }
  }
}

PopulationAdamW::PopulationAdamW(std::vector<nn::Parameter> parameters, std::int64_t members, double weight_decay)
    : parameters_(std::move(parameters)), members_(members) {
  const at::NoGradGuard no_grad;
  for (const std::int64_t width : {kWidth, std::int64_t{1}}) {
    Flat flat;
    flat.width = width;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if ((member_size(parameters_[i]) % kWidth == 0) == (width == kWidth)) flat.parameters.push_back(i);
    }
    if (!flat.parameters.empty()) flats_.push_back(std::move(flat));
  }

  std::vector<std::vector<std::int64_t>> member_of(flats_.size());
  std::vector<std::vector<float>> decay_of(flats_.size());
  for_each_slice([&](std::size_t f, const Slice& slice) {
    member_of[f].insert(member_of[f].end(), static_cast<std::size_t>(slice.rows), slice.member);
    const double decay = parameters_[slice.parameter].weight_decay ? weight_decay : 0;
    decay_of[f].insert(decay_of[f].end(), static_cast<std::size_t>(slice.rows), static_cast<float>(decay));
  });
  for (std::size_t f = 0; f < flats_.size(); ++f) {
    Flat& flat = flats_[f];
    const auto rows = static_cast<std::int64_t>(member_of[f].size());
    const at::TensorOptions options = parameters_[flat.parameters[0]].value.options().requires_grad(false);
    flat.value = at::empty({rows, flat.width}, options);
    flat.first = at::zeros({rows, flat.width}, options);
    flat.second = at::zeros({rows, flat.width}, options);
    flat.member = at::tensor(member_of[f], at::kLong).to(options.device());
    flat.weight_decay = at::tensor(decay_of[f]).to(options).unsqueeze(1);
    std::int64_t row = 0;
    for (const std::size_t index : flat.parameters) {
      at::Tensor& value = parameters_[index].value;
      const std::int64_t taken = value.numel() / flat.width;
      const at::Tensor view = flat.value.narrow(0, row, taken).view(value.sizes());
      view.copy_(value);
      value.set_data(view);
      row += taken;
    }
  }
  if (kernels::fits_cuda_adamw(flats_[0].value)) make_runs();
}

void PopulationAdamW::make_runs() {
  std::vector<std::vector<std::int64_t>> tables(flats_.size()), runs_of(static_cast<std::size_t>(members_));
  runs_.resize(flats_.size());
  std::int64_t all = 0;
  std::size_t parameter = parameters_.size();  // of the slice before: none
  std::int64_t place = 0, begin = 0;           // the parameter's in its flat, the slice's in its parameter
  for_each_slice([&](std::size_t f, const Slice& slice) {
    std::vector<std::int64_t>& table = tables[f];
    if (slice.parameter != parameter) {
      parameter = slice.parameter;
      place = static_cast<std::int64_t>(runs_[f].first_of.size());
      runs_[f].first_of.push_back(static_cast<std::int64_t>(table.size() / 4));
      begin = 0;
    }
    const std::int64_t count = slice.rows * flats_[f].width, to = slice.row * flats_[f].width;
    for (std::int64_t i = 0; i < count; i += kernels::kGradientRun) {
      table.insert(table.end(), {place, begin + i, to + i, std::min(kernels::kGradientRun, count - i)});
      runs_of[static_cast<std::size_t>(slice.member)].push_back(all++);
    }
    begin += count;
  });
  const at::Device device = flats_[0].value.device();
  for (std::size_t f = 0; f < flats_.size(); ++f) {
    runs_[f].first_of.push_back(static_cast<std::int64_t>(tables[f].size() / 4));
    runs_[f].table = at::tensor(tables[f], at::kLong).view({-1, 4}).to(device);
  }
  std::size_t most = 0;
  for (const auto& runs : runs_of) most = std::max(most, runs.size());
  std::vector<std::int64_t> of_members;
  for (auto& runs : runs_of) {
    runs.resize(most, -1);
    of_members.insert(of_members.end(), runs.begin(), runs.end());
  }
  runs_of_member_ = at::tensor(of_members, at::kLong).view({members_, -1}).to(device);
}

at::Tensor PopulationAdamW::take(const std::vector<at::Tensor>& gradients) {
  const at::NoGradGuard no_grad;
  if (kernels::fits_cuda_adamw(flats_[0].value)) {
    std::vector<std::vector<at::Tensor>> given(flats_.size());
    std::vector<at::Tensor> to;
    for (std::size_t f = 0; f < flats_.size(); ++f) {
      for (const std::size_t index : flats_[f].parameters) given[f].push_back(gradients[index]);
      to.push_back(flats_[f].gradient = at::empty_like(flats_[f].value));
    }
    return kernels::cuda_take_gradients(runs_, given, to, runs_of_member_);
  }
  at::Tensor squares = at::zeros({members_}, flats_[0].value.options().dtype(at::kDouble));
  for (Flat& flat : flats_) {
    std::vector<at::Tensor> parts;
    for (const std::size_t index : flat.parameters) {
      const at::Tensor& gradient = gradients[index];
      parts.push_back(gradient.defined() ? gradient.reshape({-1, flat.width})
                                         : at::zeros_like(parameters_[index].value).view({-1, flat.width}));
    }
    flat.gradient = at::cat(parts);
    squares.index_add_(0, flat.member, flat.gradient.square().sum(1, false, at::kDouble));
  }
  return squares.sqrt().to(at::kFloat);
}

std::array<double, 2> PopulationAdamW::bias_corrections(std::int64_t step) {
  const auto n = static_cast<double>(step + 1);
  return {1 - std::pow(kBeta1, n), 1 - std::pow(kBeta2, n)};
}

void PopulationAdamW::apply(const at::Tensor& scale, const at::Tensor& rate, const at::Tensor& alive,
                            const at::Tensor& corrections) {
  const at::NoGradGuard no_grad;
  if (kernels::fits_cuda_adamw(flats_[0].value)) {
    const kernels::AdamWRates rates{kBeta1, kBeta2, kEpsilon, scale, rate, alive, corrections};
    for (Flat& flat : flats_) {
      kernels::cuda_adamw(flat, rates);
      flat.gradient.reset();
    }
    return;
  }
  const at::Tensor living_rate = at::where(alive, rate, at::zeros_like(rate));
  const at::Tensor step_size = living_rate / corrections[0], deviation_scale = corrections[1].rsqrt();
  for (Flat& flat : flats_) {
    const auto by_row = [&](const at::Tensor& by_member) {
      return by_member.index_select(0, flat.member).unsqueeze(1);
    };
    // A product with 0 would keep a gradient that is not finite.
    const at::Tensor gradient =
        at::where(by_row(alive), flat.gradient.mul_(by_row(scale)), at::zeros({}, scale.options()));
    flat.first.lerp_(gradient, 1 - kBeta1);
    flat.second.mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
    const at::Tensor deviation = flat.second.sqrt().mul_(deviation_scale).add_(kEpsilon);
    flat.value.mul_(1 - by_row(living_rate) * flat.weight_decay);
    flat.value.addcmul_(at::div(flat.first, deviation), by_row(step_size), -1.0);
    flat.gradient.reset();
  }
}

std::vector<MemberState> PopulationAdamW::states() const {
  const at::NoGradGuard no_grad;
  std::vector<Flat> copies;
  for (const Flat& flat : flats_) {
    const auto copy = [](const at::Tensor& all) { return all.to(at::kCPU, all.scalar_type(), false, true); };
    Flat& out = copies.emplace_back();
    out.value = copy(flat.value);
    out.first = copy(flat.first);
    out.second = copy(flat.second);
  }
  std::vector<MemberState> out(static_cast<std::size_t>(members_));
  for_each_slice([&](std::size_t f, const Slice& slice) {
    const nn::Parameter& parameter = parameters_[slice.parameter];
    const auto part = [&](const at::Tensor& all) {
      return all.narrow(0, slice.row, slice.rows).view(parameter.value.sizes().slice(1));
    };
    out[static_cast<std::size_t>(slice.member)].weights[parameter.name] = {part(copies[f].value), part(copies[f].first),
                                                                           part(copies[f].second)};
  });
  return out;
}

void PopulationAdamW::set_state(std::int64_t member, const MemberState& state) {
  const at::NoGradGuard no_grad;
  for_each_slice([&](std::size_t f, const Slice& slice) {
    if (slice.member != member) return;
    const nn::Parameter& parameter = parameters_[slice.parameter];
    const auto weight = state.weights.find(parameter.name);
    if (weight == state.weights.end() || weight->second.value.sizes() != parameter.value.sizes().slice(1)) {
      throw std::runtime_error(fmt::format("the stored state has no {} of this shape", parameter.name));
    }
    const auto restore = [&](const at::Tensor& all, const at::Tensor& stored) {
      all.narrow(0, slice.row, slice.rows).copy_(stored.reshape({slice.rows, -1}));
    };
    restore(flats_[f].value, weight->second.value);
    restore(flats_[f].first, weight->second.first_moment);
    restore(flats_[f].second, weight->second.second_moment);
  });
}

}  // namespace plait::proxy
