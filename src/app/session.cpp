#include "src/app/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

namespace plait::app {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// What tells that a file was appended to or replaced.
struct Stamp {
  std::uintmax_t size = 0;
  std::filesystem::file_time_type time;

  bool operator==(const Stamp&) const = default;
};

std::optional<Stamp> stamp_of(const std::filesystem::path& file) {
  std::error_code size_error, time_error;
  const Stamp stamp{std::filesystem::file_size(file, size_error), std::filesystem::last_write_time(file, time_error)};
  if (size_error || time_error) return std::nullopt;
  return stamp;
}

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

void Session::restart(Snapshot first, std::function<void(std::stop_token)> work) {
  thread_ = std::jthread();  // ends what ran before
  update([&](Snapshot& snapshot) {
    first.version = snapshot.version + 1;
    snapshot = std::move(first);
    paused_ = false;
  });
  if (!work) return;
  thread_ = std::jthread([this, work = std::move(work)](const std::stop_token& stop) {
    try {
      work(stop);
    } catch (const std::exception& error) {
      update([&](Snapshot& snapshot) {
        snapshot.phase = Phase::failed;
        snapshot.message = error.what();
      });
    }
  });
}

void Session::close() { restart({}, {}); }

void Session::open(std::filesystem::path folder) {
  Snapshot first;
  first.phase = Phase::loading;
  first.folder = std::move(folder);
  restart(std::move(first), [this](const std::stop_token& stop) { follow(stop); });
}

void Session::run(StudySpec study, std::filesystem::path folder, bool resume) {
  Snapshot first;
  first.phase = Phase::running;
  first.folder = std::move(folder);
  restart(std::move(first),
          [this, study = std::move(study), resume](const std::stop_token& stop) { search(study, resume, stop); });
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
  update([&](Snapshot& snapshot) {
    snapshot.phase = phase;
    snapshot.results = std::move(shared);
    snapshot.table = std::move(table);
    ++snapshot.version;
  });
}

void Session::follow(std::stop_token stop) {
  const std::filesystem::path folder = snapshot().folder;
  const std::filesystem::path file = folder / "journal.jsonl";
  std::optional<Stamp> seen;
  for (bool first = true; !stop.stop_requested(); first = false) {
    const std::optional<Stamp> now = stamp_of(file);
    Clock::duration pause = 300ms;
    if (first || (now != seen)) {
      seen = now;
      const Clock::time_point begin = Clock::now();
      try {
        StudyResults results = load_results(folder);
        const std::shared_ptr<const StudyResults> before = snapshot().results;
        const bool replaced = before && results.trials.size() < before->trials.size();
        update([&](Snapshot& snapshot) {
          snapshot.message =
              replaced ? fmt::format("{} was replaced by a shorter one; showing the new one", file.string()) : "";
        });
        publish(std::move(results), Phase::following);
      } catch (const std::exception& error) {
        update([&](Snapshot& snapshot) {
          snapshot.message = error.what();
          if (!snapshot.results) snapshot.phase = Phase::failed;
        });
      }
      // A long journal takes its time to read: most of it stays free.
      pause = std::max(pause, 4 * (Clock::now() - begin));
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, pause, [] { return false; });
  }
}

void Session::search(StudySpec study, bool resume, std::stop_token stop) {
  const std::filesystem::path folder = snapshot().folder;
  const auto built = build_study(std::move(study));
  Clock::time_point next_publication = Clock::now();
  const auto observe = [&](const search::Progress& progress) {
    update([&](Snapshot& snapshot) { snapshot.progress = progress; });
    if (const Clock::time_point begin = Clock::now(); begin >= next_publication) {
      publish(results_so_far(*built), snapshot().phase);
      const Clock::time_point end = Clock::now();
      next_publication = end + std::max<Clock::duration>(200ms, 10 * (end - begin));
    }
    std::unique_lock lock(mutex_);
    wake_.wait(lock, stop, [&] { return !paused_; });
  };
  StudyResults results = run_study(*built, folder, resume, stop, observe, [&](const std::string& warning) {
    update([&](Snapshot& snapshot) { snapshot.message = warning; });
  });
  const bool finished = results.finished;
  publish(std::move(results), finished ? Phase::finished : Phase::stopped);
}

}  // namespace plait::app
