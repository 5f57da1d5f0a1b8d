#include <benchmark/benchmark.h>

#include "src/spec/notation.h"

namespace {

using namespace plait;

void notation_parse(benchmark::State& state, const char* text) {
  const spec::Palette palette = spec::Palette::defaults(2048);
  for (auto _ : state) benchmark::DoNotOptimize(spec::parse_layout(text, palette));
}
BENCHMARK_CAPTURE(notation_parse, three_to_one, "(GGG*)x6");
BENCHMARK_CAPTURE(notation_parse, irregular, "RLhHdG*GGHHd*MMS+RLhKG**d");

void notation_print(benchmark::State& state, const char* text) {
  const spec::Palette palette = spec::Palette::defaults(2048);
  const spec::Layout layout = spec::parse_layout(text, palette);
  for (auto _ : state) benchmark::DoNotOptimize(spec::print_layout(layout, palette));
}
BENCHMARK_CAPTURE(notation_print, three_to_one, "(GGG*)x6");
BENCHMARK_CAPTURE(notation_print, irregular, "RLhHdG*GGHHd*MMS+RLhKG**d");

void layout_hash(benchmark::State& state) {
  const spec::Layout layout = spec::parse_layout("(GGG*)x6", spec::Palette::defaults(2048));
  for (auto _ : state) benchmark::DoNotOptimize(spec::layout_hash(layout, 32768));
}
BENCHMARK(layout_hash);

}  // namespace
