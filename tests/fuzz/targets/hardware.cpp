#include "src/spec/notation.h"
#include "tests/fuzz/check_costs.h"
#include "tests/fuzz/target.h"

namespace plait::fuzz {

void hardware(std::string_view input) {
  static const spec::ModelSpec model = [] {
    spec::ModelSpec every_mixer;
    every_mixer.layout = spec::parse_layout("RLhHdGKMXN*S+[*M]", spec::Palette::defaults(every_mixer.d_model));
    return every_mixer;
  }();
  costmodel::HardwareProfile profile;
  try {
    spec::Problems problems;
    profile = costmodel::hardware_from_json(spec::parse_json(input, "input"), "", problems);
    problems.throw_if_any();
  } catch (const spec::SpecError&) {
    return;
  }
  check_costs(model, profile);
}

}  // namespace plait::fuzz
