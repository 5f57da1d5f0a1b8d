#pragma once

#include <CLI/CLI.hpp>

#include "src/cli/console.h"

/// One function per command: declares its options on `app` and runs from its callback.
namespace plait::cli {

void add_search(CLI::App& app, Context& context);
void add_show(CLI::App& app, Context& context);
void add_cost(CLI::App& app, Context& context);
void add_measure(CLI::App& app, Context& context);
void add_calibrate(CLI::App& app, Context& context);
void add_validation(CLI::App& app, Context& context);
void add_export(CLI::App& app, Context& context);
void add_import(CLI::App& app, Context& context);
void add_validate(CLI::App& app, Context& context);
void add_mixers(CLI::App& app, Context& context);
void add_hardware(CLI::App& app, Context& context);
void add_strategies(CLI::App& app, Context& context);
void add_presets(CLI::App& app, Context& context);
void add_prior(CLI::App& app, Context& context);
void add_proxy(CLI::App& app, Context& context);
void add_tasks(CLI::App& app, Context& context);
void add_reproduce(CLI::App& app, Context& context);
void add_export_weights(CLI::App& app, Context& context);
void add_import_weights(CLI::App& app, Context& context);
void add_gui(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);

}  // namespace plait::cli
