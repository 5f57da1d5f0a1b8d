#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Text for byte-level tasks: reading it, and finding the bytes that recall can foretell.
namespace plait::proxy::tasks {

/// Text of a file, of a folder's files in the order of their paths, or, with an empty path, of what Debian installs
/// (licences, documentation, Perl's modules), at most `most` bytes. Files with a NUL in their first 4 KiB and links are
/// left out. Throws spec::SpecError at "text" when there is nothing to read.
std::string read_text(const std::string& path, std::size_t most);

/// Positions t of a window whose next byte recall can foretell: bytes t-7 ... t stood in the window at least 64 bytes
/// before, followed by the same byte as now. `window` holds the next byte of its last position, too.
std::vector<std::int64_t> recall_positions(std::string_view window);

}  // namespace plait::proxy::tasks
