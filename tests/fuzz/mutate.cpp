#include "tests/fuzz/mutate.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "search/random.h"

namespace plait::fuzz {
namespace {

using Json = nlohmann::ordered_json;

std::size_t draw(std::mt19937_64& random, std::size_t bound) { return search::draw_below(random, bound); }

/// Values at which readers and arithmetic break.
const std::vector<Json>& odd_values() {
  static const std::vector<Json> values = {nullptr,
                                           true,
                                           false,
                                           0,
                                           1,
                                           -1,
                                           2,
                                           3,
                                           7,
                                           4096,
                                           4097,
                                           65536,
                                           1 << 24,
                                           1 << 28,
                                           (1 << 28) + 1,
                                           INT64_MAX,
                                           INT64_MIN,
                                           UINT64_MAX,
                                           0.5,
                                           -0.0,
                                           1e-320,
                                           1e-300,
                                           1e300,
                                           "",
                                           " ",
                                           "G",
                                           "*",
                                           "GG*",
                                           "[*M]",
                                           "(G*)x2",
                                           "*-",
                                           "G@0",
                                           "x9",
                                           "32k",
                                           "2M",
                                           "8589934591G",
                                           "recall",
                                           "prefill_s",
                                           "kv_cache_bytes",
                                           "\u00e4",
                                           Json::array(),
                                           Json::object(),
                                           Json::array({Json::array()}),
                                           Json::array({"*", "*"})};
  return values;
}

constexpr std::string_view kTokens[] = {"1e999", "-",        "[",    "]",       "{", "}", "\"", ",",
                                        ":",     "x",        "@0",   "=0",      "(", ")", "E",  "99999999999999999999",
                                        "\n",    "\xc3\xa4", "\xff", "[[[[[[[["};

void collect(Json& value, std::vector<Json*>& out) {
  out.push_back(&value);
  if (value.is_structured()) {
    for (Json& child : value) collect(child, out);
  }
}

std::string mutate_json(Json value, std::mt19937_64& random) {
  std::vector<Json*> nodes;
  collect(value, nodes);
  Json& node = *nodes[draw(random, nodes.size())];
  switch (draw(random, 5)) {
    case 0:
      if (node.is_structured() && !node.empty()) {
        node.erase(std::next(node.begin(), static_cast<std::ptrdiff_t>(draw(random, node.size()))));
        break;
      }
      [[fallthrough]];
    case 1:
      if (node.is_array() && !node.empty()) {
        node.push_back(Json(node[draw(random, node.size())]));
        break;
      }
      [[fallthrough]];
    case 2:
      if (node.is_number_integer()) {
        node = node.get<std::int64_t>() / 2 + static_cast<std::int64_t>(draw(random, 3));
        break;
      }
      [[fallthrough]];
    case 3: node = Json(*nodes[draw(random, nodes.size())]); break;
    default: node = odd_values()[draw(random, odd_values().size())];
  }
  return value.dump();
}

std::string mutate_bytes(std::string text, std::mt19937_64& random) {
  const std::size_t at = draw(random, text.size() + 1);
  const std::size_t length = std::min(text.size() - at, 1 + draw(random, 16));
  switch (draw(random, 5)) {
    case 0: text.erase(at, length); break;
    case 1: text.insert(draw(random, text.size() + 1), text.substr(at, length)); break;
    case 2: text.insert(at, 1, static_cast<char>(draw(random, 256))); break;
    case 3:
      if (at < text.size()) text[at] = static_cast<char>(draw(random, 256));
      break;
    default: text.replace(at, draw(random, 2) * length, kTokens[draw(random, std::size(kTokens))]);
  }
  return text;
}

}  // namespace

std::string mutate(const std::string& text, std::mt19937_64& random) {
  // One line of several, so that lines of JSON are mutated as JSON.
  std::size_t begin = 0;
  std::size_t end = text.size();
  if (!text.empty() && text[0] == '{' && text.find("}\n{") != text.npos) {
    const std::size_t at = draw(random, text.size());
    begin = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
    end = std::min(text.find('\n', begin), text.size());
  }
  std::string part = text.substr(begin, end - begin);
  for (std::size_t rounds = 1 + draw(random, 3); rounds > 0; --rounds) {
    Json json = draw(random, 4) == 0 ? Json(Json::value_t::discarded) : Json::parse(part, nullptr, false);
    part = json.is_structured() ? mutate_json(std::move(json), random) : mutate_bytes(std::move(part), random);
  }
  return text.substr(0, begin) + part + text.substr(end);
}

}  // namespace plait::fuzz
