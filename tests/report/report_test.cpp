#include "src/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "src/report/utf8.h"
#include "src/spec/error.h"
#include "tests/report/sample.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#include <stb/stb_image.h>

namespace plait::report {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Enough of XML 1.0 to find what a careless writer breaks: nesting, unquoted attributes, bare < and &, duplicate
/// attributes. Empty when well formed.
std::string xml_error(const std::string& text) {
  static const std::regex kTag(R"(^<(/?)([A-Za-z][\w-]*)((?:\s+[A-Za-z][\w:-]*="[^"<]*")*)\s*(/?)>)");
  static const std::regex kAttribute(R"(([A-Za-z][\w:-]*)=)");
  static const std::regex kEntity(R"(^&(amp|lt|gt|quot|#39);)");
  std::vector<std::string> open;
  bool root_seen = false;
  for (std::size_t i = 0; i < text.size();) {
    std::smatch match;
    const auto here = text.begin() + static_cast<std::ptrdiff_t>(i);
    const std::string at = " at " + std::to_string(i) + ": " + text.substr(i, 40);
    if (text[i] == '<') {
      if (!std::regex_search(here, text.end(), match, kTag, std::regex_constants::match_continuous))
        return "bad tag" + at;
      const std::string name = match[2], attributes = match[3];
      std::set<std::string> names;
      for (std::sregex_iterator a(attributes.begin(), attributes.end(), kAttribute), end; a != end; ++a) {
        if (!names.insert((*a)[1]).second) return "attribute twice" + at;
      }
      if (open.empty() && root_seen) return "two roots" + at;
      if (match[1].length() > 0) {
        if (open.empty() || open.back() != name) return "closes what is not open" + at;
        open.pop_back();
      } else if (match[4].length() == 0) {
        open.push_back(name);
      }
      root_seen = true;
      i += static_cast<std::size_t>(match.length());
    } else {
      if (text[i] == '&' && !std::regex_search(here, text.end(), kEntity, std::regex_constants::match_continuous))
        return "bad entity" + at;
      if (open.empty() && text[i] != '\n') return "text outside" + at;
      ++i;
    }
  }
  return open.empty() ? "" : "left open: " + open.back();
}

struct Image {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;

  bool is_blank(int x, int y) const {
    const std::uint8_t* p =
        &pixels[(static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)) * 3];
    return p[0] > 250 && p[1] > 250 && p[2] > 250;
  }
};

Image decode(const std::vector<std::uint8_t>& png) {
  Image image;
  int channels = 0;
  stbi_uc* data =
      stbi_load_from_memory(png.data(), static_cast<int>(png.size()), &image.width, &image.height, &channels, 3);
  if (data == nullptr) return {};
  image.pixels.assign(data, data + static_cast<std::ptrdiff_t>(image.width) * image.height * 3);
  stbi_image_free(data);
  return image;
}

Figure hostile_figure() {
  Figure figure = sample_figure(30);
  figure.title = "<script>&\"'\x01]]>";
  figure.subtitle = std::string("\xff\xfe broken & ") + std::string(400, 'w');
  figure.points[0].name = "</text>";
  figure.points[0].is_baseline = true;
  figure.points[1].layout = "<G&*>";
  figure.points[1].on_front = true;
  figure.points[1].letters = "<&>\"'\x02";
  figure.x.label = "a < b & c";
  figure.notes = {"1 < 2 && 3 > 2", std::string(2000, 'n')};
  return figure;
}

/// Figures at the edges of what can be shown.
std::vector<std::pair<std::string, Figure>> edge_cases() {
  Figure empty;
  empty.title = "empty";
  Figure one = sample_figure(200);
  one.points.resize(1);
  one.points[0].on_front = true;
  Figure equal = sample_figure(40);
  for (FigurePoint& point : equal.points) {
    point.x = 5;
    point.y = 0;
  }
  mark_front(equal);
  Figure huge = sample_figure(20);
  huge.points[0].x = 1e300;
  huge.points[1].x = -1e300;
  huge.points[2].y = 1e-300;
  Figure none_feasible = sample_figure(20);
  for (FigurePoint& point : none_feasible.points) point.feasible = point.on_front = false;
  Figure maximal = sample_figure(100);
  maximal.x.direction = search::Direction::maximize;
  maximal.y.direction = search::Direction::minimize;
  mark_front(maximal);
  Figure log = sample_figure(100);
  std::erase_if(log.points, [](const FigurePoint& point) { return point.x <= 0; });
  log.x.log = log.y.log = true;
  return {{"empty", empty},
          {"one", one},
          {"equal", equal},
          {"huge", huge},
          {"infeasible", none_feasible},
          {"maximal", maximal},
          {"log", log},
          {"hostile", hostile_figure()},
          {"deep", sample_figure(50, 300)}};
}

