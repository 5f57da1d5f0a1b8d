#pragma once

#include <string_view>

#include "tests/proxy/host_batch.h"

namespace plait::proxy {

/// Answers one question from the tokens alone, by plain loops.
using Oracle = std::int64_t (*)(const Sequence& sequence, const Question& question, Load load, std::int64_t vocab_size);

/// The oracle of a task; null for those whose answers are not in the tokens (memorisation, bytes, signal).
Oracle oracle(std::string_view task);

}  // namespace plait::proxy
