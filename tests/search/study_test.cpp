#include "search/study.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <set>

#include "tests/search/temp_dir.h"

namespace plait::search {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

const json kStudy = {{"seed", 1}};

/// Six slots of three candidates, told apart by their number of heads: the layer of candidate c has c + 1 heads.
const SearchSpace& tiny_space() {
  static const SearchSpace space = [] {
    SearchSpace s;
    for (std::uint16_t c = 0; c < 3; ++c) {
      spec::FullAttention mixer;
      mixer.heads = c + 1;
      s.candidates.push_back({std::string(1, static_cast<char>('A' + c)), {mixer}});
    }
    s.slots.assign(6, {0, 1, 2});
    return s;
  }();
  return space;
}

std::string letters_of(const spec::Layout& layout) {
  std::string out;
  for (const spec::LayerSpec& layer : layout.layers) {
    out += static_cast<char>('A' + std::get<spec::FullAttention>(layer.mixer).heads - 1);
  }
  return out;
}

spec::Layout layout_of(std::string_view text) {
  Path path;
  for (const char c : text) path.push_back(static_cast<std::uint16_t>(c - 'A'));
  return tiny_space().layout(path);
}

Path path_of(std::size_t number) {
  Path path;
  for (int i = 0; i < 6; ++i, number /= 3) path.push_back(static_cast<std::uint16_t>(number % 3));
  return path;
}

/// Proposes given paths, batch by batch, and remembers what it was told.
class ListStrategy : public Strategy {
 public:
  explicit ListStrategy(std::vector<Path> paths, std::vector<std::string>* told = nullptr)
      : paths_(std::move(paths)), told_(told) {}
  std::vector<Path> ask(std::size_t n) override {
    const std::size_t end = std::min(next_ + n, paths_.size());
    std::vector<Path> out(paths_.begin() + static_cast<long>(next_), paths_.begin() + static_cast<long>(end));
    next_ = end;
    return out;
  }
  void tell(const Trial& trial) override {
    if (told_ != nullptr) told_->push_back(trial.id);
  }

 private:
  std::vector<Path> paths_;
  std::vector<std::string>* told_;
  std::size_t next_ = 0;
};

/// A walk whose every step depends on everything told so far, in order; it repeats itself now and then.
class WalkStrategy : public Strategy {
 public:
  std::vector<Path> ask(std::size_t n) override {
    std::vector<Path> out;
    for (std::size_t i = 0; i < n; ++i) out.push_back(path_of(static_cast<std::size_t>(step() % 729)));
    return out;
  }
  void tell(const Trial& trial) override {
    const Value* recall = score(trial, "recall");
    state_ ^= recall != nullptr ? std::bit_cast<std::uint64_t>(recall->value) : 12345;
    step();
  }

 private:
  std::uint64_t step() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return state_ >> 33;
  }
  std::uint64_t state_ = 42;
};

/// An evaluator made of one function from the layout's letters.
class FakeEvaluator : public Evaluator {
 public:
  using Function = std::function<Outcome(const std::string&)>;
  FakeEvaluator(std::string name, std::vector<std::string> metrics, CostClass cost, Function function)
      : name_(std::move(name)), cost_(cost), function_(std::move(function)) {
    for (std::string& metric : metrics) metrics_.push_back({std::move(metric), "1", Direction::minimize, ""});
  }
  std::string_view name() const override { return name_; }
  std::vector<Metric> metrics() const override { return metrics_; }
  CostClass cost_class() const override { return cost_; }
  void evaluate(std::span<const spec::Layout> layouts, std::span<Outcome> outcomes, std::stop_token stop) override {
    for (std::size_t i = 0; i < layouts.size() && !stop.stop_requested(); ++i) {
      outcomes[i] = function_(letters_of(layouts[i]));
    }
  }

 private:
  std::string name_;
  std::vector<Metric> metrics_;
  CostClass cost_;
  Function function_;
};

Outcome one(const std::string& metric, double value) { return Scores{{metric, {value, {}, Source::exact}}}; }

double cost_of(const std::string& letters) {
  return std::accumulate(letters.begin(), letters.end(), 0.0, [](double sum, char c) { return sum + (c - 'A'); });
}

double recall_of(const std::string& letters) {
  double sum = 0;
  for (const char c : letters) sum = std::sin(sum + c);
  return sum;
}

