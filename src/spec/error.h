#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace plait::spec {

/// One thing wrong with an input: where (a JSON path such as `space.slots[3].mixer`, or `layout:7` for column 7 of a
/// notation) and what (what was given, what is allowed).
struct Problem {
  std::string path;
  std::string message;

  bool operator==(const Problem&) const = default;
};

/// Bad input. Carries every problem found, in the order of the input; `what()` prints one line per problem.
class SpecError : public std::runtime_error {
 public:
  explicit SpecError(std::vector<Problem> problems);
  SpecError(std::string path, std::string message);

  const std::vector<Problem>& problems() const { return problems_; }

 private:
  std::vector<Problem> problems_;
};

/// Collects problems so that one run reports all of them.
class Problems {
 public:
  void add(std::string path, std::string message);
  bool empty() const { return list_.empty(); }
  std::size_t size() const { return list_.size(); }
  const std::vector<Problem>& list() const { return list_; }

  /// Throws SpecError with everything collected; does nothing when there is nothing.
  void throw_if_any() const;

 private:
  std::vector<Problem> list_;
};

/// `parent.key`, or `key` at the root.
std::string join_path(std::string_view parent, std::string_view key);
/// `parent[index]`.
std::string index_path(std::string_view parent, std::size_t index);
/// `"a", "b" or "c"`; for messages that list what is allowed.
std::string quoted_list(const std::vector<std::string>& names);
/// The name closest to `given` by edit distance, or empty when none is close; for "did you mean".
std::string closest_name(std::string_view given, const std::vector<std::string>& names);

}  // namespace plait::spec
