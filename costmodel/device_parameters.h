#pragma once

#include "costmodel/count.h"
#include "costmodel/parallel_memory.h"

namespace plait::costmodel {

/// Parameters that one device holds: those of every replica, and those of experts, which have their own replicas.
struct DeviceParameters {
  Count dense{};
  Count expert{};

  DeviceParameters& operator+=(const DeviceParameters& other) {
    dense += other.dense;
    expert += other.expert;
    return *this;
  }
};

/// Of the largest rank of a pipeline stage, before anything is split over the replicas.
DeviceParameters stage_parameters(const spec::ModelSpec& model, const Parallelism& parallelism, spec::Dim stage);

}  // namespace plait::costmodel
