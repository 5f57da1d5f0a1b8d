#include "src/spec/model_json.h"
#include "tests/fuzz/check_costs.h"
#include "tests/fuzz/target.h"

namespace plait::fuzz {
namespace {

spec::ModelSpec read(std::string_view text) {
  spec::Problems problems;
  spec::ModelSpec model = spec::model_from_json(spec::parse_json(text, "input"), "", problems);
  problems.throw_if_any();
  return model;
}

}  // namespace

void model(std::string_view input) {
  static const costmodel::HardwareProfile hardware = costmodel::find_hardware("h100");
  spec::ModelSpec model;
  try {
    model = read(input);
  } catch (const spec::SpecError&) {
    return;
  }
  require(read(spec::to_json(model).dump()) == model, "a written model reads back as itself");
  check_costs(model, hardware);
}

}  // namespace plait::fuzz
