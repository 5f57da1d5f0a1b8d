#include "src/proxy/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "src/proxy/tasks/definition.h"
#include "src/spec/error.h"

namespace plait::proxy {
namespace {

using tasks::Definition;

struct Entry {
  std::string_view name;
  Definition (*define)(const TaskOptions&);
};

constexpr std::array kEntries = {
    Entry{"mqar", tasks::mqar},
    Entry{"mqar_zoology", tasks::mqar_zoology},
    Entry{"haystack", tasks::haystack},
    Entry{"fuzzy_recall", tasks::fuzzy_recall},
    Entry{"overwrite", tasks::overwrite},
    Entry{"multi_hop", tasks::multi_hop},
    Entry{"selective_copy", tasks::selective_copy},
    Entry{"noisy_recall", tasks::noisy_recall},
    Entry{"compression", tasks::compression},
    Entry{"memorisation", tasks::memorisation},
    Entry{"niah_1", tasks::niah_1},
    Entry{"niah_2", tasks::niah_2},
    Entry{"niah_3", tasks::niah_3},
    Entry{"parity", tasks::parity},
    Entry{"s5", tasks::s5},
    Entry{"bytes", tasks::bytes},
    Entry{"signal", tasks::signal},
};

class DefinedTask : public Task {
 public:
  DefinedTask(std::string_view name, Definition definition) : name_(name), definition_(std::move(definition)) {
    for (const Load load : definition_.train_loads) check(load);
    for (const Load load : definition_.test_loads) check(load);
  }

  std::int64_t vocab_size() const override { return definition_.vocab_size; }
  std::vector<Load> test_loads() const override { return definition_.test_loads; }
  Load train_load(std::int64_t step, std::int64_t steps) const override {
    return definition_.curriculum ? definition_.curriculum(step, steps) : ramp(definition_.train_loads, step, steps);
  }
  bool reads_positions() const override { return definition_.reads_positions; }

  Batch make(const std::vector<std::uint64_t>& seeds, std::uint64_t step, std::int64_t batch, Load load, Split split,
             at::Device device) const override {
    check(load);
    if (seeds.empty() || batch < 1) throw std::logic_error("a batch has at least one seed and one sequence");
    const at::NoGradGuard no_grad;
    Random random(seeds, step, split, batch, device);
    return definition_.make(random, load);
  }

 private:
  void check(Load load) const {
    std::string problem = load.pairs < 1 || load.length < 1
                              ? fmt::format("{} pairs in a length of {} are no load", load.pairs, load.length)
                              : definition_.problem(load);
    if (!problem.empty()) throw spec::SpecError("task", fmt::format("{}: {}", name_, problem));
  }

  std::string name_;
  Definition definition_;
};

}  // namespace

Load ramp(std::span<const Load> loads, std::int64_t step, std::int64_t steps) {
  if (loads.empty()) throw std::logic_error("a curriculum has at least one load");
  const auto all = static_cast<std::int64_t>(loads.size());
  const double grown = static_cast<double>(step) / std::max(1.0, 0.45 * static_cast<double>(steps));
  std::int64_t first = 0, open = all;
  if (grown < 1 && all > 2) {
    open = 2 + static_cast<std::int64_t>(grown * static_cast<double>(all - 2));
  } else if (all > 2) {
    first = 1;
  }
  return loads[static_cast<std::size_t>(first + step % (open - first))];
}

std::unique_ptr<Task> make_task(std::string_view name, const TaskOptions& options) {
  const auto* const entry = std::ranges::find(kEntries, name, &Entry::name);
  if (entry == kEntries.end()) {
    std::vector<std::string> names;
    for (const TaskInfo& info : task_table()) names.emplace_back(info.name);
    const std::string close = spec::closest_name(name, names);
    throw spec::SpecError("task", fmt::format("unknown task \"{}\"; one of {}{}", name, spec::quoted_list(names),
                                              close.empty() ? "" : fmt::format("; did you mean \"{}\"?", close)));
  }
  return std::make_unique<DefinedTask>(name, entry->define(options));
}

}  // namespace plait::proxy
