#include "costmodel/collective.h"

#include <algorithm>
#include <cmath>

namespace plait::costmodel {
namespace {

/// How a group lies on nodes.
struct Placement {
  double devices = 1;  ///< of the group
  double in_node = 1;  ///< of them in one node
  double nodes() const { return std::ceil(devices / in_node); }
};

Placement place(const DeviceGroup& group, const HardwareProfile& hardware) {
  const double reach = std::floor(hardware.links.value().node_devices.value / static_cast<double>(group.stride));
  const auto size = static_cast<double>(group.size);
  return {.devices = size, .in_node = std::clamp(reach, 1.0, size)};
}

/// The slower of the two links that a collective uses at the same time.
Op slower(double node_bytes, double network_bytes, const Placement& placement, const HardwareProfile& hardware) {
  const Op node{.kind = OpKind::node_collective, .bytes = node_bytes};
  if (placement.nodes() == 1) return node;
  // A tree of nodes: small messages take one hop per level.
  const Op network{.kind = OpKind::network_collective,
                   .bytes = network_bytes,
                   .launches = std::max(1.0, std::ceil(std::log2(placement.nodes())))};
  const auto seconds = [&](const Op& op) {
    const OpClass& c = hardware.op_class(op.kind);
    return op.bytes / (hardware.bandwidth(op.kind) * c.bandwidth_efficiency) + op.launches * c.latency_s;
  };
  return seconds(node) > seconds(network) ? node : network;
}

constexpr Op kNothing{.kind = OpKind::node_collective, .launches = 0};

Op ring(double rounds, double bytes, const DeviceGroup& group, const HardwareProfile& hardware) {
  if (group.size == 1) return kNothing;
  const Placement placement = place(group, hardware);
  const double moved = rounds * bytes * (placement.devices - 1) / placement.devices;
  return slower(moved, moved / placement.in_node, placement, hardware);
}

}  // namespace

Op all_reduce(double bytes, const DeviceGroup& group, const HardwareProfile& hardware) {
  return ring(2, bytes, group, hardware);
}

Op all_gather(double bytes, const DeviceGroup& group, const HardwareProfile& hardware) {
  return ring(1, bytes, group, hardware);
}

Op dispatch(double bytes, double copies, const DeviceGroup& group, const HardwareProfile& hardware) {
  if (group.size == 1) return kNothing;
  const Placement placement = place(group, hardware);
  const auto distinct = [&](double targets) { return targets * (1 - std::pow(1 - 1 / targets, copies)); };
  const double nodes = placement.nodes();
  const double devices = distinct(placement.devices);
  return slower(bytes * devices * (placement.devices - 1) / placement.devices,
                bytes * distinct(nodes) * (nodes - 1) / nodes, placement, hardware);
}

Op send(double bytes, const DeviceGroup& neighbours, const HardwareProfile& hardware) {
  return slower(bytes, bytes, place({.size = 2, .stride = neighbours.stride}, hardware), hardware);
}

}  // namespace plait::costmodel
