#include "src/nn/population.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <variant>

#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/embedding/embedding.h"
#include "src/nn/channel_mixer.h"
#include "src/nn/layer.h"
#include "src/nn/runnable.h"

namespace plait::nn {
namespace {

/// The residual stream [G, B, T, D]. What the last sub-block adds stands beside it until the next norm takes both.
struct Residual {
  at::Tensor x;      ///< of the weights' dtype
  at::Tensor added;  ///< of the compute dtype; undefined is zero

  at::Tensor sum() const { return added.defined() ? x + added : x; }
};

/// The norm before a sub-block or the head, computed in fp32.
struct Norm {
  at::Tensor weight, bias;
  double eps = 1e-6;

  /// The stream's sum, and its norm in the compute dtype.
  kernels::NormedSum operator()(const Residual& stream, at::ScalarType compute) const {
    if (!bias.defined()) return kernels::normed_sum(stream.x, stream.added, weight, eps, compute);
    const at::Tensor x = stream.sum(), normed = at::layer_norm(x, {x.size(-1)}, {}, {}, eps);
    return {x, at::addcmul(beside_tokens(bias), normed, beside_tokens(weight)).to(compute)};
  }
};

Norm make_norm(WeightFactory weights, const spec::ModelSpec& model) {
  Norm norm{weights.vector("weight", model.d_model, constant(1)), {}, model.norm_eps};
  if (model.norm == spec::NormKind::layer) norm.bias = weights.vector("bias", model.d_model, constant(0));
  return norm;
}

/// The members that compute one sub-block together.
struct Group {
  std::vector<std::int64_t> members;
  at::Tensor rows;  ///< [G], the members on the device
  Norm norm;
  std::shared_ptr<MixerLayer> mixer;  ///< of a token-mixer group
  ChannelLayer channel;               ///< of a channel-mixer group; empty without one
  std::int64_t bound_width = 0;       ///< of the lower bounds that the mixer reads
  std::size_t publish = 0;            ///< 1 + the place where its keys and values are put for a later layer; 0: nowhere
  std::size_t shared = 0;             ///< 1 + the place where it finds those of an earlier one
};

/// All groups at one depth for the token or the channel mixer: every member is in one.
struct Stage {
  std::vector<Group> groups;
  at::Tensor order;  ///< [M], where the groups' results, one after another, hold each member
};

bool has_links(const spec::Layout& layout) {
  return std::ranges::any_of(layout.layers, [](const auto& layer) { return layer.kv_from || layer.weights_from; });
}

/// Lower bounds of the members whose tables are equally wide.
struct BoundTable {
  std::vector<std::int64_t> members;
  at::Tensor table;  ///< [G, L, width]
};

class Decoding : public DecodeState {
 public:
  std::vector<std::vector<LayerState>> layers;  // by depth and group
  std::int64_t batch = 0;
};

}  // namespace

struct Population::Impl {
  std::vector<spec::ModelSpec> members;
  std::vector<std::uint64_t> seeds;
  PopulationOptions options;
  std::vector<Parameter> parameters;
  std::vector<kernels::JoinedWeights> joined;  // anew in every pass
  at::Tensor embeddings, head;                 // [M, vocabulary, D]; head undefined when tied
  std::vector<BoundTable> bounds;
  std::vector<Stage> mixers, channels;  // by depth
  std::size_t published = 0;            // keys and values that later layers read
  Norm final_norm;

  const spec::ModelSpec& model() const { return members.front(); }
  std::int64_t size() const { return static_cast<std::int64_t>(members.size()); }
  std::size_t depth() const { return model().layout.size(); }

  WeightFactory factory(const std::string& prefix, const std::vector<std::int64_t>& group) {
    return {parameters, prefix, group, seeds, options, &joined};
  }

  std::vector<std::int64_t> everyone() const {
    std::vector<std::int64_t> all(members.size());
    std::iota(all.begin(), all.end(), 0);
    return all;
  }

  const spec::LayerSpec& layer(std::int64_t member, std::size_t depth) const {
    return members[static_cast<std::size_t>(member)].layout.layers[depth];
  }

  at::Tensor indices(const std::vector<std::int64_t>& values) const {
    return at::tensor(values, at::kLong).to(options.device);
  }

  const at::Tensor& head_weight() const { return head.defined() ? head : embeddings; }

  void build();
  Stage group_by(std::size_t depth, const std::function<bool(const spec::LayerSpec&, const spec::LayerSpec&)>& equal);
  void build_mixer(Group& group, std::size_t depth);
  void build_channel(Group& group, std::size_t depth);
  void build_bounds();

