#pragma once

#include <span>
#include <stop_token>

#include "src/proxy/task.h"
#include "src/proxy/training.h"

namespace plait::proxy {

/// Adds what is wrong with a plan and the members' learning rates: throws spec::SpecError with all of it.
void check_plan(std::span<const Member> members, const TrainingPlan& plan);

/// The whole training: early stops, checkpoint, and a population that is halved when memory runs out (the halves train
/// one after the other, each from its last reading). See Backend::train.
///
/// Members that are done leave the population, which is built anew from the others' states; what the others compute
/// from then on is the same up to rounding, since the width of a product may choose its algorithm, and is always the
/// same again for the same plan, members and number of threads. A training that is continued from its checkpoint leaves
/// and returns at the same readings and so ends with the same bits as one that was never stopped (on a CPU).
TrainingResult train(std::span<const Member> members, const TrainingPlan& plan, const Task& task, std::stop_token stop,
                     const TrainingObserver& observer);

}  // namespace plait::proxy
