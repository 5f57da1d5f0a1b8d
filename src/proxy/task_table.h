#pragma once

#include <array>
#include <span>
#include <string_view>
#include <utility>

namespace plait::proxy {

/// How large a training is: `tiny` for two CPU cores and minutes, `small` for a CPU and patience, `full` for a GPU.
enum class Tier { tiny, small, full };
inline constexpr std::array<std::pair<Tier, std::string_view>, 3> enum_names(Tier) {
  return {{{Tier::tiny, "tiny"}, {Tier::small, "small"}, {Tier::full, "full"}}};
}

struct TaskInfo {
  std::string_view name;
  std::string_view summary;  ///< one line for people
  std::string_view source;
};

/// Every proxy task, one row each.
std::span<const TaskInfo> task_table();

}  // namespace plait::proxy
