#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>

#include "src/cli/commands.h"

namespace plait::cli {
namespace {

/// The app is a program of its own beside this one, so that this one starts without a graphics library.
void run(std::vector<std::string> arguments) {
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "plait-gui";
  arguments.insert(arguments.begin(), program.string());
  std::vector<char*> words;
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  execv(program.c_str(), words.data());
  throw std::system_error(errno, std::generic_category(), fmt::format("cannot start {}", program.string()));
}

}  // namespace

void add_gui(CLI::App& app, Context&) {
  const auto arguments = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app.add_subcommand("gui", "open the desktop app (plait-gui --help for its options)");
  command->add_option("WHAT", *arguments, "folder of a search, study file, model file, or a trainer's config");
  command->footer(
      "Examples:\n"
      "  plait gui run                     the folder of a search, finished or running\n"
      "  plait gui examples/laptop.json    a study file fills the form of a new study");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace plait::cli