struct Calls {
  std::mutex mutex;
  std::multiset<std::string> layouts;
  void add(const std::string& layout) {
    const std::lock_guard lock(mutex);
    layouts.insert(layout);
  }
};

Study::Parts parts_with(std::unique_ptr<Strategy> strategy, FakeEvaluator::Function recall) {
  Study::Parts parts;
  parts.objectives = {{"cost", "1", Direction::minimize}, {"recall", "1", Direction::maximize}};
  parts.space = &tiny_space();
  parts.strategy = std::move(strategy);
  parts.evaluators.push_back(std::make_unique<FakeEvaluator>("proxy", std::vector<std::string>{"recall"},
                                                             CostClass::seconds, std::move(recall)));
  parts.evaluators.push_back(
      std::make_unique<FakeEvaluator>("counts", std::vector<std::string>{"cost"}, CostClass::microseconds,
                                      [](const std::string& layout) { return one("cost", cost_of(layout)); }));
  parts.print_layout = letters_of;
  return parts;
}

Study::Parts parts_with(std::vector<std::string> layouts, FakeEvaluator::Function recall,
                        std::vector<std::string>* told = nullptr) {
  std::vector<Path> paths;
  for (const std::string& layout : layouts) paths.push_back(*tiny_space().path(layout_of(layout)));
  return parts_with(std::make_unique<ListStrategy>(std::move(paths), told), std::move(recall));
}

Outcome honest(const std::string& layout) { return one("recall", recall_of(layout)); }

/// Every kind of ending: scores, a failure, an exception, no number, and (by the cost constraint) infeasibility.
Outcome troubled(const std::string& layout) {
  if (layout.starts_with("AB")) return Failure{Failure::Kind::diverged, "loss is nan"};
  if (layout.starts_with("BA")) throw std::runtime_error("device lost at " + layout);
  if (layout.starts_with("CA")) return one("recall", std::numeric_limits<double>::quiet_NaN());
  return honest(layout);
}

Study::Parts troubled_parts(FakeEvaluator::Function recall = troubled) {
  Study::Parts parts = parts_with(std::make_unique<WalkStrategy>(), std::move(recall));
  parts.constraints = {{"cost", {}, 8.0}};
  parts.baselines = {{"all C", "CCCCCC", layout_of("CCCCCC")}, {"all A", "AAAAAA", layout_of("AAAAAA")}};
  return parts;
}

const Failure& failure_of(const Trial& trial) { return std::get<Failure>(trial.outcome); }

TEST(Study, EvaluatesJournalsAndTellsInAskOrder) {
  TempDir folder;
  std::vector<std::string> told;
  Study study(parts_with({"AAAAAA", "CBAAAA", "BBBBBB", "CCCCCC", "AAAAAB"}, honest, &told), {100, 2, 1});
  {
    Journal journal = Journal::create(folder / "j", kStudy);
    study.run(&journal, {}, {});
  }
  EXPECT_TRUE(study.finished());
  EXPECT_THAT(told, ElementsAre("0", "1", "2", "3", "4"));
  ASSERT_EQ(study.trials().size(), 5u);
  const Trial& second = study.trials()[1];
  EXPECT_EQ(second.layout, "CBAAAA");
  EXPECT_EQ(second.path, (Path{2, 1, 0, 0, 0, 0}));
  EXPECT_EQ(score(second, "cost")->value, 3);
  EXPECT_EQ(score(second, "recall")->value, recall_of("CBAAAA"));
  EXPECT_TRUE(second.feasible);
  EXPECT_EQ(Journal::read(folder / "j").trials, study.trials());
}

TEST(Study, StopsAtTheBudgetWithoutCountingBaselines) {
  Study study(troubled_parts(), {30, 7, 1});
  study.run(nullptr, {}, {});
  EXPECT_TRUE(study.finished());
  EXPECT_EQ(study.trials().size(), 30u);
  EXPECT_EQ(study.baselines().size(), 2u);
  EXPECT_EQ(study.trials().back().id, "29");
}

