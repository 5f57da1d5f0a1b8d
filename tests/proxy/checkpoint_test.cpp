#include "src/proxy/checkpoint.h"

#include <gtest/gtest.h>

#include <fstream>

#include "src/spec/notation.h"
#include "tests/search/temp_dir.h"
#include "tests/support/expect_problems.h"

namespace plait::proxy {
namespace {

using search::bytes_of;
using search::TempDir;
using search::write_bytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::problem;
using testing::problems_of;

std::vector<Member> members() {
  Member member;
  member.model.d_model = 32;
  member.model.vocab_size = 64;
  member.model.layout = spec::parse_layout("G*", spec::Palette::defaults(32));
  std::vector<Member> out(3, member);
  out[1].learning_rate = 3e-3;
  out[2].seed = 7;
  return out;
}

MemberState state(float value) {
  MemberState out;
  out.weights["b"] = {at::full({2, 3}, value), at::full({2, 3}, value + 1), at::full({2, 3}, value + 2)};
  out.weights["a"] = {at::rand({5}), at::rand({5}), at::rand({5})};
  return out;
}

Checkpoint checkpoint() {
  Checkpoint out;
  out.runs.resize(3);
  out.runs[0] = {.curve = {{10, 1.0 / 3, 0.1}, {20, 1e-300, 0.2}},
                 .tests = {{2, 32, 2, 0.1, 0.9}, {4, 32, 4, 0.2, 0.8}},
                 .steps = 20,
                 .failure = "",
                 .diverged = false};
  out.runs[1].failure = "diverged: \"here\"\n";
  out.runs[1].diverged = true;
  out.notes = {"a note"};
  out.elapsed_s = 12.5;
  out.cohorts.push_back({.step = 20, .members = {2}, .states = {state(0.1f)}});
  out.cohorts.push_back({.step = 0, .members = {0, 1}, .states = {}});
  return out;
}

class CheckpointTest : public ::testing::Test {
 protected:
  std::vector<spec::Problem> problems() {
    return problems_of([&] { read_checkpoint(file_, members_, plan_); });
  }
  void expect_left_alone(const std::string& bytes) { EXPECT_EQ(bytes_of(file_), bytes); }

