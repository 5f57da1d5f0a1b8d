#include "src/proxy/task_table.h"

#include <array>

namespace plait::proxy {

std::span<const TaskInfo> task_table() {
  static constexpr auto table = std::to_array<TaskInfo>({
      {"mqar", "multi-query associative recall with more and more pairs: how much the state holds",
       "arXiv 2312.04927, small states as in 2609.16183"},
      {"mqar_zoology", "multi-query associative recall with Zoology's published mixture of lengths",
       "arXiv 2312.04927, 2402.18668"},
      {"haystack", "four pairs anywhere in random filler, asked for at the end: forgetting and distance",
       "arXiv 2609.16183"},
      {"fuzzy_recall", "recall of pairs whose keys and values are runs of several tokens", "arXiv 2403.17844 (MAD)"},
      {"overwrite", "half of the keys get a new value, the last one is asked for", "Zoology, forgetting MQAR"},
      {"multi_hop", "k steps along a cycle whose edges stand in random order: composition",
       "Physics of Language Models 4.1, Depo"},
      {"selective_copy", "scattered tokens are written out in order after the blanks between them",
       "arXiv 2312.00752, 2403.17844 (MAD)"},
      {"noisy_recall", "recall of repeated pairs among noise tokens", "arXiv 2403.17844 (MAD)"},
      {"compression", "every token is read back out of one hidden state", "arXiv 2403.17844 (MAD)"},
      {"memorisation", "one fixed map from keys to values, which only the weights can hold", "arXiv 2403.17844 (MAD)"},
      {"niah_1", "one marked needle in a repeated block of filler", "arXiv 2404.06654 (RULER), S-NIAH-1"},
      {"niah_2", "one marked needle in random filler", "arXiv 2404.06654 (RULER), S-NIAH-2"},
      {"niah_3", "one marked needle with a value of four tokens in random filler",
       "arXiv 2404.06654 (RULER), S-NIAH-3"},
      {"parity", "the parity of all bits so far: state tracking, a guard beside recall", "arXiv 2411.12537"},
      {"s5", "the running product of permutations of five: state tracking, a guard beside recall", "arXiv 2404.08819"},
      {"bytes", "bytes of text that an earlier passage of the window foretells",
       "arXiv 2312.04927 (recall hits), byte level"},
      {"signal", "the next level of a noisy, drifting signal that repeats an earlier passage", "plait"},
  });
  return table;
}

}  // namespace plait::proxy
