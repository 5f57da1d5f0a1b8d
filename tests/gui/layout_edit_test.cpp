#include "gui/layout_edit.h"

#include <gtest/gtest.h>

#include "src/spec/notation.h"

namespace plait::gui {
namespace {

spec::Layout parse(const std::string& text) { return spec::parse_layout(text, spec::Palette::defaults(2048)); }

TEST(LayoutEditTest, MovingRemovingAndDuplicating) {
  EXPECT_EQ(move_layer(parse("*GGG"), 0, 2), parse("GG*G"));
  EXPECT_EQ(move_layer(parse("GGG*"), 3, 0), parse("*GGG"));
  EXPECT_EQ(move_layer(parse("G*"), 0, 5), parse("G*"));
  EXPECT_EQ(remove_layer(parse("GH*"), 1), parse("G*"));
  EXPECT_EQ(remove_layer(parse("G"), 0), parse("G"));
  EXPECT_EQ(duplicate_layer(parse("G*"), 1), parse("G**"));
}

TEST(LayoutEditTest, LinksFollowTheirLayersOrAreDropped) {
  EXPECT_EQ(move_layer(parse("*GG*@0"), 1, 2), parse("*GG*@0"));
  EXPECT_EQ(move_layer(parse("G*G*@1"), 0, 2), parse("*GG*@0"));
  EXPECT_EQ(move_layer(parse("*GG*@0"), 0, 3), parse("GG**"));
  EXPECT_EQ(remove_layer(parse("*GG*@0"), 0), parse("GG*"));
  EXPECT_EQ(duplicate_layer(parse("*G*@0"), 1), parse("*GG*@0"));
}

TEST(LayoutEditTest, FillingKeepsTheLength) {
  const spec::Layout layout = parse("Gx10");
  EXPECT_EQ(fill_periodically(layout, 4, parse("G").layers[0], parse("*").layers[0]), parse("GGG*GGG*GG"));
}

TEST(LayoutEditTest, DifferencesLayerByLayer) {
  EXPECT_EQ(differences(parse("G*G"), parse("GGGG")), (std::vector<bool>{false, true, false, true}));
}

TEST(UndoStackTest, GoesBackAndForthAndMergesEditsWithOneKey) {
  UndoStack<int> stack;
  int now = 0;
  const auto set = [&](int value, const std::string& key = {}) {
    stack.before_edit(now, key);
    now = value;
  };
  set(1);
  set(2, "slider");
  set(3, "slider");
  EXPECT_TRUE(stack.undo(now));
  EXPECT_EQ(now, 1);
  EXPECT_TRUE(stack.redo(now));
  EXPECT_EQ(now, 3);
  EXPECT_TRUE(stack.undo(now));
  EXPECT_TRUE(stack.undo(now));
  EXPECT_EQ(now, 0);
  EXPECT_FALSE(stack.undo(now));
  set(9);
  EXPECT_FALSE(stack.can_redo());
}

}  // namespace
}  // namespace plait::gui