TEST(Study, DoesNotGiveInfeasibleLayoutsToDearerEvaluators) {
  Calls calls;
  Study::Parts parts = parts_with({"AAAAAA", "CCCCCC", "CCCCAA"}, [&](const std::string& layout) {
    calls.add(layout);
    return honest(layout);
  });
  parts.constraints = {{"cost", 1.0, 8.0}};
  Study study(std::move(parts), {10, 10, 1});
  study.run(nullptr, {}, {});
  EXPECT_THAT(calls.layouts, ElementsAre("CCCCAA"));
  EXPECT_FALSE(study.trials()[0].feasible);
  EXPECT_FALSE(study.trials()[1].feasible);
  EXPECT_TRUE(study.trials()[2].feasible) << "the bound itself is inside";
  EXPECT_EQ(score(study.trials()[1], "cost")->value, 12);
  EXPECT_EQ(score(study.trials()[1], "recall"), nullptr);
  EXPECT_EQ(study.front().trials().size(), 1u);
}

TEST(Study, ScoresBaselinesFullyEvenOutsideTheConstraints) {
  Study study(troubled_parts(), {0, 8, 1});
  study.run(nullptr, {}, {});
  ASSERT_EQ(study.baselines().size(), 2u);
  const Trial& dear = study.baselines()[0];
  EXPECT_EQ(dear.id, "b0");
  EXPECT_EQ(dear.name, "all C");
  EXPECT_TRUE(dear.path.empty());
  EXPECT_FALSE(dear.feasible);
  EXPECT_NE(score(dear, "recall"), nullptr);
  EXPECT_TRUE(study.baselines()[1].feasible);
  EXPECT_TRUE(study.front().trials().empty()) << "baselines are compared, not found";
}

TEST(Study, RecordsEveryExpectedWayToFail) {
  Study study(parts_with({"ABAAAA", "BAAAAA", "CAAAAA", "CBAAAA", "CCAAAA", "BBAAAA", "BCAAAA"},
                         [](const std::string& layout) -> Outcome {
                           if (layout.starts_with("CB")) throw std::bad_alloc();
                           if (layout.starts_with("CC")) return Scores{};
                           if (layout.starts_with("BB")) return Scores{{"recall", {0.5, -1.0, Source::prior}}};
                           if (layout.starts_with("BC")) throw std::runtime_error("bad byte \xff here");
                           return troubled(layout);
                         }),
              {10, 10, 1});
  study.run(nullptr, {}, {});
  const auto& t = study.trials();
  ASSERT_EQ(t.size(), 7u);
  EXPECT_EQ(failure_of(t[0]), (Failure{Failure::Kind::diverged, "loss is nan"}));
  EXPECT_EQ(failure_of(t[1]), (Failure{Failure::Kind::error, "proxy: device lost at BAAAAA"}));
  EXPECT_EQ(failure_of(t[2]), (Failure{Failure::Kind::error, "proxy: recall is nan, deviation 0"}));
  EXPECT_EQ(failure_of(t[3]).kind, Failure::Kind::out_of_memory);
  EXPECT_EQ(failure_of(t[4]), (Failure{Failure::Kind::unsupported, "no evaluator gave recall"}));
  EXPECT_EQ(failure_of(t[5]).kind, Failure::Kind::error);
  EXPECT_EQ(failure_of(t[6]).reason, "proxy: bad byte \xef\xbf\xbd here");
  for (const Trial& trial : t) EXPECT_FALSE(trial.feasible);
}

TEST(Study, LetsProgrammersErrorsThroughFromAnyWorker) {
  for (const std::size_t workers : {1, 4}) {
    Study study(troubled_parts([](const std::string& layout) -> Outcome {
                  if (layout.starts_with("BB")) throw std::invalid_argument("not a number of heads");
                  return honest(layout);
                }),
                {200, 50, workers});
    EXPECT_THROW(study.run(nullptr, {}, {}), std::invalid_argument);
    EXPECT_FALSE(study.finished());
  }
}

TEST(Study, AnswersRepeatedPathsFromMemory) {
  Calls calls;
  std::vector<std::string> told;
  Study study(parts_with(
                  {"AAAAAA", "AAAAAB", "AAAAAA", "AAAAAB", "AAAAAB", "AAAAAC"},
                  [&](const std::string& layout) {
                    calls.add(layout);
                    return honest(layout);
                  },
                  &told),
              {3, 3, 1});
  study.run(nullptr, {}, {});
  EXPECT_THAT(told, ElementsAre("0", "1", "0", "1", "1", "2"))
      << "the last ask is for the one trial left in the budget";
  EXPECT_THAT(calls.layouts, ElementsAre("AAAAAA", "AAAAAB", "AAAAAC"));
  EXPECT_EQ(study.trials().size(), 3u);
}

