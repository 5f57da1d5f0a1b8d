#include "src/evaluate/proxy_population.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>

#include "src/spec/error.h"
#include "src/spec/model_json.h"

namespace plait::evaluate {
namespace {

using proxy::Member;
using proxy::MemberRun;

constexpr std::string_view kPrefix = "proxy-";
constexpr std::string_view kSuffix = ".checkpoint";

/// FNV-1a, 64 bits: only names files.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::string checkpoint_name(std::span<const Member> members, const proxy::TrainingPlan& plan) {
  std::string text = fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {}", plan.task, static_cast<int>(plan.tier),
                                 plan.text, plan.curriculum, plan.device, plan.steps, plan.batch, plan.test_batch,
                                 plan.report_every, plan.warmup, plan.decay, plan.weight_decay, plan.clip, plan.solved);
  for (const Member& member : members) {
    text += fmt::format("\n{} {} {}", to_json(member.model).dump(), member.learning_rate, member.seed);
  }
  return fmt::format("{}{:016x}{}", kPrefix, hash_of(text), kSuffix);
}

/// The member that a problem located at "members[3]..." is about.
std::optional<std::size_t> member_of(const spec::Problem& problem) {
  constexpr std::string_view kStart = "members[";
  if (!problem.path.starts_with(kStart)) return std::nullopt;
  std::size_t index = 0;
  for (const char c : std::string_view(problem.path).substr(kStart.size())) {
    if (c < '0' || c > '9') break;
    index = 10 * index + static_cast<std::size_t>(c - '0');
  }
  return index;
}

/// Sum of the cross-entropies at the end, over seeds and tests.
double cross_entropy(std::span<const MemberRun> runs) {
  double sum = 0;
  for (const MemberRun& run : runs) {
    for (const proxy::TestScore& test : run.tests) sum += test.cross_entropy;
  }
  return sum;
}

bool better(const ProxyOutcome& a, const ProxyOutcome& b) {
  if (a.score.seeds != b.score.seeds) return a.score.seeds > b.score.seeds;
  if (a.score.information != b.score.information) return a.score.information > b.score.information;
  return cross_entropy(a.runs) < cross_entropy(b.runs);
}

class Populations {
 public:
  Populations(const proxy::Backend& backend, std::span<const ProxyCandidate> candidates, std::size_t seeds,
              const proxy::TrainingPlan& plan, std::stop_token stop, const proxy::TrainingObserver& observer)
      : backend_(backend), candidates_(candidates), seeds_(seeds), plan_(plan), stop_(stop), observer_(observer) {
    result_.outcomes.resize(candidates.size());
  }

