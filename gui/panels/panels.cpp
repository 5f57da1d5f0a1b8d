#include "gui/panels/panels.h"

#include <array>

namespace plait::gui {

std::span<const Panel> panel_table() {
  static const std::array kPanels = {
      Panel{"Frontier", "Any two metrics of all trials; click a point to open its layout", Place::main, draw_frontier,
            save_frontier},
      Panel{"Parallel", "All metrics of all trials side by side; drag on an axis to brush", Place::main, draw_parallel,
            save_parallel},
      Panel{"History", "Dominated volume over the course of the search", Place::main, draw_history, save_history},
      Panel{"Layout", "The layers of a layout, to edit, with what it costs at once", Place::side, draw_layout,
            save_compare},
      Panel{"Run", "A new study, and the one that runs", Place::side, draw_run},
      Panel{"Trials", "All trials as a table to sort, filter and select from", Place::bottom, draw_trials,
            save_frontier},
      Panel{"Breakdown", "What each layer costs", Place::corner, draw_breakdown, save_breakdown},
      Panel{"Context sweep", "Costs from 1K to 2M tokens of context", Place::corner, draw_sweep, save_sweep},
      Panel{"Compare", "Pinned layouts, layer by layer and number by number", Place::corner, draw_compare,
            save_compare},
      Panel{"Roofline", "How near the layers come to what the hardware can do", Place::corner, draw_roofline,
            save_roofline},
      Panel{"Learning", "What the trained proxies learnt, step by step", Place::main, draw_learning, save_learning},
      Panel{"Importance", "Which features of a layout, and which layers, move a metric", Place::main, draw_importance,
            save_importance},
      Panel{"Export", "The files that a trainer loads", Place::corner, draw_export},
  };
  return kPanels;
}

}  // namespace plait::gui