TEST(Svg, IsWellFormedWithTextAsText) {
  const std::string svg = to_svg(sample_figure(200));
  EXPECT_EQ(xml_error(svg), "");
  EXPECT_THAT(svg, HasSubstr(">KV cache (GiB)</text>"));
  EXPECT_THAT(svg, HasSubstr("<polyline"));
  EXPECT_EQ(xml_error("<a b=\"1\" b=\"2\"/>").substr(0, 9), "attribute");  // the checker finds faults
  EXPECT_NE(xml_error("<a><b></a></b>"), "");
  EXPECT_NE(xml_error("<a>&</a>"), "");
}

TEST(Svg, EdgeCasesAreWellFormedInBothThemesAndAllSizes) {
  for (const auto& [name, figure] : edge_cases()) {
    for (const FigureOptions& options :
         {FigureOptions{}, FigureOptions{.width = 360, .height = 280, .theme = Theme::dark},
          FigureOptions{.width = 2000, .height = 300}}) {
      const std::string svg = to_svg(figure, options);
      EXPECT_EQ(xml_error(svg), "") << name;
      EXPECT_EQ(svg.find("nan"), std::string::npos) << name;
      EXPECT_EQ(svg.find("inf\""), std::string::npos) << name;
    }
  }
}

TEST(Svg, TheStaircaseStepsTowardsTheWorseX) {
  Figure figure;
  figure.x = {"cost", "1", search::Direction::minimize};
  figure.y = {"gain", "1", search::Direction::maximize};
  for (const auto& [x, y] : {std::pair(0.0, 0.0), std::pair(1.0, 1.0)}) {
    FigurePoint point;
    point.x = x;
    point.y = y;
    point.on_front = true;
    figure.points.push_back(point);
  }
  const std::string svg = to_svg(figure);
  std::smatch match;
  // Three corners: from the cheap point level to the dear one's x, then up (y down in SVG).
  ASSERT_TRUE(std::regex_search(
      svg, match,
      std::regex(
          R"(<polyline points="([\d.]+),([\d.]+) ([\d.]+),([\d.]+) ([\d.]+),([\d.]+)\"[^>]*stroke=\"#0072b2\" stroke-width=\"2\")")));
  EXPECT_LT(std::stod(match[1]), std::stod(match[3]));
  EXPECT_EQ(match[2], match[4]);
  EXPECT_EQ(match[3], match[5]);
  EXPECT_LT(std::stod(match[6]), std::stod(match[4]));
}

TEST(Svg, MarkersTellTheSourceAndFeasibility) {
  Figure figure = sample_figure(1);
  figure.points.resize(1);
  FigurePoint& point = figure.points[0];
  point.on_front = true;
  const auto front_markers = [&](search::Source source) {
    point.source = source;
    const std::string svg = to_svg(figure);
    return svg.substr(svg.find("trial 0"), 300);
  };
  EXPECT_THAT(front_markers(search::Source::prior), HasSubstr("<circle"));
  EXPECT_THAT(front_markers(search::Source::measured), HasSubstr("<polygon"));
  EXPECT_THAT(front_markers(search::Source::surrogate), HasSubstr("<polygon"));
  point.on_front = point.feasible = false;
  EXPECT_THAT(to_svg(figure), HasSubstr("infeasible"));
}

TEST(Svg, ARingMarksWhatWasMeasured) {
  Figure figure = sample_figure(1);
  figure.points.resize(1);
  const auto circles = [&] {
    const std::string svg = to_svg(figure);
    std::size_t count = 0;
    for (std::size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1)) ++count;
    return count;
  };
  const std::size_t without = circles();
  figure.measured_label = "Proxy recall";
  EXPECT_EQ(circles(), without) << "a label alone marks nothing";
  figure.points[0].measured = "0.50";
  EXPECT_EQ(circles(), without + 2) << "one on the point, one in the legend";
  EXPECT_THAT(to_svg(figure), HasSubstr("measured: Proxy recall"));
}

TEST(Svg, TwentyThousandPointsAreAllThere) {
  Figure figure = make_figure(sample_table(20000), "kv_cache_bytes", "recall");
  for (FigurePoint& point : figure.points) point.source = search::Source::prior;
  const std::string svg = to_svg(figure);
  std::size_t circles = 0;
  for (std::size_t i = svg.find("<circle"); i != std::string::npos; i = svg.find("<circle", i + 1)) ++circles;
  EXPECT_GE(circles, 20000U);
}

TEST(Writers, TheSameInputGivesTheSameBytes) {
  const Figure figure = sample_figure(60);
  const ResultTable table = sample_table(60);
  EXPECT_EQ(to_svg(figure), to_svg(figure));
  EXPECT_EQ(to_png(figure, {.scale = 1}), to_png(figure, {.scale = 1}));
  EXPECT_EQ(to_terminal(figure), to_terminal(figure));
  EXPECT_EQ(to_csv(table), to_csv(table));
}

