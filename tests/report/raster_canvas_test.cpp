#include "src/report/raster_canvas.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace plait::report {
namespace {

double area_of(CoverageMask& mask) {
  double area = 0;
  mask.take([&](int, int, float coverage) { area += static_cast<double>(coverage); });
  return area;
}

double shoelace(const std::vector<Point>& p) {
  double twice = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const Point& a = p[i];
    const Point& b = p[(i + 1) % p.size()];
    twice += a.x * b.y - b.x * a.y;
  }
  return std::abs(twice) / 2;
}

// Single precision sums over a row of 64 pixels: 64 * 2^-24, times the pixels touched.
constexpr double kTolerance = 64 * 64 * 64 * 0x1p-24;

TEST(CoverageMask, ARectangleCoversEveryPixelByItsShare) {
  CoverageMask mask(8, 8);
  mask.add_outline(std::vector<Point>{{1.25, 2.5}, {4.5, 2.5}, {4.5, 5}, {1.25, 5}});
  std::array<std::array<float, 8>, 8> seen{};
  mask.take(
      [&](int x, int y, float coverage) { seen[static_cast<std::size_t>(y)][static_cast<std::size_t>(x)] = coverage; });
  const std::array<float, 8> across = {0, 0.75F, 1, 1, 0.5F, 0, 0, 0};
  const std::array<float, 8> down = {0, 0, 0.5F, 1, 1, 0, 0, 0};
  for (std::size_t y = 0; y < 8; ++y) {
    for (std::size_t x = 0; x < 8; ++x) EXPECT_NEAR(seen[y][x], across[x] * down[y], 1e-6) << x << "," << y;
  }
}

RC_GTEST_PROP(CoverageMask, ATriangleCoversItsArea, ()) {
  const auto coordinate = rc::gen::map(rc::gen::inRange(0, 64000), [](int k) { return k / 1000.0; });
  const std::vector<Point> corners = {
      {*coordinate, *coordinate}, {*coordinate, *coordinate}, {*coordinate, *coordinate}};
  CoverageMask mask(64, 64);
  mask.add_outline(corners);
  // Shares below the visible limit are not reported: at most one per pixel the outline crosses.
  RC_ASSERT(std::abs(area_of(mask) - shoelace(corners)) <= kTolerance + 400.0 / 1024);
}

RC_GTEST_PROP(CoverageMask, WhatLiesOutsideIsCutOff, ()) {
  const auto coordinate = rc::gen::map(rc::gen::inRange(-100000, 160000), [](int k) { return k / 1000.0; });
  const double x0 = *coordinate, x1 = *coordinate, y0 = *coordinate, y1 = *coordinate;
  CoverageMask mask(64, 64);
  mask.add_outline(std::vector<Point>{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}});
  const auto inside = [](double a, double b) { return std::abs(std::clamp(b, 0.0, 64.0) - std::clamp(a, 0.0, 64.0)); };
  RC_ASSERT(std::abs(area_of(mask) - inside(x0, x1) * inside(y0, y1)) <= kTolerance + 256.0 / 1024);
  RC_ASSERT(area_of(mask) == 0);  // taking empties
}

TEST(CoverageMask, ACircleCoversItsAreaAndAHoleIsLeftOut) {
  CoverageMask mask(64, 64);
  const std::vector<Point> outer = marker_outline(Marker::circle, {32.3, 31.6}, 20);
  mask.add_outline(outer);
  EXPECT_NEAR(area_of(mask), std::numbers::pi * 400, 0.3);
  std::vector<Point> inner = marker_outline(Marker::circle, {32, 32}, 10);
  std::ranges::reverse(inner);
  mask.add_outline(outer);
  mask.add_outline(inner);
  EXPECT_NEAR(area_of(mask), std::numbers::pi * 300, 0.5);
}

TEST(RasterCanvas, MarkersOfOneRadiusHaveOneArea) {
  for (const Marker marker : {Marker::circle, Marker::square, Marker::triangle, Marker::diamond}) {
    EXPECT_NEAR(shoelace(marker_outline(marker, {3, 4}, 5)), std::numbers::pi * 25, 1e-9) << static_cast<int>(marker);
  }
}

TEST(RasterCanvas, ALineHasItsWidthAtEveryScaleAndAngle) {
  for (const double scale : {1.0, 2.0}) {
    for (const double angle : {0.0, 0.3, 0.8, 1.5707963}) {
      RasterCanvas canvas(60, 60, scale, rgb(0xffffff));
      const double dx = 20 * std::cos(angle), dy = 20 * std::sin(angle);
      canvas.polyline(std::array{Point{30 - dx, 30 - dy}, Point{30 + dx, 30 + dy}}, rgb(0x000000), 3);
      double ink = 0;
      for (std::size_t i = 0; i < canvas.pixels().size(); i += 3) ink += (255 - canvas.pixels()[i]) / 255.0;
      EXPECT_NEAR(ink / (scale * scale), 40 * 3, 1.0) << scale << " " << angle;
    }
  }
}

TEST(RasterCanvas, TextHasInkWithinItsMeasuredWidth) {
  for (const bool upwards : {false, true}) {
    RasterCanvas canvas(200, 200, 1, rgb(0xffffff));
    canvas.text({100, 100}, "recall",
                {.size = 20, .colour = rgb(0x000000), .anchor = Anchor::middle, .upwards = upwards});
    const double half = Font::get(Weight::regular).width("recall", 20) / 2;
    int least = 200, most = 0;
    for (int y = 0; y < 200; ++y) {
      for (int x = 0; x < 200; ++x) {
        if (canvas.pixels()[static_cast<std::size_t>(y * 200 + x) * 3] > 200) continue;
        least = std::min(least, upwards ? y : x);
        most = std::max(most, upwards ? y : x);
      }
    }
    EXPECT_NEAR(least, 100 - half, 3);
    EXPECT_NEAR(most, 100 + half, 3);
  }
}

TEST(RasterCanvas, TransparentInkMixesWithWhatIsThere) {
  RasterCanvas canvas(4, 4, 1, rgb(0xffffff));
  canvas.rect({0, 0, 4, 4}, {.fill = rgb(0x000000, 0.5)});
  EXPECT_EQ(canvas.pixels()[0], 128);
}

TEST(Font, WidthsGrowWithSizeAndWeightAndFittedTextFits) {
  const double regular = Font::get(Weight::regular).width("Gated DeltaNet", 12);
  EXPECT_NEAR(Font::get(Weight::regular).width("Gated DeltaNet", 24), 2 * regular, 1e-9);
  EXPECT_GT(Font::get(Weight::bold).width("Gated DeltaNet", 12), regular);
  const std::string cut = fit_text("Gated DeltaNet", 50, 12);
  EXPECT_TRUE(cut.ends_with("…"));
  EXPECT_LE(Font::get(Weight::regular).width(cut, 12), 50);
  EXPECT_EQ(fit_text("Gated DeltaNet", 500, 12), "Gated DeltaNet");
}

}  // namespace
}  // namespace plait::report
