#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/app/session.h"
#include "src/app/study_spec.h"

namespace plait::gui {

/// A study as a form: what a person types, and what is wrong with it, field by field. The study itself is made by the
/// reader of study files, so the form can say nothing that a file could not.
struct StudyForm {
  std::string name = "study";
  std::string hardware = "h100";
  std::string context = "32k";
  int batch = 1;
  int slots = 24;
  int d_model = 2048;
  std::vector<std::pair<std::string, bool>> candidates;  ///< symbol, taken
  int most_kinds = 1;                                    ///< of linear mixers in one layout; 0: any number
  int most_full = 0;                                     ///< layers of full attention; 0: any number
  bool full_not_first = false;
  std::vector<std::pair<std::string, bool>> objectives;  ///< metric, traded
  std::string strategy = "exact_front";
  int budget = 10000;
  int seed = 0;
  std::string tier = "none";               ///< of the proxy trainings after the search
  std::string device = "cpu";              ///< where they run
  std::string folder;                      ///< where to store; empty: nowhere
  spec::Json base = spec::Json::object();  ///< a study file that was opened; its other members stay as they are
  bool keep_space = false;                 ///< the file's space says more than this form can: it stays

  StudyForm();
  /// Fields from a study file. Throws SpecError when it is no study.
  explicit StudyForm(spec::Json study);

  spec::Json to_json() const;
  std::optional<app::ProxyChoice> proxies() const;
  /// The study, or what is wrong (located as in a study file).
  std::optional<app::StudySpec> study(spec::Problems& problems) const;
};

}  // namespace plait::gui