TEST(Study, EndsWhenAStrategyOnlyRepeatsItself) {
  Study study(parts_with(std::vector<std::string>(100000, "AAAAAA"), honest), {1000, 4, 1});
  study.run(nullptr, {}, {});
  EXPECT_TRUE(study.finished());
  EXPECT_EQ(study.trials().size(), 1u);
}

TEST(Study, RefusesPartsThatDoNotFit) {
  const auto study_of = [](const std::function<void(Study::Parts&)>& change) {
    Study::Parts parts = troubled_parts();
    change(parts);
    return std::make_unique<Study>(std::move(parts), StudyOptions{});
  };
  EXPECT_NO_THROW(study_of([](auto&) {}));
  EXPECT_THROW(study_of([](auto& p) { p.strategy = nullptr; }), std::logic_error);
  EXPECT_THROW(study_of([](auto& p) { p.space = nullptr; }), std::logic_error);
  EXPECT_THROW(study_of([](auto& p) { p.objectives.clear(); }), std::logic_error);
  EXPECT_THROW(study_of([](auto& p) { p.evaluators.pop_back(); }), std::logic_error);
  EXPECT_THROW(study_of([](auto& p) { p.constraints[0].metric = "energy"; }), std::logic_error);
  EXPECT_THROW(study_of([](auto& p) {
                 p.evaluators.push_back(std::make_unique<FakeEvaluator>("again", std::vector<std::string>{"cost"},
                                                                        CostClass::seconds, honest));
               }),
               std::logic_error);
  const auto study = study_of([](auto&) {});
  study->run(nullptr, {}, {});
  EXPECT_THROW(study->run(nullptr, {}, {}), std::logic_error);
}

TEST(Study, ReportsProgress) {
  std::vector<Progress> seen;
  Study study(troubled_parts(), {30, 10, 1});
  study.run(nullptr, {}, {}, [&](const Progress& p) { seen.push_back(p); });
  ASSERT_GE(seen.size(), 4u);
  EXPECT_EQ(seen.front().done, 0u);
  EXPECT_EQ(seen.back().done, 30u);
  EXPECT_EQ(seen.back().total, 30u);
  EXPECT_EQ(seen.back().eta_s, 0);
  EXPECT_EQ(seen.back().front, study.front().trials().size());
  EXPECT_EQ(seen.back().failed, std::ranges::count_if(study.trials(), [](const Trial& t) {
              return std::holds_alternative<Failure>(t.outcome);
            }));
  EXPECT_GT(seen.back().failed, 0u);
  for (std::size_t i = 1; i < seen.size(); ++i) EXPECT_GE(seen[i].elapsed_s, seen[i - 1].elapsed_s);
  EXPECT_GT(seen[seen.size() - 2].eta_s, 0);

  Study short_study(parts_with({"AAAAAA", "BAAAAA"}, honest), {30, 10, 1});
  Progress last;
  short_study.run(nullptr, {}, {}, [&](const Progress& p) { last = p; });
  EXPECT_EQ(last.total, 2u) << "what was done, once the strategy has ended";
}

// Resume.

/// One run of the troubled study on the journal at `file`, as a process would make it; `stop_after` evaluations of
/// recall it is told to stop. Returns true when the study is finished.
bool run_once(const std::filesystem::path& file, std::size_t workers, long stop_after,
              std::vector<Trial>* trials = nullptr) {
  std::stop_source source;
  std::atomic<long> left = stop_after;
  Study study(troubled_parts([&](const std::string& layout) {
                if (--left <= 0) source.request_stop();
                return troubled(layout);
              }),
              {60, 8, workers});
  std::vector<Trial> recorded;
  std::unique_ptr<Journal> journal;
  if (Journal::started(file)) {
    const Journal::Contents contents = Journal::read(file);
    recorded = contents.trials;
    journal = std::make_unique<Journal>(Journal::resume(file, contents));
  } else {
    journal = std::make_unique<Journal>(Journal::create(file, kStudy));
  }
  study.run(journal.get(), recorded, source.get_token());
  if (trials != nullptr) *trials = study.trials();
  return study.finished();
}

