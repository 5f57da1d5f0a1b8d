// Writes export bundles for check_fla.py, one folder each:
//   fla_bundles OUT SEEDS [CONFIG...]
// golden-<name> for every golden model, random-<seed> for seeds 0 to SEEDS - 1, import-<stem> for every CONFIG, a
// foreign config.json read and exported again.
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "src/interchange/exporter.h"
#include "src/interchange/importer.h"
#include "tests/interchange/fla_models.h"

namespace {

using namespace plait;

void write_bundle(const std::filesystem::path& folder, const spec::ModelSpec& model) {
  std::filesystem::create_directories(folder);
  for (const interchange::File& file : interchange::find_exporter("fla")->write(model, {}).files) {
    std::ofstream(folder / file.name) << file.content;
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) throw std::runtime_error("usage: fla_bundles OUT SEEDS [CONFIG...]");
  const std::filesystem::path out = argv[1];
  for (const auto& [name, model] : interchange::test::golden_models()) write_bundle(out / ("golden-" + name), model);
  const auto seeds = std::stoul(argv[2]);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    write_bundle(out / ("random-" + std::to_string(seed)), interchange::test::random_model(seed));
  }
  for (int i = 3; i < argc; ++i) {
    const std::filesystem::path config = argv[i];
    const auto model = interchange::import_model(spec::read_json_file(config.string()), config.string()).model;
    write_bundle(out / ("import-" + config.stem().string()), model);
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
