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
  if (placement.devices <= 1) return {.kind = OpKind::node_collective, .launches = 0};
  const auto seconds = [&](OpKind kind, double bytes) {
    return bytes / (hardware.bandwidth(kind) * hardware.op_class(kind).bandwidth_efficiency);
  };
  const bool leaves = placement.nodes() > 1;
  if (!leaves || seconds(OpKind::node_collective, node_bytes) > seconds(OpKind::network_collective, network_bytes)) {
    return {.kind = OpKind::node_collective, .bytes = node_bytes};
  }
  // A tree of nodes: small messages take one hop per level.
  return {.kind = OpKind::network_collective,
          .bytes = network_bytes,
          .launches = std::max(1.0, std::ceil(std::log2(placement.nodes())))};
}

Op ring(double rounds, double bytes, const DeviceGroup& group, const HardwareProfile& hardware) {
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

Op all_to_all(double bytes, const DeviceGroup& group, const HardwareProfile& hardware) {
  const Placement placement = place(group, hardware);
  const double leaves = (placement.devices - placement.in_node) / placement.devices;
  const double stays = (placement.in_node - 1) / placement.devices;
  return slower(bytes * stays, bytes * leaves, placement, hardware);
}

Op send(double bytes, const DeviceGroup& neighbours, const HardwareProfile& hardware) {
  return slower(bytes, bytes, place({.size = 2, .stride = neighbours.stride}, hardware), hardware);
}

}  // namespace plait::costmodel
