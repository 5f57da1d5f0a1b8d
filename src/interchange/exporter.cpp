#include "src/interchange/exporter.h"

#include <algorithm>
#include <array>

#include "src/interchange/fla_export.h"

namespace plait::interchange {

const std::string* ExportBundle::find(std::string_view name) const {
  const auto file = std::ranges::find(files, name, &File::name);
  return file == files.end() ? nullptr : &file->content;
}

std::span<const Exporter> exporter_table() {
  static constexpr std::array table{
      Exporter{"fla", "flash-linear-attention 0.6.0: config.json for AutoModelForCausalLM", fla::supports, fla::write},
      Exporter{"flame", "flame, the trainer of flash-linear-attention: the fla files and launch.sh",
               fla::supports_flame, fla::write_flame},
  };
  return table;
}

const Exporter* find_exporter(std::string_view name) {
  const auto row = std::ranges::find(exporter_table(), name, &Exporter::name);
  return row == exporter_table().end() ? nullptr : &*row;
}

}  // namespace plait::interchange
