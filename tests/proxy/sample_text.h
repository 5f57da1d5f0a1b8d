#pragma once

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "src/proxy/task.h"

namespace plait::proxy {

/// A file of made-up words in which sentences come back, removed at the end.
class SampleText {
 public:
  explicit SampleText(std::size_t bytes)
      : path_(std::filesystem::temp_directory_path() /
              ("plait_text_" + std::to_string(std::random_device{}()) + ".txt")) {
    std::mt19937 random(7);
    std::vector<std::string> sentences;
    std::ofstream file(path_);
    for (std::size_t written = 0; written < bytes;) {
      if (sentences.size() < 3 || random() % 3 == 0) {
        std::string sentence;
        for (int i = 0; i < 30; ++i) sentence += i % 6 == 5 ? ' ' : static_cast<char>('a' + random() % 26);
        sentences.push_back(sentence);
      }
      const std::string& sentence =
          sentences[sentences.size() - 1 - random() % std::min<std::size_t>(3, sentences.size())];
      file << sentence;
      written += sentence.size();
    }
  }
  ~SampleText() { std::filesystem::remove(path_); }
  SampleText(const SampleText&) = delete;
  SampleText& operator=(const SampleText&) = delete;

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

/// The task; `bytes` on a text that is the same everywhere.
inline std::unique_ptr<Task> sample_task(std::string_view name, Tier tier = Tier::tiny) {
  static const SampleText text(1 << 21);
  return make_task(name, {.tier = tier, .text = name == "bytes" ? text.path() : ""});
}

}  // namespace plait::proxy
