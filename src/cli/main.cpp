#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <new>
#include <system_error>
#include <thread>

#include "search/journal.h"
#include "src/cli/commands.h"
#include "src/spec/error.h"

namespace {

constexpr int kWorkFailed = 1;
constexpr int kBadInput = 2;

/// Turns SIGINT and SIGTERM into a stop request. What does not look at the request in time, and a second signal, end
/// the process at once: a journal stays whole whenever that happens. Constructed before any other thread, so that all
/// inherit the mask.
class StopOnSignal {
 public:
  StopOnSignal() {
    sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM}) sigaddset(&signals_, signal);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    waiter_ = std::jthread([this](const std::stop_token& done) {
      int first = 0;
      if (sigwait(&signals_, &first) != 0 || done.stop_requested()) return;
      source_.request_stop();
      // Work that does not heed the request ends with the second signal, or when this is over.
      const timespec patience{.tv_sec = 10, .tv_nsec = 0};
      sigtimedwait(&signals_, nullptr, &patience);
      if (!done.stop_requested()) end_process(first);
    });
  }
  StopOnSignal(const StopOnSignal&) = delete;
  ~StopOnSignal() {
    waiter_.request_stop();
    pthread_kill(waiter_.native_handle(), SIGTERM);  // wakes it: the program ends without a pause
  }
  std::stop_token token() const { return source_.get_token(); }

 private:
  void end_process(int signal) const {
    std::signal(signal, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
    std::raise(signal);
  }

  sigset_t signals_{};
  std::stop_source source_;
  std::jthread waiter_;
};

/// What a person gave is wrong, as opposed to work that could not be done.
bool is_bad_input(const std::exception& error) {
  return dynamic_cast<const plait::cli::UsageError*>(&error) != nullptr ||
         dynamic_cast<const plait::spec::SpecError*>(&error) != nullptr ||
         dynamic_cast<const plait::search::JournalError*>(&error) != nullptr;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

int run(int argc, char** argv, plait::cli::Context& context) {
  using namespace plait;
  CLI::App app{
      "plait finds hybrid language-model layouts: which token mixer stands at which layer.\n\n"
      "  plait search examples/quickstart.json --out run    search a study\n"
      "  plait show run --html run/frontier.html            look at its frontier\n"
      "  plait export run --trial recommended --to fla --out model write a trainer's config\n"
      "  plait cost '(GGG*)x6' --model examples/model-1b.json   what one layout costs\n"
      "  plait proxy '(GGG*)x6' Gx24 --model examples/model-1b.json train both as small models"};
  app.set_version_flag("--version", "plait " PLAIT_VERSION);
  app.require_subcommand(1);
  cli::add_search(app, context);
  cli::add_show(app, context);
  cli::add_cost(app, context);
  cli::add_measure(app, context);
  cli::add_calibrate(app, context);
  cli::add_validation(app, context);
  cli::add_export(app, context);
  cli::add_import(app, context);
  cli::add_proxy(app, context);
  cli::add_tasks(app, context);
  cli::add_reproduce(app, context);
  cli::add_export_weights(app, context);
  cli::add_import_weights(app, context);
  cli::add_validate(app, context);
  cli::add_mixers(app, context);
  cli::add_hardware(app, context);
  cli::add_strategies(app, context);
  cli::add_presets(app, context);
  cli::add_prior(app, context);
  cli::add_gui(app, context);
  cli::add_doctor(app, context);
  try {
    app.parse(argc, argv);
    return context.exit_code;
  } catch (const CLI::RequiredError& error) {
    const std::vector<std::string> commands = command_names(app);
    if (argc < 2 || argv[1][0] == '-' || std::ranges::find(commands, argv[1]) != commands.end()) {
      return app.exit(error) == 0 ? 0 : kBadInput;
    }
    const std::string close = spec::closest_name(argv[1], commands);
    context.console.warn(fmt::format("unknown command \"{}\"{}; plait --help lists them", argv[1],
                                     close.empty() ? "" : fmt::format(", did you mean \"{}\"?", close)));
    return kBadInput;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadInput;  // prints help, version or the usage error
  } catch (const std::bad_alloc&) {
    context.console.warn("out of memory: a smaller space, batch or budget needs less");
    return kWorkFailed;
  } catch (const std::logic_error&) {
    throw;  // a programmer's error
  } catch (const std::exception& error) {
    context.console.warn(error.what());
    return is_bad_input(error) ? kBadInput : kWorkFailed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  // A full disk quota and a closed pipe are errors of a write, reported like any other.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  const StopOnSignal signals;
  plait::cli::Context context{.console = {}, .stop = signals.token()};
  return run(argc, argv, context);
}
