#pragma once

#include "costmodel/hardware.h"
#include "src/spec/model_spec.h"

namespace plait::fuzz {

/// A valid model has a finite, positive cost on any valid hardware, or its counts are refused as too large.
void check_costs(const spec::ModelSpec& model, const costmodel::HardwareProfile& hardware);

}  // namespace plait::fuzz
