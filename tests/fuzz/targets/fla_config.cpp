#include <algorithm>

#include "src/interchange/exporter.h"
#include "src/interchange/importer.h"
#include "tests/fuzz/check_costs.h"
#include "tests/fuzz/target.h"

namespace plait::fuzz {

void fla_config(std::string_view input) {
  static const costmodel::HardwareProfile hardware = costmodel::find_hardware("h100");
  spec::ModelSpec model;
  try {
    const spec::Json config = spec::parse_json(input, "input");
    model = interchange::import_model(config, "").model;
  } catch (const spec::SpecError&) {
    return;
  }
  check_costs(model, hardware);

  const interchange::Exporter& exporter = *interchange::find_exporter("fla");
  if (!exporter.supports(model).ok) return;
  const std::string* config = nullptr;
  const interchange::ExportBundle bundle = exporter.write(model, {});
  if ((config = bundle.find("config.json")) == nullptr) throw std::logic_error("an export holds config.json");
  const spec::ModelSpec again = interchange::import_model(spec::parse_json(*config, "export"), "").model;
  require(again.layout == model.layout, "an exported layout imports as itself");
  require(again.d_model == model.d_model && again.vocab_size == model.vocab_size,
          "an exported width imports as itself");
}

}  // namespace plait::fuzz
