#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "src/app/results.h"
#include "src/app/trial_table.h"

namespace plait::app {

enum class Phase { empty, loading, following, running, paused, finished, stopped, failed };

/// Proxy trainings that are to follow a search.
struct ProxyChoice {
  proxy::Tier tier = proxy::Tier::tiny;
  std::string device = "cpu";
  const proxy::Backend* backend = nullptr;  ///< nullptr: that of the program, loaded when the search begins
  std::vector<evaluate::Rung> ladder{};     ///< empty: the tier's
};

/// What a client sees of a study at one moment. Never changes; a newer one has a higher `version` when its results
/// differ.
struct Snapshot {
  Phase phase = Phase::empty;
  std::filesystem::path folder;  ///< empty: nothing is stored
  std::shared_ptr<const StudyResults> results;
  std::shared_ptr<const TrialTable> table;  ///< of these results
  double share_read = 0;                    ///< of the journal, while loading
  std::size_t version = 0;
  search::Progress progress{};
  bool will_train = false;                          ///< proxy trainings follow the search, or have followed it
  std::vector<evaluate::ProxyProgress> training{};  ///< every reading of them so far
  std::string message;  ///< what a person should know: why it failed, what was dropped; may be empty
};

/// One study, read or run on a thread of its own. Every function returns at once: what is replaced ends its batch, and
/// what replaces it begins then.
class Session {
 public:
  /// `changed` is called on the session's thread whenever there is a new snapshot.
  explicit Session(std::function<void()> changed = {});
  Session(const Session&) = delete;
  ~Session();  ///< stops and waits for the batch in hand; what a search has finished is in its journal

  /// Reads the journal in `folder` and follows it: what its writer appends is read on, what is put in its place anew.
  /// What cannot be read leaves the last results and a message.
  void open(std::filesystem::path folder);

  /// Searches, then trains if asked to; the folder (may be empty) as in `run_study`.
  void run(StudySpec study, std::filesystem::path folder, bool resume, std::optional<ProxyChoice> proxies = {});

  /// Searches, stores nothing, and adds what was measured on its layouts before.
  void run(StudySpec study, Measured measured);

  void pause();   ///< a running search waits before its next batch, a training at its next reading
  void resume();  ///< goes on after `pause`
  void stop();    ///< a running search ends after the batch in hand
  void close();   ///< no study

  Snapshot snapshot() const;

 private:
  void restart(Snapshot first, std::function<void(std::stop_token)> work);
  void follow(const std::filesystem::path& folder, std::stop_token stop);
  void search(StudySpec study, const std::filesystem::path& folder, bool resume,
              const std::optional<ProxyChoice>& proxies, std::stop_token stop, Measured measured = {});
  void publish(StudyResults results, Phase phase);
  void update(const std::function<void(Snapshot&)>& change);
  void tell(const std::function<void(Snapshot&)>& change);

  std::function<void()> changed_;
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  Snapshot snapshot_;
  bool paused_ = false;
  std::size_t asked_ = 0;   // studies that were opened, run or closed
  std::thread::id teller_;  // whose news count: the thread of the one that was asked for last, once it works
  std::jthread thread_;     // last: joined before the rest goes
};

}  // namespace plait::app
