#include "costmodel/count.h"

#include <fmt/format.h>

#include "src/spec/error.h"

namespace plait::costmodel {

void Count::throw_too_large(std::string_view quantity) {
  throw spec::SpecError(fmt::format("cost.{}", quantity),
                        "exceeds 2^63 - 1; the model, the context or the batch is too large to be counted");
}

}  // namespace plait::costmodel
