#include "src/proxy/tasks/niah.h"

namespace plait::proxy::tasks {

/// S-NIAH-2: a value of one token in random filler, which has to be forgotten.
Definition niah_2(const TaskOptions& options) { return niah(options.tier, {.value_tokens = 1, .random_filler = true}); }

}  // namespace plait::proxy::tasks
