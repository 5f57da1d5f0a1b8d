#pragma once

#include "costmodel/count.h"
#include "src/spec/model_spec.h"

namespace plait::costmodel {

/// Bytes of `elements` numbers of a type; half a byte is rounded up.
inline Count size_of(Count elements, spec::DType type) {
  const spec::Dim bits = spec::bits_of(type);
  return bits >= 8 ? elements * (bits / 8) : elements.half_rounded_up();
}

}  // namespace plait::costmodel