  ProxyPopulation run() {
    std::map<std::pair<spec::Dim, std::size_t>, std::vector<std::size_t>> by_shape;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      const spec::ModelSpec& model = candidates_[i].model;
      by_shape[{model.d_model, model.layout.size()}].push_back(i);
    }
    for (const auto& [shape, indices] : by_shape) {
      train(indices);
      if (!result_.finished) {
        result_.outcomes.clear();
        break;
      }
    }
    return std::move(result_);
  }

 private:
  void train(std::vector<std::size_t> who) {
    while (!who.empty()) {
      std::vector<Member> members;
      std::vector<std::size_t> candidate_of;
      for (const std::size_t i : who) {
        for (const double rate : candidates_[i].learning_rates) {
          for (std::uint64_t seed = 0; seed < seeds_; ++seed) {
            members.push_back({candidates_[i].model, rate, seed});
            candidate_of.push_back(i);
          }
        }
      }
      try {
        const double before_s = result_.elapsed_s, done = static_cast<double>(result_.members + members.size());
        const auto observe = [&](const proxy::TrainingProgress& now) {
          if (observer_) observer_(over_all(now, before_s, done, static_cast<double>(all_members()) - done));
        };
        take(who, members, backend_.train(members, with_checkpoint(members), stop_, observe));
        return;
      } catch (const spec::SpecError& error) {
        // The models that cannot be run are left out; anything else is about the whole training.
        bool any = false;
        for (const spec::Problem& problem : error.problems()) {
          const std::optional<std::size_t> member = member_of(problem);
          if (!member || *member >= members.size()) continue;
          const std::size_t i = candidate_of[*member];
          any = true;
          if (std::erase(who, i) > 0) result_.outcomes[i].unsupported = problem.message;
        }
        if (!any) throw;
      }
    }
  }

  std::size_t all_members() const {
    std::size_t rates = 0;
    for (std::size_t i = 0; i < candidates_.size(); ++i)
      if (result_.outcomes[i].unsupported.empty()) rates += candidates_[i].learning_rates.size();
    return rates * seeds_;
  }

  proxy::TrainingPlan with_checkpoint(std::span<const Member> members) const {
    proxy::TrainingPlan plan = plan_;
    if (!plan.checkpoint.empty()) plan.checkpoint /= checkpoint_name(members, plan_);
    return plan;
  }

  void take(std::span<const std::size_t> who, std::span<const Member> members, proxy::TrainingResult training) {
    result_.members += members.size();
    result_.finished = training.finished;
    // Per second over all populations, by the time each took.
    const double tokens = result_.tokens_per_s * result_.elapsed_s + training.tokens_per_s * training.elapsed_s;
    result_.elapsed_s += training.elapsed_s;
    result_.tokens_per_s = result_.elapsed_s > 0 ? tokens / result_.elapsed_s : 0;
    result_.peak_memory_bytes = std::max(result_.peak_memory_bytes, training.peak_memory_bytes);
    result_.notes.insert(result_.notes.end(), training.notes.begin(), training.notes.end());
    if (!training.finished) return;
    if (training.runs.size() != members.size()) throw std::logic_error("a backend returned not one run per member");
    auto next = training.runs.begin();
    for (const std::size_t i : who) {
      ProxyOutcome& best = result_.outcomes[i];
      for (std::size_t k = 0; k < candidates_[i].learning_rates.size(); ++k) {
        ProxyOutcome tried{
            .learning_rate = candidates_[i].learning_rates[k], .score = {}, .runs = {}, .unsupported = {}};
        tried.runs.assign(next, next + static_cast<std::ptrdiff_t>(seeds_));
        next += static_cast<std::ptrdiff_t>(seeds_);
        tried.score = proxy::score(tried.runs);
        if (k == 0 || better(tried, best)) best = std::move(tried);
      }
    }
  }

  const proxy::Backend& backend_;
  std::span<const ProxyCandidate> candidates_;
  std::size_t seeds_;
  const proxy::TrainingPlan& plan_;
  std::stop_token stop_;
  const proxy::TrainingObserver& observer_;
  ProxyPopulation result_;
};

}  // namespace

ProxyPopulation train_candidates(const proxy::Backend& backend, std::span<const ProxyCandidate> candidates,
                                 std::size_t seeds, const proxy::TrainingPlan& plan, std::stop_token stop,
                                 const proxy::TrainingObserver& observer) {
  if (seeds == 0) throw std::logic_error("a candidate needs a seed");
  for (const ProxyCandidate& candidate : candidates) {
    if (candidate.learning_rates.empty()) throw std::logic_error("a candidate needs a learning rate");
  }
  return Populations(backend, candidates, seeds, plan, stop, observer).run();
}

proxy::TrainingProgress over_all(proxy::TrainingProgress now, double before_s, double done, double left) {
  now.elapsed_s += before_s;
  if (now.eta_s > 0 || now.step == now.steps) now.eta_s += (now.elapsed_s + now.eta_s) / done * left;
  return now;
}

void remove_checkpoints(const std::filesystem::path& folder) {
  if (folder.empty()) return;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix) && name.find(kSuffix) != std::string::npos) files.push_back(entry.path());
  }
  for (const std::filesystem::path& file : files) std::filesystem::remove(file);
}

}  // namespace plait::evaluate
