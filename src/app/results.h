#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "search/study.h"
#include "src/app/build_study.h"
#include "src/app/proxy_curves.h"
#include "src/app/proxy_stage.h"
#include "src/report/result_table.h"
#include "src/spec/json_reader.h"

/// What a study found, for clients: kept in a folder as `journal.jsonl` (the truth) and `results.json` (derived from
/// it).
namespace plait::app {

struct StudyResults {
  StudySpec spec;
  std::string layouts;                  ///< size of the space, decimal
  std::vector<search::Metric> metrics;  ///< columns
  std::vector<search::Trial> trials;    ///< in ask order
  std::vector<search::Trial> baselines;
  std::vector<search::Trial> front;  ///< by the first objective, best last
  double hypervolume = 0;
  bool finished = true;
  std::vector<search::Trial> measurements{};  ///< "m9": their scores are in the trials, baselines and front above
  std::vector<MeasuredCurve> curves{};        ///< behind them, as far as they were kept
  std::string warning{};                      ///< why curves that are there cannot be shown
};

/// Runs a study. With a folder, the journal is written there (`resume` continues one; without it an existing journal is
/// an error), and `results.json` at the end. Throws JournalError, std::system_error.
StudyResults run_study(BuiltStudy& built, const std::filesystem::path& folder, bool resume, std::stop_token stop,
                       const std::function<void(const search::Progress&)>& observer,
                       const std::function<void(const std::string&)>& warn, const ProxyRequest* proxies = nullptr);

/// What a study that is being run has found up to now; for its observer, on the thread that runs it.
StudyResults results_so_far(const BuiltStudy& built);

/// Reads a folder back; everything but the curves is in its journal. Throws JournalError, SpecError, std::system_error.
StudyResults load_results(const std::filesystem::path& folder);

/// A folder that a search may still append to.
class FollowedResults {
 public:
  explicit FollowedResults(std::filesystem::path folder);

  /// Reads what is new in the journal. Throws as load_results, once for each state of the journal; `observe` as there.
  search::JournalFollower::Change update(const std::function<void(double share)>& observe = {});
  StudyResults results() const;  ///< after an update that did not throw
  StudyResults take() &&;

 private:
  StudyResults results_of(search::Journal::Contents contents) const;

  std::filesystem::path folder_;
  search::JournalFollower journal_;
  std::unique_ptr<BuiltStudy> built_;
  std::optional<search::ParetoFront> front_;
  std::size_t taken_ = 0;  // trials that the front has seen
};

/// The contract of `plait search --json` and `plait show --json`, ending in a newline.
std::string results_json(const StudyResults& results);

/// Trials and baselines as rows. `on_front` follows the study's objectives.
report::ResultTable result_table(const StudyResults& results);

/// The cheapest front point that cannot be told from the best in the first objective: among those within one standard
/// deviation of the best (its own, 0 where values have none), the least sum of the other objectives, each scaled to the
/// front's range; ties go to the better. nullptr when the front is empty.
const search::Trial* recommended(const StudyResults& results);

/// The trial or baseline called `id` ("17", "b0", or "recommended"). Throws SpecError that says which there are.
const search::Trial& find_trial(const StudyResults& results, const std::string& id);

/// What was measured joins the scores of its trials and baselines, with a column for each metric that is new.
void add_measurements(std::vector<search::Trial> measurements, StudyResults& results);

/// The model of a trial: the study's base model with its layout.
spec::ModelSpec model_of(const StudyResults& results, const search::Trial& trial);

}  // namespace plait::app
