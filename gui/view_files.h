#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "src/report/report.h"

namespace plait::gui {

enum class FileKind { svg, png, csv };

constexpr std::string_view extension_of(FileKind kind) {
  return kind == FileKind::svg ? ".svg" : kind == FileKind::png ? ".png" : ".csv";
}

/// Makes a file of a view. Holds all it needs: with many trials it runs on a thread.
using ViewWriter = std::function<std::string()>;

inline std::string as_text(const std::vector<std::uint8_t>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Of a figure or chart of src/report; `csv` writes the numbers behind it.
template <class Chart>
ViewWriter picture_writer(Chart chart, FileKind kind, const report::FigureOptions& options,
                          std::function<std::string(const Chart&)> csv) {
  return [chart = std::move(chart), kind, options, csv = std::move(csv)] {
    switch (kind) {
      case FileKind::svg: return to_svg(chart, options);
      case FileKind::png: return as_text(to_png(chart, options));
      case FileKind::csv: break;
    }
    return csv(chart);
  };
}

/// Of a chart that has a CSV form of its own.
template <class Chart>
ViewWriter picture_writer(Chart chart, FileKind kind, const report::FigureOptions& options) {
  return picture_writer<Chart>(std::move(chart), kind, options, [](const Chart& of) { return to_csv(of); });
}

}  // namespace plait::gui
