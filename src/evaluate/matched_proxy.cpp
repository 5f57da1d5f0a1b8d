#include "src/evaluate/matched_proxy.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "costmodel/cost_report.h"

namespace plait::evaluate {
namespace {

std::int64_t parameters(const spec::LayerSpec& layer, const spec::ModelSpec& model) {
  static const costmodel::HardwareProfile any = costmodel::find_hardware(costmodel::hardware_names().front());
  return costmodel::layer_cost(layer, model, {}, any).parameters;
}

}  // namespace

spec::ModelSpec matched_proxy(const spec::ModelSpec& model, const proxy::ProxyShape& shape, spec::Dim vocab_size,
                              spec::Dim length) {
  spec::ModelSpec proxy = proxy::proxy_model(model, shape, vocab_size, length);
  spec::FullAttention attention;
  attention.heads = attention.kv_heads = shape.heads;
  attention.head_dim = shape.attention_head_dim;
  const std::int64_t wanted = parameters({.mixer = attention, .channel_mixer = spec::SwiGlu{2 * shape.d_model}}, proxy);
  for (spec::LayerSpec& layer : proxy.layout.layers) {
    auto* const mlp = std::get_if<spec::SwiGlu>(&layer.channel_mixer);
    if (mlp == nullptr) continue;
    const double missing = static_cast<double>(wanted - parameters(layer, proxy));
    const double columns = missing / static_cast<double>(3 * shape.d_model);
    mlp->width = std::max<spec::Dim>(1, mlp->width + std::llround(columns));
  }
  return proxy;
}

}  // namespace plait::evaluate
