#include "costmodel/channel_shape.h"

#include <cmath>
#include <variant>

namespace plait::costmodel {
namespace {

using spec::Dim;

ChannelShape shape_of(const spec::SwiGlu& m, Dim d_model) {
  ChannelShape shape;
  shape.dense = Count(3) * d_model * m.width;
  shape.hidden = Count(2) * m.width;
  shape.product = m.width;
  shape.products = 2;
  shape.products_apart = 3;
  return shape;
}

ChannelShape shape_of(const spec::Mlp& m, Dim d_model) {
  ChannelShape shape;
  shape.dense = Count(2) * d_model * m.width;
  shape.hidden = shape.product = m.width;
  shape.products = 2;
  return shape;
}

ChannelShape shape_of(const spec::MoE& m, Dim d_model) {
  const Count matrices = m.gated ? 3 : 2;
  ChannelShape shape;
  shape.dense = Count(d_model) * m.experts + matrices * d_model * m.shared_width;
  if (m.shared_gate && m.shared_width > 0) shape.dense += d_model;
  if (m.latent_width > 0) shape.dense += Count(2) * d_model * m.latent_width;
  shape.routed_width = m.latent_width > 0 ? m.latent_width : d_model;
  shape.expert = matrices * shape.routed_width * m.expert_width;
  shape.experts = m.experts;
  shape.active = m.active;
  shape.product = Count(m.active) * m.expert_width + m.shared_width;
  shape.hidden = Count(m.gated ? 2 : 1) * shape.product;
  shape.products = (m.shared_width > 0 ? 5 : 3) + (m.latent_width > 0 ? 2 : 0);
  return shape;
}

ChannelShape shape_of(const spec::None&, Dim) { return {}; }

}  // namespace

ChannelShape channel_shape(const spec::ChannelMixer& mixer, Dim d_model) {
  return std::visit([&](const auto& m) { return shape_of(m, d_model); }, mixer);
}

double expected_experts(const ChannelShape& shape, double tokens) {
  if (shape.experts == 0) return 0;
  const double share = static_cast<double>(shape.active) / static_cast<double>(shape.experts);
  return static_cast<double>(shape.experts) * (1 - std::pow(1 - share, tokens));
}

}  // namespace plait::costmodel
