#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>

#include "src/proxy/tasks/definition.h"
#include "src/proxy/tasks/text.h"
#include "src/spec/error.h"

namespace plait::proxy::tasks {
namespace {

constexpr std::size_t kBlock = 1 << 16;  // every tenth block of text is for tests; windows do not cross blocks
constexpr std::size_t kFewest = 64;      // windows of either split
constexpr std::size_t kMost = 1 << 15;   // windows of either split

/// Windows of a text with at least R recall bytes, of which R spread evenly are kept.
struct Windows {
  at::Tensor bytes;      ///< [W, T + 1] uint8
  at::Tensor positions;  ///< [W, R] int64
};

struct Corpus {
  Windows train, test;
  std::int64_t candidates = 0;
  /// Copies on other devices, made when first asked for.
  mutable std::mutex mutex;
  mutable std::map<std::string, std::array<Windows, 2>> copies;

  Windows on(at::Device device, Split split) const {
    const std::lock_guard lock(mutex);
    auto& copy = copies[device.str()];
    if (!copy[0].bytes.defined()) {
      const auto moved = [&](const Windows& windows) {
        return Windows{windows.bytes.to(device), windows.positions.to(device)};
      };
      copy = {moved(train), moved(test)};
    }
    return copy[split == Split::train ? 0 : 1];
  }
};

struct WindowList {
  std::string bytes;
  std::vector<std::int64_t> positions;
  std::size_t count = 0;

  void add(std::string_view window, const std::vector<std::int64_t>& found, std::size_t kept) {
    bytes += window;
    for (std::size_t i = 0; i < kept; ++i) positions.push_back(found[i * found.size() / kept]);
    ++count;
  }
  Windows tensors(std::size_t length, std::size_t kept) {
    const auto n = static_cast<std::int64_t>(count);
    return {at::from_blob(bytes.data(), {n, static_cast<std::int64_t>(length + 1)}, at::kByte).clone(),
            at::from_blob(positions.data(), {n, static_cast<std::int64_t>(kept)}, at::kLong).clone()};
  }
};

/// e to the entropy of the labels: how many answers a reader has to choose from who knows only how frequent bytes are.
std::int64_t unigram_perplexity(const WindowList& list, std::size_t length, std::size_t kept) {
  std::array<double, 256> counts{};
  for (std::size_t i = 0; i < list.positions.size(); ++i) {
    const std::size_t at = i / kept * (length + 1) + static_cast<std::size_t>(list.positions[i]) + 1;
    counts[static_cast<unsigned char>(list.bytes[at])] += 1;
  }
  double entropy = 0;
  for (const double count : counts) {
    const double p = count / static_cast<double>(list.positions.size());
    if (p > 0) entropy -= p * std::log(p);
  }
  return std::max<std::int64_t>(2, std::llround(std::exp(entropy)));
}

std::shared_ptr<const Corpus> read_corpus(const std::string& path, std::size_t most, Load load) {
  const std::string text = read_text(path, most);
  const auto length = static_cast<std::size_t>(load.length), kept = static_cast<std::size_t>(load.pairs);
  std::array<WindowList, 2> lists;  // train, test
  // Windows start half a window apart, and blocks are shorter than kBlock for a short text.
  const std::size_t block = std::clamp(text.size() / 20, length + 1, kBlock);
  for (std::size_t start = 0, i = 0; start < text.size(); start += block, ++i) {
    WindowList& list = lists[i % 10 == 9 ? 1 : 0];
    const std::string_view part = std::string_view(text).substr(start, block);
    for (std::size_t at = 0; at + length + 1 <= part.size() && list.count < kMost; at += length / 2) {
      const std::string_view window = part.substr(at, length + 1);
      const std::vector<std::int64_t> found = recall_positions(window);
      if (found.size() >= kept) list.add(window, found, kept);
    }
  }
  const std::size_t fewest = std::min(lists[0].count, lists[1].count);
  if (fewest < kFewest) {
    throw spec::SpecError(
        "text",
        fmt::format("{} bytes of text are too short: they hold {} windows to train and {} to test of {} bytes with {} "
                    "that repeat an earlier passage, and each needs {}",
                    text.size(), lists[0].count, lists[1].count, length, kept, kFewest));
  }
  auto corpus = std::make_shared<Corpus>();
  corpus->candidates = unigram_perplexity(lists[0], length, kept);
  corpus->train = lists[0].tensors(length, kept);
  corpus->test = lists[1].tensors(length, kept);
  return corpus;
}

Batch make_bytes(Random& random, const Corpus& corpus, Split split, Load load) {
  const Windows windows = corpus.on(random.device(), split);
  const std::vector<std::int64_t> by_batch = {random.seeds(), random.batch(), -1};
  const at::Tensor which = uniform_index(random.words(1), windows.bytes.size(0)).flatten();
  const at::Tensor bytes = windows.bytes.index_select(0, which).to(at::kLong).view(by_batch);  // [S, B, T + 1]
  const at::Tensor positions = windows.positions.index_select(0, which).view(by_batch);
  return {.tokens = bytes.narrow(-1, 0, load.length),
          .rows = rows_of(positions, load.length),
          .labels = bytes.gather(-1, positions + 1).flatten(1),
          .positions = {},
          .candidates = corpus.candidates};
}

}  // namespace

/// Bytes of text, with labels at R recall bytes of each window: the eight bytes up to the label's position stood in the
/// window at least 64 bytes before with the same continuation. Load: pairs = R, and length; there is one load.
/// Candidates: the perplexity of the labels' frequencies, so that knowing only these scores 0. Results depend on the
/// text, and the text found on a machine on what is installed there.
Definition bytes(const TaskOptions& options) {
  const Load load = by_tier<Load>(options.tier, {8, 256}, {16, 512}, {32, 1024});
  const std::size_t most = std::size_t{1} << by_tier(options.tier, 21, 22, 24);
  return {.vocab_size = 256,
          .train_loads = {load},
          .test_loads = {load},
          .problem =
              [load](Load given) {
                return given == load ? std::string{}
                                     : fmt::format("windows are {} bytes with {} labels", load.length, load.pairs);
              },
          .make = [corpus = read_corpus(options.text, most, load)](
                      Random& random, Load given) { return make_bytes(random, *corpus, random.split(), given); }};
}

}  // namespace plait::proxy::tasks