  TempDir folder_;
  std::filesystem::path file_ = folder_ / "run.ckpt";
  std::vector<Member> members_ = members();
  TrainingPlan plan_;
};

TEST_F(CheckpointTest, ReadsWhatWasWritten) {
  const Checkpoint written = checkpoint();
  write_checkpoint(file_, written, members_, plan_);
  const auto read = read_checkpoint(file_, members_, plan_);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->notes, written.notes);
  EXPECT_EQ(read->elapsed_s, 12.5);
  ASSERT_EQ(read->runs.size(), 3u);
  EXPECT_EQ(read->runs[0].curve[0].loss, 1.0 / 3);
  EXPECT_EQ(read->runs[0].curve[1].loss, 1e-300);
  EXPECT_EQ(read->runs[0].tests[1].cross_entropy, 0.2);
  EXPECT_EQ(read->runs[0].tests[1].candidates, 4);
  EXPECT_EQ(read->runs[1].failure, written.runs[1].failure);
  EXPECT_TRUE(read->runs[1].diverged);
  ASSERT_EQ(read->cohorts.size(), 2u);
  EXPECT_EQ(read->cohorts[0].step, 20);
  EXPECT_THAT(read->cohorts[1].members, ElementsAre(0, 1));
  ASSERT_EQ(read->cohorts[0].states.size(), 1u);
  for (const auto& [name, weight] : written.cohorts[0].states[0].weights) {
    const auto& same = read->cohorts[0].states[0].weights.at(name);
    EXPECT_TRUE(same.value.equal(weight.value)) << name;
    EXPECT_TRUE(same.first_moment.equal(weight.first_moment)) << name;
    EXPECT_TRUE(same.second_moment.equal(weight.second_moment)) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(file_.string() + ".tmp"));
}

TEST_F(CheckpointTest, NoFileIsNoCheckpoint) { EXPECT_FALSE(read_checkpoint(file_, members_, plan_)); }

TEST_F(CheckpointTest, AForeignFileIsRefusedAndLeftAlone) {
  for (const std::string bytes : {"", "hello", "{\"format\": \"plait-study/1\", \"and\": \"more than a line\"}\n"}) {
    write_bytes(file_, bytes);
    EXPECT_THAT(problems(), ElementsAre(problem("checkpoint", "is no checkpoint"))) << bytes;
    expect_left_alone(bytes);
  }
  write_bytes(file_, "plait-training/9\nwhat comes later");
  EXPECT_THAT(problems(), ElementsAre(problem("checkpoint", "another version")));
  std::filesystem::remove(file_);
  std::filesystem::create_directory(file_);
  EXPECT_THAT(problems(), ElementsAre(problem("checkpoint", "is no file")));
}

TEST_F(CheckpointTest, EveryTruncationIsSeen) {
  write_checkpoint(file_, checkpoint(), members_, plan_);
  const std::string bytes = bytes_of(file_);
  for (std::size_t size = 0; size < bytes.size(); size += size < 64 ? 1 : 41) {
    write_bytes(file_, std::string_view(bytes).substr(0, size));
    const auto found = problems();
    ASSERT_EQ(found.size(), 1u) << size;
    EXPECT_THAT(found[0].message, HasSubstr(file_.string()));
  }
}

TEST_F(CheckpointTest, EveryChangedByteIsSeen) {
  write_checkpoint(file_, checkpoint(), members_, plan_);
  const std::string bytes = bytes_of(file_);
  for (std::size_t at = 0; at < bytes.size(); at += at < 64 ? 1 : 41) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x11);
    write_bytes(file_, damaged);
    ASSERT_EQ(problems().size(), 1u) << "byte " << at;
  }
  write_bytes(file_, bytes + "x");
  EXPECT_THAT(problems(), ElementsAre(problem("checkpoint", "damaged")));
}

TEST_F(CheckpointTest, SaysWhatDiffersWhenItBelongsToAnotherTraining) {
  write_checkpoint(file_, checkpoint(), members_, plan_);
  const std::string bytes = bytes_of(file_);
  plan_.steps = 77;
  EXPECT_THAT(problems(), ElementsAre(problem("checkpoint", "plan.steps is 1000 there and 77 here")));
  plan_ = {};
  members_[1].learning_rate = 0.5;
  EXPECT_THAT(problems(), ElementsAre(problem("checkpoint", "members[1].learning_rate is 0.003 there and 0.5 here")));
  members_ = members();
  members_.pop_back();
  EXPECT_THAT(problems(), ElementsAre(problem("checkpoint", "it has 3 members, not 2")));
  members_ = members();
  members_[2].model.layout = spec::parse_layout("GG", spec::Palette::defaults(32));
  EXPECT_THAT(problems(), ElementsAre(problem("checkpoint", "members[2].model")));
  expect_left_alone(bytes);
}

TEST_F(CheckpointTest, WhereItIsKeptIsNoPartOfTheTraining) {
  plan_.checkpoint = file_;
  write_checkpoint(file_, checkpoint(), members_, plan_);
  const std::filesystem::path moved = folder_ / "moved";
  std::filesystem::rename(file_, moved);
  plan_.checkpoint = moved;
  EXPECT_TRUE(read_checkpoint(moved, members_, plan_));
}

TEST_F(CheckpointTest, AFolderThatIsNotThereIsSaidByName) {
  try {
    write_checkpoint(folder_ / "none" / "run.ckpt", checkpoint(), members_, plan_);
    FAIL() << "written nowhere";
  } catch (const std::system_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("run.ckpt"));
  }
}

}  // namespace
}  // namespace plait::proxy
