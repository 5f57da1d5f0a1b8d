#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "src/proxy/task_table.h"
#include "src/spec/model_spec.h"

/// Proxy trainings as values: what is asked of one and what comes back. The code that trains is a library that is
/// loaded when it is first needed (src/proxy/backend.h), so that nothing else pays for LibTorch.
namespace plait::proxy {

/// A proxy model to train, and the learning rate and seed it is trained with. Members that share a seed see the same
/// batches and start from the same weights where they have the same layers.
struct Member {
  spec::ModelSpec model;
  double learning_rate = 1e-2;
  std::uint64_t seed = 0;
};

struct TrainingPlan {
  std::string task = "mqar";
  Tier tier = Tier::tiny;
  std::string text;            ///< of the task `bytes`: a file or folder
  bool curriculum = true;      ///< false: every step at the hardest load
  std::string device = "cpu";  ///< or "cuda"
  std::int64_t steps = 1000;
  std::int64_t batch = 32;         ///< sequences of one member in one step
  std::int64_t test_batch = 256;   ///< sequences of one test
  std::int64_t report_every = 50;  ///< steps between two readings of loss and accuracy
  double warmup = 0.05;            ///< share of the steps in which the learning rate rises
  double decay = 0.2;              ///< share of the steps, at the end, in which it falls to 0
  double weight_decay = 0.1;
  double clip = 1.0;                 ///< bound of one member's gradient norm
  bool graphs = true;                ///< on a GPU: launch steps as CUDA graphs
  double solved = 0.995;             ///< a member stops early at this accuracy in two readings in a row
  std::filesystem::path checkpoint;  ///< written at every reading and continued from when it is there; empty: none
};

/// One reading. The loss is the mean cross-entropy at labelled positions since the last reading (nats); the accuracy
/// that of the hardest test load.
struct CurvePoint {
  std::int64_t step = 0;
  double loss = 0;
  double accuracy = 0;
};

/// A test at one load, over all labelled positions of `test_batch` sequences.
struct TestScore {
  std::int64_t pairs = 0;
  std::int64_t length = 0;
  std::int64_t candidates = 0;  ///< answers between which the context alone does not decide
  double cross_entropy = 0;     ///< nats
  double accuracy = 0;
};

struct MemberRun {
  std::vector<CurvePoint> curve;
  std::vector<TestScore> tests;  ///< from easy to hard; empty after a failure or a stop
  std::int64_t steps = 0;        ///< trained; fewer than planned for one that was solved early or failed
  std::string failure;           ///< empty, or what went wrong ("diverged: ...", "out of memory ...")
  bool diverged = false;         ///< the failure is the member's own: nothing was learnt
};

struct TrainingProgress {
  std::int64_t step = 0;
  std::int64_t steps = 0;
  std::size_t training = 0;  ///< members that still train
  double best_accuracy = 0;  ///< over members, at the last reading
  double elapsed_s = 0;
  double eta_s = 0;                    ///< 0 while unknown
  std::int64_t peak_memory_bytes = 0;  ///< of the process (of the device with cuda) so far
};

struct TrainingResult {
  std::vector<MemberRun> runs;     ///< in the order of the members
  std::vector<std::string> notes;  ///< what a person should know: a halved population, a member that failed
  bool finished = true;            ///< false: stopped early, the checkpoint holds the state
  double elapsed_s = 0;                ///< those of a stopped training that this one continued included
  double tokens_per_s = 0;             ///< over all members
  std::int64_t peak_memory_bytes = 0;  ///< of the process (of the device with cuda)
};

using TrainingObserver = std::function<void(const TrainingProgress&)>;

}  // namespace plait::proxy
