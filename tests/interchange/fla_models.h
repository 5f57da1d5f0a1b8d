#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/spec/model_spec.h"

/// Models that flash-linear-attention can hold, for the tests of both directions and for the test with the real
/// library.
namespace plait::interchange::test {

struct NamedModel {
  std::string name;
  spec::ModelSpec model;
};

/// Small hand-picked hybrids with a golden config.json each (tests/golden/fla/<name>.json).
std::vector<NamedModel> golden_models();

/// A valid model that fla can hold, the same for the same seed on every machine. Members that a config does not hold
/// (name, storage types, the position limit of Mamba-2) have their defaults.
spec::ModelSpec random_model(std::uint64_t seed);

}  // namespace plait::interchange::test
