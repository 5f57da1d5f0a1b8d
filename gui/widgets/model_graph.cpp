#include "src/spec/model_graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "gui/theme.h"
#include "gui/widgets/widgets.h"

namespace plait::gui {
namespace {

using Graph = spec::ModelGraph;

char letter_of(const spec::Mixer& mixer, std::size_t branch) {
  const auto* parallel = std::get_if<spec::ParallelMixer>(&mixer);
  return parallel == nullptr ? spec::mixer_info(mixer).letter : spec::mixer_info(parallel->branches[branch]).letter;
}

std::size_t most_branches(const Graph& model) {
  std::size_t most = 1;
  for (const auto v : boost::make_iterator_range(boost::vertices(model.graph))) {
    most = std::max(most, model.graph[v].branch + 1);
  }
  return most;
}

}  // namespace

void draw_model_graph(const spec::Layout& layout, std::size_t& selected) {
  const Graph model(layout);
  const float box = px(22), rise = px(30), arc = px(26);
  const auto layers = static_cast<float>(layout.size());
  const float step = std::clamp((ImGui::GetContentRegionAvail().x - px(46)) / layers, box + px(8), px(46));
  const float above = arc + rise * static_cast<float>(most_branches(model)) + box;
  const float height = above + arc + px(8);
  const float width = step * layers + px(46);
  if (!ImGui::BeginChild("graph", {0, height + ImGui::GetStyle().ScrollbarSize}, 0,
                         ImGuiWindowFlags_HorizontalScrollbar)) {
    ImGui::EndChild();
    return;
  }
  const ImVec2 corner = ImGui::GetCursorScreenPos();
  ImGui::Dummy({width, height});
  ImDrawList* draw = ImGui::GetWindowDrawList();
  const auto place = [&](const Graph::Node& node) {
    const float x = corner.x + px(26) + step * static_cast<float>(node.layer), y = corner.y + above;
    switch (node.kind) {
      case Graph::NodeKind::input: return ImVec2(corner.x + px(10), y);
      case Graph::NodeKind::mixer: return ImVec2(x + step * 0.5F, y - rise * static_cast<float>(node.branch + 1));
      case Graph::NodeKind::join: return ImVec2(x + step, y);
      case Graph::NodeKind::output: break;
    }
    return ImVec2(x + px(16), y);
  };
  for (const auto edge : boost::make_iterator_range(boost::edges(model.graph))) {
    const ImVec2 a = place(model.graph[boost::source(edge, model.graph)]),
                 b = place(model.graph[boost::target(edge, model.graph)]);
    switch (model.graph[edge].kind) {
      case Graph::EdgeKind::residual: draw->AddLine(a, b, colours().muted, px(2)); break;
      case Graph::EdgeKind::branch:
        draw->AddBezierCubic(a, {(a.x + b.x) / 2, a.y}, {(a.x + b.x) / 2, b.y}, b, colours().muted, px(1.2F));
        break;
      case Graph::EdgeKind::kv_sharing:
        draw->AddBezierCubic(a - ImVec2(0, box / 2), a - ImVec2(0, arc + box), b - ImVec2(0, arc + box),
                             b - ImVec2(0, box / 2), colours().front, px(1.5F));
        draw->AddTriangleFilled(b - ImVec2(0, box / 2), b + ImVec2(-px(3), -box / 2 - px(5)),
                                b + ImVec2(px(3), -box / 2 - px(5)), colours().front);
        break;
      case Graph::EdgeKind::weight_sharing: {
        const float under = corner.y + above + px(4);
        draw->AddBezierCubic({a.x, under}, {a.x, under + arc}, {b.x, under + arc}, {b.x, under}, colours().baseline,
                             px(1.5F));
        draw->AddTriangleFilled({b.x, under}, {b.x - px(3), under + px(5)}, {b.x + px(3), under + px(5)},
                                colours().baseline);
        break;
      }
    }
  }
  for (const auto v : boost::make_iterator_range(boost::vertices(model.graph))) {
    const Graph::Node& node = model.graph[v];
    const ImVec2 at = place(node), half(box / 2, box / 2);
    if (node.kind == Graph::NodeKind::join) {
      draw->AddCircleFilled(at, px(3.5F), ImGui::GetColorU32(ImGuiCol_WindowBg));
      draw->AddCircle(at, px(3.5F), colours().muted, 0, px(1.5F));
      continue;
    }
    if (node.kind != Graph::NodeKind::mixer) {
      draw->AddCircleFilled(at, px(4), colours().ink);
      continue;
    }
    const char letter[] = {letter_of(layout.layers[node.layer].mixer, node.branch), 0};
    draw->AddRectFilled(at - half, at + half, mixer_letter_colour(letter[0]), px(3));
    if (node.layer == selected)
      draw->AddRect(at - half - ImVec2(px(1.5F), px(1.5F)), at + half + ImVec2(px(1.5F), px(1.5F)), colours().ink,
                    px(4), px(2));
    draw->AddText(at - ImGui::CalcTextSize(letter) * 0.5F, mixer_letter_ink(letter[0]), letter);
    ImGui::SetCursorScreenPos(at - half);
    ImGui::PushID(static_cast<int>(v));
    if (ImGui::InvisibleButton(fmt::format("node {}", node.layer).c_str(), {box, box})) selected = node.layer;
    if (ImGui::BeginItemTooltip()) {
      ImGui::Text("layer %d: %s", static_cast<int>(node.layer), node.label.c_str());
      const spec::LayerSpec& layer = layout.layers[node.layer];
      if (layer.kv_from) muted_text(fmt::format("keys and values of layer {}", *layer.kv_from));
      if (layer.weights_from) muted_text(fmt::format("weights of layer {}", *layer.weights_from));
      ImGui::EndTooltip();
    }
    ImGui::PopID();
  }
  ImGui::EndChild();
}

}  // namespace plait::gui
