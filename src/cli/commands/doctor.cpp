#include <fmt/format.h>
#include <sys/utsname.h>

#include <boost/version.hpp>
#include <filesystem>
#include <thread>

#include "src/cli/commands.h"
#include "src/proxy/backend.h"
#include "src/spec/json_reader.h"

namespace plait::cli {
namespace {

struct Row {
  std::string name;
  std::string state;  ///< "on", "off" or a version
  std::string note;
};

/// LibTorch and the GPU as the library that trains sees them.
std::pair<Row, Row> torch_rows() {
  const bool device = std::filesystem::exists("/dev/nvidia0");
  Row torch{"LibTorch", "off", ""};
  Row gpu{"GPU", device ? "found" : "none", device ? "not used" : "no /dev/nvidia0"};
  try {
    // "LibTorch 2.11.0; device cpu, cuda"
    const std::string text = proxy::backend().description();
    torch = {"LibTorch", "on", text + "; trains proxies (plait proxy, plait search --proxy)"};
    const bool usable = text.find("cuda") != std::string::npos;
    if (usable) gpu.state = "on";
    if (usable) gpu.note = "used with --device cuda";
    if (device && !usable) gpu.note = "not used: this LibTorch is for the CPU";
  } catch (const proxy::Unavailable& error) {
    torch.note = error.what();
  }
  return {torch, gpu};
}

std::vector<Row> examine() {
  utsname system{};
  uname(&system);
  const auto [torch, gpu] = torch_rows();
  return {
      {"plait", PLAIT_VERSION, fmt::format("built with {} {}, C++{}", "g++", __VERSION__, __cplusplus / 100 % 100)},
      {"system", system.sysname,
       fmt::format("{} {}, {} threads", system.release, system.machine, std::thread::hardware_concurrency())},
      {"Boost", fmt::format("{}.{}", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000), ""},
      {"nlohmann_json",
       fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH),
       ""},
      {"fonts", "on", "DejaVu Sans, compiled in"},
      gpu,
      torch,
      {"desktop app", PLAIT_HAVE_GUI ? "on" : "off", PLAIT_GUI_WHY},
  };
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("doctor", "versions, and what is on or off and why");
  command->add_flag("--json", *json, "print one JSON value");
  command->callback([json, &context] {
    spec::OrderedJson out;
    std::vector<std::vector<std::string>> table;
    for (Row& row : examine()) {
      out[row.name] = {{"state", row.state}, {"note", row.note}};
      table.push_back({row.name, row.state, row.note});
    }
    context.console.print(*json ? out.dump(2) + "\n" : format_table(table));
  });
}

}  // namespace plait::cli
