#pragma once

#include <string_view>

namespace plait::spec {

/// A file compiled into the program (see plait_embed in cmake/PlaitModule.cmake).
struct EmbeddedFile {
  std::string_view name;
  std::string_view content;
};

}  // namespace plait::spec