TEST(StudyResume, WritesTheSameBytesWithAnyNumberOfWorkersAndAnyStops) {
  TempDir folder;
  ASSERT_TRUE(run_once(folder / "whole", 1, 1000000));
  const std::string whole = bytes_of(folder / "whole");
  for (const std::size_t workers : {1, 2, 4}) {
    ASSERT_TRUE(run_once(folder / fmt::format("w{}", workers), workers, 1000000));
    EXPECT_EQ(bytes_of(folder / fmt::format("w{}", workers)), whole);
    for (const long stop_after : {1, 7, 13}) {
      const auto file = folder / fmt::format("w{}s{}", workers, stop_after);
      int runs = 1;
      // A run that stops within its first batch makes no progress; the next one is given more time.
      for (long patience = stop_after; !run_once(file, workers, patience); ++runs, patience += 3) {
        ASSERT_TRUE(whole.starts_with(bytes_of(file)));
        ASSERT_LT(runs, 100);
      }
      EXPECT_GT(runs, 2);
      EXPECT_EQ(bytes_of(file), whole);
    }
  }
}

TEST(StudyResume, ContinuesARecordCutInsideABatchOrTheBaselines) {
  TempDir folder;
  std::vector<Trial> trials;
  ASSERT_TRUE(run_once(folder / "whole", 1, 1000000, &trials));
  const std::string whole = bytes_of(folder / "whole");
  std::vector<std::size_t> line_ends;
  for (std::size_t at = whole.find('\n'); at != whole.npos; at = whole.find('\n', at + 1)) line_ends.push_back(at + 1);
  ASSERT_EQ(line_ends.size(), 63u);
  for (std::size_t line = 0; line < line_ends.size(); line += line < 4 ? 1 : 5) {
    write_bytes(folder / "cut", whole.substr(0, line_ends[line] + 20));
    std::vector<Trial> resumed;
    ASSERT_TRUE(run_once(folder / "cut", 2, 1000000, &resumed));
    EXPECT_EQ(bytes_of(folder / "cut"), whole) << line;
    EXPECT_EQ(resumed, trials);
  }
}

TEST(StudyResume, EvaluatesNothingThatIsRecorded) {
  Study first(troubled_parts(), {20, 8, 1});
  first.run(nullptr, {}, {});
  std::vector<Trial> recorded = first.baselines();
  recorded.insert(recorded.end(), first.trials().begin(), first.trials().end());
  Study again(troubled_parts([](const std::string&) -> Outcome { throw std::logic_error("evaluated again"); }),
              {20, 8, 1});
  again.run(nullptr, recorded, {});
  EXPECT_TRUE(again.finished());
  EXPECT_EQ(again.trials(), first.trials());
  EXPECT_EQ(again.baselines(), first.baselines());
  EXPECT_EQ(again.front().trials(), first.front().trials());
  EXPECT_EQ(again.front().hypervolume(), first.front().hypervolume());
}

