#include "src/app/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace plait::app {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

/// Ends a reading that nobody waits for.
struct Stopped {};

}  // namespace

Session::Session(std::function<void()> changed) : changed_(std::move(changed)) {}

Session::~Session() = default;

Snapshot Session::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

void Session::update(const std::function<void(Snapshot&)>& change) {
  {
    const std::lock_guard lock(mutex_);
    change(snapshot_);
  }
  if (changed_) changed_();
}

/// What the study's thread has found; nothing when another study has taken its place.
void Session::tell(const std::function<void(Snapshot&)>& change) {
  {
    const std::lock_guard lock(mutex_);
    if (teller_ != std::this_thread::get_id()) return;
    change(snapshot_);
  }
  if (changed_) changed_();
}

void Session::restart(Snapshot first, std::function<void(std::stop_token)> work) {
  thread_.request_stop();
  std::size_t asked = 0;
  update([&](Snapshot& snapshot) {
    first.version = snapshot.version + 1;
    snapshot = std::move(first);
    paused_ = false;
    teller_ = {};
    asked = ++asked_;
  });
  thread_ =
      std::jthread([this, asked, before = std::move(thread_), work = std::move(work)](std::stop_token stop) mutable {
        if (before.joinable()) before.join();
        {
          const std::lock_guard lock(mutex_);
          if (asked != asked_) return;
          teller_ = std::this_thread::get_id();
        }
        try {
          work(stop);
        } catch (const std::exception& error) {
          tell([&](Snapshot& snapshot) {
            snapshot.phase = Phase::failed;
            snapshot.message = error.what();
          });
        }
      });
}

void Session::close() {
  restart({}, [](const std::stop_token&) {});
}

void Session::open(std::filesystem::path folder) {
  Snapshot first;
  first.phase = Phase::loading;
  first.folder = folder;
  restart(std::move(first), [this, folder = std::move(folder)](const std::stop_token& stop) { follow(folder, stop); });
}

void Session::run(StudySpec study, std::filesystem::path folder, bool resume, std::optional<ProxyChoice> proxies) {
  Snapshot first;
  first.phase = Phase::running;
  first.folder = folder;
  first.will_train = proxies.has_value();
  restart(std::move(first),
          [this, study = std::move(study), folder = std::move(folder), resume, proxies = std::move(proxies)](
              const std::stop_token& stop) { search(study, folder, resume, proxies, stop); });
}

void Session::run(StudySpec study, Measured measured) {
  Snapshot first;
  first.phase = Phase::running;
  restart(std::move(first), [this, study = std::move(study), measured = std::move(measured)](
                                const std::stop_token& stop) { search(study, {}, false, {}, stop, measured); });
}

void Session::pause() {
  update([&](Snapshot& snapshot) {
    if (snapshot.phase != Phase::running) return;
    paused_ = true;
    snapshot.phase = Phase::paused;
  });
}

void Session::resume() {
  update([&](Snapshot& snapshot) {
    if (snapshot.phase != Phase::paused) return;
    paused_ = false;
    snapshot.phase = Phase::running;
  });
  wake_.notify_all();
}

void Session::stop() { thread_.request_stop(); }

void Session::publish(StudyResults results, Phase phase) {
  auto table = std::make_shared<const TrialTable>(trial_table(results));
  auto shared = std::make_shared<const StudyResults>(std::move(results));
  tell([&](Snapshot& snapshot) {
    // A pause or its end may have come while the table was made.
    snapshot.phase = phase == Phase::running && paused_ ? Phase::paused : phase;
    snapshot.results = std::move(shared);
    snapshot.table = std::move(table);
    ++snapshot.version;
  });
}

void Session::follow(const std::filesystem::path& folder, std::stop_token stop) {
  using Change = search::JournalFollower::Change;
  FollowedResults followed(folder);
  const auto observe = [&](double share) {
    if (stop.stop_requested()) throw Stopped();
    tell([&](Snapshot& snapshot) { snapshot.share_read = share; });
  };
  std::size_t trials = 0;
  while (!stop.stop_requested()) {
    Clock::time_point begin = Clock::now();
    try {
      if (followed.update(observe) != Change::none) {
        begin = Clock::now();  // reading is done once, what follows at every change
        StudyResults results = followed.results();
        const bool shorter = results.trials.size() < trials;
        trials = results.trials.size();
        tell([&](Snapshot& snapshot) {
          snapshot.message = shorter ? fmt::format("{} was replaced by a shorter one; showing the new one",
                                                   (folder / "journal.jsonl").string())
                                     : results.warning;
        });
        publish(std::move(results), Phase::following);
      }
    } catch (const Stopped&) {
      return;
    } catch (const std::exception& error) {
      tell([&](Snapshot& snapshot) {
        snapshot.message = error.what();
        if (!snapshot.results) snapshot.phase = Phase::failed;
      });
    }
    // Many trials take their time to copy and tabulate: most of it stays free.
    const Clock::duration pause = std::max<Clock::duration>(300ms, 4 * (Clock::now() - begin));
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, pause, [] { return false; });
  }
}

void Session::search(StudySpec study, const std::filesystem::path& folder, bool resume,
                     const std::optional<ProxyChoice>& proxies, std::stop_token stop, Measured measured) {
  const auto built = build_study(std::move(study));
  const auto wait_while_paused = [&] {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, stop, [&] { return !paused_; });
  };
  std::optional<ProxyRequest> request;
  if (proxies) {
    // Before the search starts: who asked for trainings learns at once that there can be none.
    request = ProxyRequest{.backend = proxies->backend != nullptr ? proxies->backend : &proxy::backend(),
                           .tier = proxies->tier,
                           .device = proxies->device,
                           .ladder = proxies->ladder};
    request->observer = [&](const evaluate::ProxyProgress& progress) {
      tell([&](Snapshot& snapshot) { snapshot.training.push_back(progress); });
      wait_while_paused();
    };
  }
  Clock::time_point next_publication = Clock::now();
  const auto observe = [&](const search::Progress& progress) {
    tell([&](Snapshot& snapshot) { snapshot.progress = progress; });
    const bool last = progress.done == progress.total;
    if (const Clock::time_point begin = Clock::now(); last || begin >= next_publication) {
      publish(results_so_far(*built), Phase::running);
      const Clock::time_point end = Clock::now();
      next_publication = end + std::max<Clock::duration>(200ms, 10 * (end - begin));
    }
    wait_while_paused();
  };
  StudyResults results = run_study(
      *built, folder, resume, stop, observe,
      [&](const std::string& warning) { tell([&](Snapshot& snapshot) { snapshot.message = warning; }); },
      request ? &*request : nullptr);
  if (results.finished && !measured.trials.empty()) {
    results.curves = std::move(measured.curves);
    add_measurements(std::move(measured.trials), results);
  }
  const bool finished = results.finished;
  publish(std::move(results), finished ? Phase::finished : Phase::stopped);
}

}  // namespace plait::app
