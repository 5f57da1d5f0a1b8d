#include <fmt/format.h>
#include <sys/utsname.h>

#include <boost/version.hpp>
#include <filesystem>
#include <thread>

#include "src/cli/commands.h"
#include "src/spec/json_reader.h"

namespace plait::cli {
namespace {

struct Row {
  std::string name;
  std::string state;  ///< "on", "off" or a version
  std::string note;
};

std::vector<Row> examine() {
  utsname system{};
  uname(&system);
  const bool gpu = std::filesystem::exists("/dev/nvidia0");
  return {
      {"plait", PLAIT_VERSION, fmt::format("built with {} {}, C++{}", "g++", __VERSION__, __cplusplus / 100 % 100)},
      {"system", system.sysname,
       fmt::format("{} {}, {} threads", system.release, system.machine, std::thread::hardware_concurrency())},
      {"Boost", fmt::format("{}.{}", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000), ""},
      {"nlohmann_json",
       fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH),
       ""},
      {"fonts", "on", "DejaVu Sans, compiled in"},
      {"GPU", gpu ? "found" : "none", gpu ? "not used: this build has no kernels" : "no /dev/nvidia0"},
      {"LibTorch", "off", "no part of this version needs it"},
      {"OpenGL", "off", "this version has no desktop app"},
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