TEST(StudyResume, RefusesARecordOfAnotherStudy) {
  Study first(troubled_parts(), {20, 8, 1});
  first.run(nullptr, {}, {});
  std::vector<Trial> recorded = first.baselines();
  recorded.insert(recorded.end(), first.trials().begin(), first.trials().end());
  const auto problem_with = [&](std::vector<Trial> record, std::size_t budget) -> std::string {
    TempDir folder;
    Journal journal = Journal::create(folder / "j", kStudy);
    const std::string before = bytes_of(folder / "j");
    Study study(troubled_parts(), {budget, 8, 1});
    try {
      study.run(&journal, record, {});
    } catch (const JournalError& error) {
      EXPECT_EQ(bytes_of(folder / "j"), before);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(problem_with(recorded, 20), "accepted");
  std::vector<Trial> other_name = recorded;
  other_name[0].name = "all D";
  EXPECT_THAT(problem_with(other_name, 20), HasSubstr("trial b0 (all D: CCCCCC)"));
  std::vector<Trial> other_path = recorded;
  other_path[9].path[0] ^= 1;
  EXPECT_THAT(problem_with(other_path, 20), HasSubstr("trial 7 ("));
  EXPECT_THAT(problem_with({recorded.begin() + 1, recorded.end()}, 20), HasSubstr("trial b1"));
  EXPECT_THAT(problem_with(recorded, 15), HasSubstr("5 trials more"));
}

// The archive.

Trial scored(std::string id, std::vector<double> values, bool feasible = true) {
  Scores scores;
  for (std::size_t k = 0; k < values.size(); ++k) scores[fmt::format("m{}", k)] = {values[k], {}, Source::exact};
  return {std::move(id), "", {}, "", std::move(scores), feasible};
}

std::vector<Objective> minimised(std::size_t n) {
  std::vector<Objective> out;
  for (std::size_t k = 0; k < n; ++k) out.push_back({fmt::format("m{}", k), "1", Direction::minimize});
  return out;
}

std::vector<std::string> ids(const ParetoFront& front) {
  std::vector<std::string> out;
  for (const Trial& trial : front.trials()) out.push_back(trial.id);
  return out;
}

TEST(ParetoFront, IsSortedByTheFirstObjectiveBestLast) {
  ParetoFront minimise(minimised(2));
  ParetoFront maximise({{"m0", "1", Direction::maximize}, {"m1", "1", Direction::minimize}});
  for (const Trial& t :
       {scored("0", {3, 1}), scored("1", {1, 3}), scored("2", {2, 2}), scored("3", {2, 2}), scored("4", {3, 3})}) {
    minimise.add(t);
    maximise.add(t);
  }
  EXPECT_THAT(ids(minimise), ElementsAre("0", "2", "3", "1"));
  EXPECT_THAT(ids(maximise), ElementsAre("0"));
}

TEST(ParetoFront, KeepsNoInfeasibleFailedOrUnscoredTrials) {
  ParetoFront front(minimised(2));
  EXPECT_FALSE(front.add(scored("0", {0, 0}, false)));
  EXPECT_FALSE(front.add({"1", "", {}, "", Failure{}, false}));
  EXPECT_FALSE(front.add(scored("2", {0})));
  EXPECT_TRUE(front.add(scored("3", {5, 5})));
  EXPECT_TRUE(front.add(scored("4", {5, 5}))) << "equal scores are all kept";
  EXPECT_FALSE(front.add(scored("5", {5, 6})));
  EXPECT_THAT(ids(front), ElementsAre("3", "4"));
  EXPECT_TRUE(front.add(scored("6", {4, 5})));
  EXPECT_THAT(ids(front), ElementsAre("6"));
}

RC_GTEST_PROP(ParetoFront, HoldsTheNondominatedTrials, ()) {
  const auto dimensions = *rc::gen::inRange<std::size_t>(1, 5);
  const auto coordinate = rc::gen::map(rc::gen::inRange(0, 6), [](int x) { return static_cast<double>(x); });
  const auto points = *rc::gen::container<std::vector<Point>>(rc::gen::container<Point>(dimensions, coordinate));
  ParetoFront front(minimised(dimensions));
  for (std::size_t i = 0; i < points.size(); ++i) front.add(scored(std::to_string(i), points[i]));
  std::vector<std::size_t> expected = nondominated(points);
  std::ranges::stable_sort(expected, [&](std::size_t a, std::size_t b) { return points[a][0] > points[b][0]; });
  std::vector<std::string> expected_ids;
  for (const std::size_t i : expected) expected_ids.push_back(std::to_string(i));
  RC_ASSERT(ids(front) == expected_ids);
}

TEST(ParetoFront, ScalesItsVolumeByTheRangeOfAllFeasibleTrials) {
  constexpr double kRounding = 1e-14;
  ParetoFront front({{"m0", "1", Direction::minimize}, {"m1", "1", Direction::maximize}});
  front.add(scored("0", {10, 100}));
  EXPECT_EQ(front.hypervolume(), 0) << "one trial has no range";
  front.add(scored("1", {30, 300}));
  // Both on the front, at (0, 1) and (1, 0) below (1.1, 1.1).
  EXPECT_NEAR(front.hypervolume(), 2 * 1.1 * 0.1 - 0.1 * 0.1, kRounding);
  front.add(scored("2", {20, 0}));
  // Dominated, but it widens the second objective to 0..300: (0, 2/3) and (1, 0).
  EXPECT_NEAR(front.hypervolume(), 1.1 * (1.1 - 2.0 / 3) + 0.1 * (2.0 / 3), kRounding);
  front.add(scored("3", {10, 300}));
  EXPECT_NEAR(front.hypervolume(), 1.1 * 1.1, kRounding);
}

TEST(ParetoFront, ScalesDegenerateAndHugeRanges) {
  ParetoFront same(minimised(2));
  same.add(scored("0", {5, 1}));
  same.add(scored("1", {5, 2}));
  EXPECT_DOUBLE_EQ(same.hypervolume(), 1.1 * 1.1);
  ParetoFront huge(minimised(1));
  huge.add(scored("0", {-1.5e308}));
  huge.add(scored("1", {1.5e308}));
  EXPECT_DOUBLE_EQ(huge.hypervolume(), 1.1);
}

}  // namespace
}  // namespace plait::search