TEST(Writers, WhatIsNotANumberIsRefused) {
  Figure figure = sample_figure(5);
  figure.points[2].y = std::nan("");
  EXPECT_THROW(to_svg(figure), spec::SpecError);
  EXPECT_THROW(to_png(figure), spec::SpecError);
  EXPECT_THROW(to_terminal(figure), spec::SpecError);
  ResultTable table = sample_table(5);
  table.rows[1].scores["recall"].value = std::nan("");
  EXPECT_THROW(to_csv(table), spec::SpecError);
  EXPECT_THROW(to_html(table, {.x_metric = "kv_cache_bytes", .y_metric = "recall"}), spec::SpecError);
}

TEST(Writers, SizesOutOfRangeAreRefusedTogether) {
  try {
    to_svg(sample_figure(5), {.width = 10, .height = std::nan(""), .scale = 100});
    FAIL();
  } catch (const spec::SpecError& error) {
    EXPECT_EQ(error.problems().size(), 3U);
  }
  EXPECT_THROW(to_terminal(sample_figure(5), {.columns = 10}), spec::SpecError);
}

TEST(Png, HasTheSizeAndInkWhereThePointsAre) {
  Figure figure = sample_figure(40);
  std::size_t front = 0;
  for (FigurePoint& point : figure.points) {
    point.source = search::Source::prior;
    front += point.on_front;
  }
  const FigureOptions options{.width = 600, .height = 500, .scale = 1.5};
  const Image image = decode(to_png(figure, options));
  ASSERT_EQ(image.width, 900);
  ASSERT_EQ(image.height, 750);
  // The SVG says where the markers of the front are; the PNG must have ink there. (Points below may lie under a label.)
  const std::string svg = to_svg(figure, options);
  const std::regex circle("</title>\n<g fill=\"#0072b2\"[^>]*>\n<circle cx=\"([\\d.]+)\" cy=\"([\\d.]+)\"");
  std::size_t found = 0;
  for (std::sregex_iterator it(svg.begin(), svg.end(), circle), end; it != end; ++it, ++found) {
    const double x = std::stod((*it)[1]) * options.scale, y = std::stod((*it)[2]) * options.scale;
    EXPECT_FALSE(image.is_blank(static_cast<int>(x), static_cast<int>(y))) << x << "," << y;
  }
  EXPECT_EQ(found, front);
  EXPECT_TRUE(image.is_blank(2, 2));
}

TEST(Png, EdgeCasesDecode) {
  for (const auto& [name, figure] : edge_cases()) {
    const Image image = decode(to_png(figure, {.width = 400, .height = 300, .scale = 0.5}));
    EXPECT_EQ(image.width, 200) << name;
    EXPECT_EQ(image.height, 150) << name;
  }
}

TEST(Csv, QuotesAsRfc4180AndWritesNumbersThatReadBack) {
  ResultTable table;
  table.metrics = {{"recall", "1", search::Direction::maximize, ""}, {"a,b", "1", search::Direction::minimize, ""}};
  ResultRow row;
  row.trial = "7";
  row.name = "say \"hi\", you\nthere";
  row.layout = "(GGG*)x6";
  row.on_front = true;
  row.scores["recall"] = {0.1 + 0.2, 1.0 / 3, search::Source::surrogate};
  table.rows = {row};
  EXPECT_EQ(
      to_csv(table),
      "id,name,layout,feasible,on_front,recall,recall_deviation,recall_source,\"a,b\",\"a,b_deviation\",\"a,b_"
      "source\"\r\n"
      "7,\"say \"\"hi\"\", you\nthere\",(GGG*)x6,true,true,0.30000000000000004,0.3333333333333333,surrogate,,,\r\n");
  EXPECT_EQ(to_csv({}), "id,name,layout,feasible,on_front\r\n");
}

std::size_t widest_line(const std::string& text) {
  std::istringstream lines(text);
  std::size_t widest = 0;
  for (std::string line; std::getline(lines, line);) {
    widest = std::max(widest, display_width(std::regex_replace(line, std::regex("\x1b\\[[0-9;]*m"), "")));
  }
  return widest;
}

TEST(Terminal, NoLineIsWiderThanAsked) {
  std::vector<std::pair<std::string, Figure>> cases = edge_cases();
  cases.emplace_back("sample", sample_figure(200));
  cases.back().second.title = std::string(300, 'T') + "層層";
  cases.back().second.notes = {std::string(300, 'n')};
  for (const auto& [name, figure] : cases) {
    for (const std::size_t columns : {40U, 80U, 99U, 120U}) {
      for (const bool flag : {false, true}) {
        EXPECT_LE(widest_line(to_terminal(figure, {.columns = columns, .rows = 8, .colour = flag, .ascii = !flag})),
                  columns)
            << name;
      }
    }
  }
}

