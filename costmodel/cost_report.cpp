#include "costmodel/cost_report.h"

#include <algorithm>
#include <boost/container/static_vector.hpp>
#include <type_traits>
#include <variant>

#include "costmodel/layer_ops.h"
#include "costmodel/size_of.h"

namespace plait::costmodel {

using spec::Dim;

namespace {

/// Width of the row of lower bounds that this layer makes the model hold for every layer; 0 for none.
Dim lower_bound_width(const spec::LayerSpec& layer, Dim d_model) {
  const auto width = [&](const auto& mixer) -> Dim {
    using M = std::decay_t<decltype(mixer)>;
    if constexpr (std::is_same_v<M, spec::Hgrn>) {
      return mixer.lower_bound ? mixer.width : 0;
    } else if constexpr (std::is_same_v<M, spec::Hgrn2>) {
      return mixer.lower_bound ? d_model : 0;
    } else {
      return 0;
    }
  };
  if (const auto* parallel = std::get_if<spec::ParallelMixer>(&layer.mixer)) {
    Dim widest = 0;
    for (const auto& branch : parallel->branches) widest = std::max(widest, std::visit(width, branch));
    return widest;
  }
  return std::visit(width, layer.mixer);
}

/// Output head over `rows` tokens, final norm and embedding lookup.
Timeline head_timeline(const spec::ModelSpec& model, double rows, double tokens, const HardwareProfile& hardware) {
  Timeline timeline;
  for (const Op& op : head_ops(model, rows, tokens, {})) timeline.add(op, hardware, model.dtype);
  return timeline;
}

/// Sums one member over the layers on top of the model's own share.
template <class Cost>
std::int64_t total(const std::vector<LayerCost>& layers, std::int64_t Cost::*member, std::int64_t own,
                   const char* name) {
  Count sum = own;
  for (const auto& layer : layers) sum += layer.*member;
  return sum.exact(name);
}

}  // namespace

ModelParameters model_parameters(const spec::ModelSpec& model) {
  const auto& layers = model.layout.layers;
  Dim bounds = 0;
  for (const auto& layer : layers) bounds = std::max(bounds, lower_bound_width(layer, model.d_model));
  ModelParameters parameters;
  parameters.embedding = (Count(model.vocab_size) * model.d_model).exact("parameters");
  parameters.head = model.tied_embeddings ? 0 : parameters.embedding;
  parameters.final_norm = model.norm == spec::NormKind::layer ? 2 * model.d_model : model.d_model;
  parameters.lower_bounds = (Count(static_cast<Dim>(layers.size())) * bounds).exact("parameters");
  return parameters;
}

ModelCost model_cost(const spec::ModelSpec& model, const spec::Workload& workload, const HardwareProfile& hardware,
                     Dim step_tokens) {
  const Count tokens = Count(workload.batch) * workload.context;
  ModelCost cost;
  cost.parameters = model_parameters(model);
  const ModelParameters& p = cost.parameters;
  const Count table = p.embedding;
  cost.weights_bytes =
      size_of(Count(p.embedding) + p.head + p.final_norm + p.lower_bounds, model.dtype).exact("weights_bytes");
  cost.forward_flops = (Count(2) * table * tokens).exact("forward_flops");
  cost.training_flops = (Count(6) * table * tokens).exact("training_flops");
  cost.decode_flops_per_token = (Count(2) * table).exact("decode_flops_per_token");
  const auto batch = static_cast<double>(workload.batch);
  const Timeline prefill = head_timeline(model, batch, tokens.approximate(), hardware);
  const double step = batch * static_cast<double>(step_tokens);
  const Timeline decode = head_timeline(model, step, step, hardware);
  cost.prefill = prefill.time();
  cost.decode_step = decode.time();
  cost.prefill_hbm_bytes = prefill.whole_bytes("prefill_hbm_bytes");
  cost.decode_hbm_bytes = decode.whole_bytes("decode_hbm_bytes");
  cost.prefill_energy = prefill.energy();
  cost.decode_energy = decode.energy();
  return cost;
}

CostReport cost_report(const spec::ModelSpec& model, const spec::Workload& workload, const HardwareProfile& hardware,
                       Dim step_tokens) {
  const auto& layers = model.layout.layers;
  CostReport report;
  report.model = model_cost(model, workload, hardware, step_tokens);
  report.layers.reserve(layers.size());
  boost::container::static_vector<std::size_t, 16> distinct;  // first layer of each kind; more kinds cost more time
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto same =
        std::find_if(distinct.begin(), distinct.end(), [&](std::size_t j) { return layers[j] == layers[i]; });
    if (same != distinct.end()) {
      report.layers.push_back(report.layers[*same]);
    } else {
      report.layers.push_back(layer_cost(layers[i], model, workload, hardware, step_tokens));
      if (distinct.size() < distinct.capacity()) distinct.push_back(i);
    }
    report.layers.back().index = i;
  }

  const ModelCost& own = report.model;
  const auto& l = report.layers;
  const std::int64_t own_parameters = own.parameters.total();
  report.parameters.total = total(l, &LayerCost::parameters, own_parameters, "parameters");
  report.parameters.active = total(l, &LayerCost::active_parameters, own_parameters, "active_parameters");
  report.parameters.embedding = own.parameters.embedding + own.parameters.head;
  report.weights_bytes = total(l, &LayerCost::weights_bytes, own.weights_bytes, "weights_bytes");
  report.kv_cache_bytes = total(l, &LayerCost::kv_cache_bytes, 0, "kv_cache_bytes");
  report.state_bytes = total(l, &LayerCost::state_bytes, 0, "state_bytes");
  report.forward_flops = total(l, &LayerCost::forward_flops, own.forward_flops, "forward_flops");
  report.training_flops = total(l, &LayerCost::training_flops, own.training_flops, "training_flops");
  report.decode_flops_per_token =
      total(l, &LayerCost::decode_flops_per_token, own.decode_flops_per_token, "decode_flops_per_token");
  report.prefill_hbm_bytes = total(l, &LayerCost::prefill_hbm_bytes, own.prefill_hbm_bytes, "prefill_hbm_bytes");
  report.decode_hbm_bytes = total(l, &LayerCost::decode_hbm_bytes, own.decode_hbm_bytes, "decode_hbm_bytes");
  report.prefill = own.prefill;
  report.decode_step = own.decode_step;
  report.prefill_energy = own.prefill_energy;
  report.decode_energy = own.decode_energy;
  for (const auto& layer : report.layers) {
    report.prefill += layer.prefill;
    report.decode_step += layer.decode_step;
    report.prefill_energy += layer.prefill_energy;
    report.decode_energy += layer.decode_energy;
  }
  return report;
}

}  // namespace plait::costmodel
