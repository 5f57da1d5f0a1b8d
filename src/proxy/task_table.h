#pragma once

#include <span>
#include <string_view>

namespace plait::proxy {

/// How large a training is: `tiny` for two CPU cores and minutes, `small` for a CPU and patience, `full` for a GPU.
enum class Tier { tiny, small, full };

struct TaskInfo {
  std::string_view name;
  std::string_view summary;  ///< one line for people
  std::string_view source;
};

/// Every proxy task, one row each.
std::span<const TaskInfo> task_table();

}  // namespace plait::proxy
