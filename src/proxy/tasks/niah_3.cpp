#include "src/proxy/tasks/niah.h"

namespace plait::proxy::tasks {

/// S-NIAH-3: a value of four tokens in random filler.
Definition niah_3(const TaskOptions& options) { return niah(options.tier, {.value_tokens = 4, .random_filler = true}); }

}  // namespace plait::proxy::tasks
