#include "src/spec/notation.h"
#include "tests/fuzz/target.h"

namespace plait::fuzz {

void layout(std::string_view input) {
  static const spec::Palette palette = spec::Palette::defaults(256);
  spec::Layout parsed;
  try {
    parsed = spec::parse_layout(input, palette);
  } catch (const spec::SpecError&) {
    return;
  }
  require(parsed.size() >= 1 && parsed.size() <= spec::kMaxLayers, "a layout has 1 to kMaxLayers layers");
  require(spec::parse_layout(spec::print_layout(parsed, palette), palette) == parsed,
          "a printed layout reads back as itself");
  require(spec::letters(parsed).size() == parsed.size(), "one letter per layer");
  require(spec::layout_hash(spec::canonical(parsed)) == spec::layout_hash(parsed), "the canonical form keeps the hash");
  try {
    const spec::Palette own = spec::palette_for(parsed);
    require(spec::parse_layout(spec::print_layout(parsed, own), own) == parsed, "a layout's own palette reads it back");
  } catch (const spec::SpecError&) {  // more channel mixers than a palette names
  }
}

}  // namespace plait::fuzz
