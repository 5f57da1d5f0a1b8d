#include <benchmark/benchmark.h>

#include "src/report/report.h"
#include "tests/report/sample.h"

namespace {

using namespace plait::report;

template <auto Write>
void figure(benchmark::State& state) {
  const Figure figure = sample_figure(200);
  std::size_t bytes = 0;
  for (auto _ : state) bytes = Write(figure, FigureOptions{}).size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(figure<to_svg>)->Name("report_svg")->Unit(benchmark::kMillisecond);
BENCHMARK(figure<to_png>)->Name("report_png")->Unit(benchmark::kMillisecond);

void report_html(benchmark::State& state) {
  const ResultTable table = sample_table(200);
  HtmlOptions options;
  options.x_metric = "kv_cache_bytes";
  options.y_metric = "recall";
  for (auto _ : state) benchmark::DoNotOptimize(to_html(table, options));
}
BENCHMARK(report_html)->Unit(benchmark::kMillisecond);

}  // namespace