TEST(Terminal, ColourAndUnicodeOnlyWhenAsked) {
  Figure figure = sample_figure(100);
  figure.subtitle = "plain";
  EXPECT_THAT(to_terminal(figure), Not(HasSubstr("\x1b")));
  EXPECT_THAT(to_terminal(figure, {.colour = true}), HasSubstr("\x1b["));
  const std::string ascii = to_terminal(figure, {.ascii = true});
  EXPECT_TRUE(std::ranges::all_of(ascii, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
}

TEST(Terminal, EscapeSequencesInNamesDoNotReachTheTerminal) {
  Figure figure = sample_figure(10);
  figure.points[0].layout = "\x1b]0;title\x07";
  figure.points[0].on_front = true;
  figure.title = "\x1b[2J";
  EXPECT_THAT(to_terminal(figure), Not(HasSubstr("\x1b")));
}

TEST(Terminal, MeasuredValuesAreAColumnOfTheTable) {
  Figure figure = sample_figure(200);
  EXPECT_THAT(to_terminal(figure), Not(HasSubstr("Proxy recall")));
  figure.measured_label = "Proxy recall";
  figure.points[front_edge(figure).front()].measured = "0.50 ± 0.10";
  EXPECT_THAT(to_terminal(figure), testing::AllOf(HasSubstr("Proxy recall"), HasSubstr("0.50 ± 0.10")));
  EXPECT_THAT(to_terminal(figure, {.ascii = true}), HasSubstr("0.50 +- 0.10"));
}

TEST(Terminal, NumbersInThePlotAreTheRowsOfTheTable) {
  Figure figure = sample_figure(200);
  const std::string text = to_terminal(figure, {.table_rows = 3});
  EXPECT_THAT(text, HasSubstr("\n1  "));
  EXPECT_THAT(text, HasSubstr("\n3  "));
  EXPECT_THAT(text, Not(HasSubstr("\n4  ")));
  EXPECT_THAT(text, HasSubstr("3 of "));
}

std::string embedded_data(const std::string& html) {
  const std::string open = "id=\"data\">";
  const std::size_t start = html.find(open) + open.size();
  return html.substr(start, html.find("</script>", start) - start);
}

TEST(Html, HoldsAllDataEscapedAndNothingFromOutside) {
  ResultTable table = sample_table(50);
  table.rows[0].name = "</script><script>alert(1)</script>";
  table.rows[1].layout = "<!-- \xff";
  const HtmlOptions options{.title = "</title>@DATA@<b>",
                            .subtitle = "a & b",
                            .x_metric = "kv_cache_bytes",
                            .y_metric = "recall",
                            .export_command = "plait export d --trial {trial}"};
  const std::string html = to_html(table, options);
  EXPECT_THAT(html, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(html, HasSubstr("<title>&lt;/title&gt;@DATA@&lt;b&gt;</title>"));
  EXPECT_THAT(html, HasSubstr("a &amp; b"));
  std::string outside = html;
  for (std::size_t i; (i = outside.find("http://www.w3.org/2000/svg")) != std::string::npos;) outside.erase(i, 26);
  EXPECT_THAT(outside, Not(HasSubstr("http")));
  EXPECT_THAT(outside, Not(HasSubstr("src=")));
  EXPECT_THAT(outside, Not(HasSubstr("url(")));

  const auto data = nlohmann::json::parse(embedded_data(html));
  ASSERT_EQ(data["points"].size(), table.rows.size());
  EXPECT_EQ(data["points"][0][1], table.rows[0].name);
  EXPECT_EQ(data["points"][1][2], "<!-- \xef\xbf\xbd");
  EXPECT_EQ(data["points"][2][5][0].get<double>(), table.rows[2].scores["recall"].value);
  EXPECT_EQ(data["points"][2][6][0].get<double>(), *table.rows[2].scores["recall"].deviation);
  EXPECT_TRUE(data["points"][2][6][1].is_null());
  EXPECT_EQ(data["x"], 1);
  EXPECT_EQ(data["y"], 0);
}

TEST(Html, TwentyThousandRowsAndNoneAreWritten) {
  const HtmlOptions options{.title = "t", .x_metric = "kv_cache_bytes", .y_metric = "recall"};
  const std::string html = to_html(sample_table(20000), options);
  EXPECT_EQ(nlohmann::json::parse(embedded_data(html))["points"].size(), 20004U);
  EXPECT_LT(html.size(), 8U << 20);
  EXPECT_TRUE(nlohmann::json::parse(embedded_data(to_html(sample_table(0), options)))["points"].empty());
}

}  // namespace
}  // namespace plait::report