  std::vector<at::Tensor> bounds_by_member() const;
  at::Tensor run(const at::Tensor& tokens, Decoding* state);
  at::Tensor run_group(const Group& group, const at::Tensor& x, std::size_t depth,
                       const std::vector<at::Tensor>& lower_bounds, LayerState* state,
                       std::vector<KeysValues>& keys_values) const;
};

namespace {

/// The group of an earlier stage with the same members: members with links are grouped with equal layouts alone.
Group& same_members(Stage& stage, const Group& group) {
  const auto found = std::ranges::find(stage.groups, group.members, &Group::members);
  if (found == stage.groups.end())
    throw std::logic_error("population: a linked layer has no group of the same members");
  return *found;
}

}  // namespace

Stage Population::Impl::group_by(std::size_t depth,
                                 const std::function<bool(const spec::LayerSpec&, const spec::LayerSpec&)>& equal) {
  Stage stage;
  const auto belongs = [&](std::int64_t a, std::int64_t b) {
    const spec::Layout& left = members[static_cast<std::size_t>(a)].layout;
    const spec::Layout& right = members[static_cast<std::size_t>(b)].layout;
    if (has_links(left) || has_links(right)) return left == right;
    return equal(left.layers[depth], right.layers[depth]);
  };
  for (std::int64_t member = 0; member < size(); ++member) {
    const auto group = std::ranges::find_if(
        stage.groups, [&](const Group& candidate) { return belongs(candidate.members.front(), member); });
    if (group != stage.groups.end()) {
      group->members.push_back(member);
    } else {
      stage.groups.emplace_back().members = {member};
    }
  }
  if (stage.groups.size() == 1) return stage;
  std::vector<std::int64_t> order(members.size());
  std::int64_t row = 0;
  for (Group& group : stage.groups) {
    group.rows = indices(group.members);
    for (const std::int64_t member : group.members) order[static_cast<std::size_t>(member)] = row++;
  }
  stage.order = indices(order);
  return stage;
}

void Population::Impl::build_mixer(Group& group, std::size_t depth) {
  const spec::LayerSpec& spec = layer(group.members.front(), depth);
  group.bound_width = depth == 0 ? 0 : read_bound_width(spec.mixer);
  if (spec.kv_from) {
    Group& from = same_members(mixers[*spec.kv_from], group);
    if (from.publish == 0) from.publish = ++published;
    group.shared = from.publish;
  }
  if (spec.weights_from) {
    const Group& from = same_members(mixers[*spec.weights_from], group);
    group.norm = from.norm;
    group.mixer = from.mixer;
    return;
  }
  const WeightFactory weights = factory(fmt::format("model.layers.{}.", depth), group.members);
  group.norm = make_norm(weights.below("attn_norm"), model());
  const LayerSite site{.d_model = model().d_model,
                       .layer = static_cast<std::int64_t>(depth),
                       .layers = static_cast<std::int64_t>(this->depth()),
                       .norm_eps = model().norm_eps,
                       .shares_kv = spec.kv_from.has_value()};
  group.mixer =
      std::visit([&](const auto& mixer) { return make_mixer(mixer, weights.below("attn"), site); }, spec.mixer);
}

void Population::Impl::build_channel(Group& group, std::size_t depth) {
  const spec::LayerSpec& spec = layer(group.members.front(), depth);
  if (std::holds_alternative<spec::None>(spec.channel_mixer)) return;
  if (spec.weights_from) {
    const Group& from = same_members(channels[*spec.weights_from], group);
    group.norm = from.norm;
    group.channel = from.channel;
    return;
  }
  const WeightFactory weights = factory(fmt::format("model.layers.{}.", depth), group.members);
  group.norm = make_norm(weights.below("mlp_norm"), model());
  group.channel = make_channel_mixer(spec.channel_mixer, weights.below("mlp"), model().d_model);
}

void Population::Impl::build_bounds() {
  std::map<std::int64_t, std::vector<std::int64_t>> by_width;
  for (std::int64_t member = 0; member < size(); ++member) {
    const std::int64_t width = bound_table_width(members[static_cast<std::size_t>(member)]);
    if (width > 0) by_width[width].push_back(member);
  }
  for (const auto& [width, group] : by_width) {
    const auto layers = static_cast<std::int64_t>(depth());
    bounds.push_back({group, factory("model.", group).add("lower_bounds", {layers, width}, constant(0), false)});
  }
}

void Population::Impl::build() {
  const std::vector<std::int64_t> all = everyone();
  const spec::ModelSpec& shape = model();
  embeddings = factory("model.embeddings.", all)
                   .add("weight", {shape.vocab_size, shape.d_model}, normal(0.02), /*weight_decay=*/false);
  build_bounds();
  for (std::size_t depth = 0; depth < this->depth(); ++depth) {
    mixers.push_back(group_by(depth, [](const auto& a, const auto& b) { return a.mixer == b.mixer; }));
    for (Group& group : mixers.back().groups) build_mixer(group, depth);
    channels.push_back(
        group_by(depth, [](const auto& a, const auto& b) { return a.channel_mixer == b.channel_mixer; }));
    for (Group& group : channels.back().groups) build_channel(group, depth);
  }
  final_norm = make_norm(factory("model.norm.", all), shape);
  if (!shape.tied_embeddings) head = factory("lm_head.", all).linear("weight", shape.vocab_size, shape.d_model);
}

/// By member [L, width]: cumulative sums of the softmax over layers without the first row (arXiv 2311.04823, eq. 6).
std::vector<at::Tensor> Population::Impl::bounds_by_member() const {
  std::vector<at::Tensor> by_member(members.size());
  for (const BoundTable& bound : bounds) {
    const at::Tensor sums = bound.table.softmax(1).cumsum(1);
    const std::vector<at::Tensor> rows = (sums - sums.narrow(1, 0, 1)).unbind(0);
    for (std::size_t i = 0; i < rows.size(); ++i) by_member[static_cast<std::size_t>(bound.members[i])] = rows[i];
  }
  return by_member;
}

/// The token mixer of one group on the normed residual stream x [G, B, T, D].
at::Tensor Population::Impl::run_group(const Group& group, const at::Tensor& x, std::size_t depth,
                                       const std::vector<at::Tensor>& lower_bounds, LayerState* state,
                                       std::vector<KeysValues>& keys_values) const {
  LayerInput input{.x = x, .lower_bound = {}, .state = state};
  if (group.bound_width > 0) {
    std::vector<at::Tensor> rows;
    for (const std::int64_t member : group.members) {
      const at::Tensor& table = lower_bounds[static_cast<std::size_t>(member)];
      rows.push_back(table[static_cast<std::int64_t>(depth)].narrow(0, 0, group.bound_width));
    }
    input.lower_bound = at::stack(rows);
  }
  if (group.publish > 0) input.publish = &keys_values[group.publish - 1];
  if (group.shared > 0) input.shared = &keys_values[group.shared - 1];
  const at::Tensor y = group.mixer->forward(input);
  if (state != nullptr) state->position += x.size(2);
  return y;
}

namespace {

/// stream + sub-block(norm stream) for every group, put back in the order of the members. `run(group index, normed)`.
template <class Run>
Residual through(const Stage& stage, const Residual& stream, at::ScalarType compute, const Run& run) {
  const auto one = [&](std::size_t index, const Residual& part) -> Residual {
    const Group& group = stage.groups[index];
    if (!group.mixer && !group.channel) return part;
    const auto [sum, normed] = group.norm(part, compute);
    return {sum, run(index, normed)};
  };
  if (stage.groups.size() == 1) return one(0, stream);
  const at::Tensor x = stream.sum();
  std::vector<at::Tensor> parts;
  for (std::size_t i = 0; i < stage.groups.size(); ++i)
    parts.push_back(one(i, {x.index_select(0, stage.groups[i].rows), {}}).sum());
  return {at::cat(parts).index_select(0, stage.order), {}};
}

}  // namespace

/// tokens [M, B, T] -> hidden [M, B, T, D].
at::Tensor Population::Impl::run(const at::Tensor& tokens, Decoding* state) {
  kernels::join(joined);
  Residual stream{kernels::embedding(embeddings, tokens), {}};
  const std::vector<at::Tensor> lower_bounds = bounds_by_member();
  std::vector<KeysValues> keys_values(published);
  for (std::size_t depth = 0; depth < this->depth(); ++depth) {
    const Stage& mixer = mixers[depth];
    stream = through(mixer, stream, options.compute, [&](std::size_t index, const at::Tensor& normed) {
      LayerState* layer_state = state != nullptr ? &state->layers[depth][index] : nullptr;
      return run_group(mixer.groups[index], normed, depth, lower_bounds, layer_state, keys_values);
    });
    const Stage& channel = channels[depth];
    stream = through(channel, stream, options.compute, [&](std::size_t index, const at::Tensor& normed) {
      return channel.groups[index].channel(normed);
    });
  }
  return final_norm(stream, options.compute).normed;
}

Population::Population(std::vector<spec::ModelSpec> members, std::vector<std::uint64_t> seeds,
                       PopulationOptions options) {
  if (members.empty()) throw std::logic_error("a population needs members");
  if (seeds.size() != members.size()) {
    throw std::logic_error(fmt::format("a population of {} needs as many seeds, not {}", members.size(), seeds.size()));
  }
  check_runnable(members);
  impl_ = std::make_unique<Impl>();
  impl_->members = std::move(members);
  impl_->seeds = std::move(seeds);
  impl_->options = options;
  impl_->build();
}

Population::~Population() = default;
Population::Population(Population&&) noexcept = default;

std::int64_t Population::size() const { return impl_->size(); }
std::set<std::string> Population::scan_paths() const {
  std::set<std::string> paths;
  const at::TensorOptions options = at::TensorOptions(impl_->options.compute).device(impl_->options.device);
  for (const Stage& stage : impl_->mixers) {
    for (const Group& group : stage.groups) {
      if (std::string path = group.mixer->scan_path(options); !path.empty()) paths.insert(std::move(path));
    }
  }
  return paths;
}
const std::vector<spec::ModelSpec>& Population::members() const { return impl_->members; }
std::vector<Parameter>& Population::parameters() { return impl_->parameters; }

at::Tensor Population::forward(const at::Tensor& tokens) {
  if (tokens.dim() != 3 || tokens.size(0) != size() || tokens.numel() == 0) {
    throw std::invalid_argument(
        fmt::format("tokens [{}]: must be [{}, B, T] with B and T above 0", fmt::join(tokens.sizes(), ", "), size()));
  }
  return impl_->run(tokens, nullptr);
}

at::Tensor Population::logits(const at::Tensor& hidden) {
  return in_full_precision(project(hidden.to(impl_->options.compute), impl_->head_weight()));
}

Population::Scores Population::score(const at::Tensor& hidden, const at::Tensor& labels) {
  const auto [loss, hits] =
      kernels::linear_cross_entropy(hidden.to(impl_->options.compute), impl_->head_weight(), labels);
  return {loss, hits};
}

std::unique_ptr<DecodeState> Population::start_decode(std::int64_t batch) {
  auto state = std::make_unique<Decoding>();
  state->batch = batch;
  for (const Stage& stage : impl_->mixers) state->layers.emplace_back(stage.groups.size());
  return state;
}

at::Tensor Population::decode(const at::Tensor& tokens, DecodeState& state) {
  const at::NoGradGuard no_gradients;
  auto& decoding = dynamic_cast<Decoding&>(state);
  if (tokens.dim() != 2 || tokens.size(0) != size() || tokens.size(1) != decoding.batch) {
    throw std::invalid_argument(
        fmt::format("tokens [{}]: must be [{}, {}]", fmt::join(tokens.sizes(), ", "), size(), decoding.batch));
  }
  return impl_->run(tokens.unsqueeze(2), &decoding).squeeze(2);
}

namespace {

/// The row of `member` in a parameter, or nothing.
std::optional<std::int64_t> row_of(const Parameter& parameter, std::int64_t member) {
  const auto found = std::ranges::find(parameter.members, member);
  if (found == parameter.members.end()) return std::nullopt;
  return found - parameter.members.begin();
}

}  // namespace

std::map<std::string, at::Tensor> Population::weights(std::int64_t member) const {
  if (member < 0 || member >= size()) throw std::logic_error(fmt::format("no member {}", member));
  std::map<std::string, at::Tensor> weights;
  for (const Parameter& parameter : impl_->parameters) {
    if (const auto row = row_of(parameter, member)) {
      // A copy of its own, whatever the device and dtype.
      weights[parameter.name] = parameter.value.detach()[*row].to(at::kCPU, at::kFloat, false, true).contiguous();
    }
  }
  return weights;
}

void Population::set_weights(std::int64_t member, const std::map<std::string, at::Tensor>& weights) {
  if (member < 0 || member >= size()) throw std::logic_error(fmt::format("no member {}", member));
  spec::Problems problems;
  std::map<std::string, at::Tensor> own;
  for (const Parameter& parameter : impl_->parameters) {
    if (const auto row = row_of(parameter, member)) own[parameter.name] = parameter.value.detach()[*row];
  }
  for (const auto& [name, value] : own) {
    const auto given = weights.find(name);
    if (given == weights.end()) {
      problems.add(name, "is missing");
    } else if (given->second.sizes() != value.sizes()) {
      problems.add(name, fmt::format("is [{}]; must be [{}]", fmt::join(given->second.sizes(), ", "),
                                     fmt::join(value.sizes(), ", ")));
    }
  }
  for (const auto& [name, value] : weights) {
    if (!own.contains(name)) problems.add(name, "is not a weight of this model");
  }
  problems.throw_if_any();
  for (auto& [name, value] : own) value.copy_(weights.at(name));
}

}  // namespace plait::nn
