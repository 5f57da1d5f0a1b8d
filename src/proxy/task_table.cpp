#include "src/proxy/task_table.h"

#include <array>

namespace plait::proxy {

std::span<const TaskInfo> task_table() {
  static constexpr std::array<TaskInfo, 1> table = {{
      {"mqar", "multi-query associative recall: many keys asked for after the context", "arXiv 2312.04927"},
  }};
  return table;
}

}  // namespace plait::proxy
