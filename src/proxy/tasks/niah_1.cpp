#include "src/proxy/tasks/niah.h"

namespace plait::proxy::tasks {

/// S-NIAH-1: a value of one token, a fixed block of filler repeated: holding on is all there is to do.
Definition niah_1(const TaskOptions& options) {
  return niah(options.tier, {.value_tokens = 1, .random_filler = false});
}

}  // namespace plait::proxy::tasks
