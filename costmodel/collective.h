#pragma once

#include "costmodel/hardware.h"
#include "costmodel/op.h"
#include "src/spec/mixer.h"

/// What devices send each other. A group's bytes go round a ring (Patarin and Yuan 2009): an all-reduce moves 2 (n - 1)
/// / n of them over every device's link, an all-gather or a reduce-scatter half of that. Between nodes every device of
/// a node has a ring of its own, so that each carries its share.
namespace plait::costmodel {

/// `size` devices whose numbers are `stride` apart; a node holds consecutive ones.
struct DeviceGroup {
  spec::Dim size = 1;
  spec::Dim stride = 1;
};

/// Each of these is nothing to do (no launch) for a group of one. `bytes` are those of the whole tensor that is reduced
/// or gathered, of the tokens of one device that are dispatched, and of one message. The profile must have links.
Op all_reduce(double bytes, const DeviceGroup& group, const HardwareProfile& hardware);
Op all_gather(double bytes, const DeviceGroup& group, const HardwareProfile& hardware);  ///< and reduce_scatter
/// Every token goes to `copies` devices drawn evenly, over the network once to each node that has one of them
/// (DeepEP); so do the results on their way back.
Op dispatch(double bytes, double copies, const DeviceGroup& group, const HardwareProfile& hardware);
Op send(double bytes, const DeviceGroup& neighbours, const HardwareProfile& hardware);

}  // namespace plait::costmodel
