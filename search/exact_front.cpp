#include "search/exact_front.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "search/chain.h"

// Label setting from the last slot to the first. A label is the vector of sums over the slots i, i + 1, ... of one way
// to finish a layout; labels are kept per cell (boundary i, class, number r of counted candidates still to come), and
// within a cell only those that no other dominates. Going backwards makes ties free: of two labels with equal sums the
// one whose first candidate is smaller is the lexicographically smaller one.
namespace plait::search {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// One minimised coordinate of a label: `sign` times a score, at most `limit`.
struct Coordinate {
  const AdditiveScore* score;
  double sign;
  double limit;
  bool traded;
};

/// A traded objective is one coordinate. A bound from the other side than the direction of improvement must not be lost
/// to dominance, so it is a coordinate of its own; so are the bounds of objectives that are not traded.
std::vector<Coordinate> coordinates_of(std::span<const AdditiveObjective> objectives) {
  std::vector<Coordinate> result;
  for (const auto& [score, direction, low, high, traded] : objectives) {
    const double sign = direction == Direction::minimize ? 1 : -1;
    for (const double s : {sign, -sign}) {
      const auto& bound = s > 0 ? high : low;
      const bool main = traded && s == sign;
      if (main || bound) result.push_back({&score, s, bound ? s * *bound : kInfinity, main});
    }
  }
  return result;
}

/// How a label goes on: the candidate of its slot and the label behind it at the next boundary.
struct Links {
  std::vector<std::uint16_t> candidate;
  std::vector<std::uint32_t> next;
};

/// The labels of one boundary: one array per coordinate, and for every cell the range of its labels. The arrays are
/// buffers that grow; `size` labels are valid.
struct Labels {
  std::vector<std::vector<double>> value;
  Links links;
  std::vector<std::size_t> begin;  // per cell, and the end
  std::size_t size = 0;

  void reserve(std::size_t room) {
    if (room <= links.next.size()) return;
    room = std::max(room, 2 * links.next.size());
    for (auto& column : value) column.resize(room);
    links.candidate.resize(room);
    links.next.resize(room);
  }
  Links copy_links() const {
    const auto end = static_cast<std::ptrdiff_t>(size);
    return {{links.candidate.begin(), links.candidate.begin() + end}, {links.next.begin(), links.next.begin() + end}};
  }
};

/// The labels of one cell of the next boundary, shifted by what an arc adds.
struct Stream {
  std::size_t at, end;
  std::uint16_t candidate;
  const double* shift;
};

/// Merges streams, each sorted lexicographically, into the sorted front of their union. `limit` per coordinate cuts
/// labels that no beginning can bring inside the constraints. Earlier streams win ties.
class Merger {
 public:
  void merge(const Labels& from, std::vector<Stream>& streams, const double* limit, Labels& to) {
    std::size_t most = 0;
    for (const Stream& s : streams) most += s.end - s.at;
    to.reserve(to.size + most);
    if (from.value.size() == 2) {
      merge2(from, streams, limit, to);
    } else {
      merge_many(from, streams, limit, to);
    }
  }

 private:
  struct Head {
    double x, y;
    const double* xs;
    const double* ys;
    const double* xs_end;
    double dx, dy;
    std::uint16_t candidate;
  };

  /// Two coordinates: one pass; a stream skips everything not below the last label kept.
  void merge2(const Labels& from, const std::vector<Stream>& streams, const double* limit, Labels& to) {
    heads_.clear();
    const double* const xs = from.value[0].data();
    const double* const ys = from.value[1].data();
    for (const Stream& s : streams) {
      heads_.push_back({xs[s.at] + s.shift[0], ys[s.at] + s.shift[1], xs + s.at, ys + s.at, xs + s.end, s.shift[0],
                        s.shift[1], s.candidate});
    }
    double* const to_x = to.value[0].data();
    double* const to_y = to.value[1].data();
    const std::size_t start = to.size;
    std::size_t size = start;
    while (!heads_.empty()) {
      std::size_t best = 0;
      for (std::size_t k = 1; k < heads_.size(); ++k) {
        const Head& h = heads_[k];
        const Head& b = heads_[best];
        if (h.x < b.x || (h.x == b.x && h.y < b.y)) best = k;
      }
      const Head taken = heads_[best];
      if (taken.x > limit[0]) break;
      double ceiling = kInfinity;  // labels at or above are dominated
      if (taken.y <= limit[1]) {
        if (size > start && to_x[size - 1] == taken.x) --size;  // rounding made two sums of one stream equal
        to_x[size] = taken.x;
        to_y[size] = taken.y;
        to.links.candidate[size] = taken.candidate;
        to.links.next[size] = static_cast<std::uint32_t>(taken.xs - xs);
        ++size;
        ceiling = taken.y;
      } else {
        Head& h = heads_[best];
        ++h.xs, ++h.ys;
      }
      std::size_t kept = 0;
      for (std::size_t k = 0; k < heads_.size(); ++k) {
        Head h = heads_[k];
        while (h.xs != h.xs_end && *h.ys + h.dy >= ceiling) ++h.xs, ++h.ys;
        if (h.xs == h.xs_end) continue;
        h.x = *h.xs + h.dx;
        h.y = *h.ys + h.dy;
        heads_[kept++] = h;
      }
      heads_.resize(kept);
    }
    to.size = size;
  }

  /// Three and more coordinates: the merged order decides who can dominate whom (only earlier labels); with three, the
  /// kept labels' lower-left staircase in the last two coordinates answers in O(log n), with more they are all asked.
  void merge_many(const Labels& from, std::vector<Stream>& streams, const double* limit, Labels& to) {
    const std::size_t dims = from.value.size();
    const std::size_t start = to.size;
    stairs_.clear();
    head_values_.resize(streams.size() * dims);
    const auto load = [&](std::size_t k) {
      for (std::size_t d = 0; d < dims; ++d) {
        head_values_[k * dims + d] = from.value[d][streams[k].at] + streams[k].shift[d];
      }
    };
    for (std::size_t k = 0; k < streams.size(); ++k) load(k);
    for (;;) {
      const double* best = nullptr;
      std::size_t best_stream = 0;
      for (std::size_t k = 0; k < streams.size(); ++k) {
        if (streams[k].at == streams[k].end) continue;
        const double* head = head_values_.data() + k * dims;
        if (!best || std::lexicographical_compare(head, head + dims, best, best + dims)) {
          best = head;
          best_stream = k;
        }
      }
      if (!best) break;
      bool keep = true;
      for (std::size_t d = 0; d < dims; ++d) keep = keep && best[d] <= limit[d];
      keep = keep && (dims == 3 ? add_to_stairs(best[1], best[2]) : !dominated(best, to, start));
      Stream& stream = streams[best_stream];
      if (keep) {
        for (std::size_t d = 0; d < dims; ++d) to.value[d][to.size] = best[d];
        to.links.candidate[to.size] = stream.candidate;
        to.links.next[to.size] = static_cast<std::uint32_t>(stream.at);
        ++to.size;
      }
      if (++stream.at != stream.end) load(best_stream);
    }
  }

  /// False when a step is at or below (y, z).
  bool add_to_stairs(double y, double z) {
    auto step = std::ranges::upper_bound(stairs_, y, {}, &std::pair<double, double>::first);
    if (step != stairs_.begin() && std::prev(step)->second <= z) return false;
    if (step != stairs_.begin() && std::prev(step)->first == y) --step;
    const auto last = std::find_if(step, stairs_.end(), [&](const auto& s) { return s.second < z; });
    if (step == last) {
      stairs_.insert(step, {y, z});
    } else {
      *step = {y, z};
      stairs_.erase(step + 1, last);
    }
    return true;
  }

  static bool dominated(const double* label, const Labels& to, std::size_t start) {
    for (std::size_t i = to.size; i-- > start;) {
      bool below = true;
      for (std::size_t d = 0; d < to.value.size() && below; ++d) below = to.value[d][i] <= label[d];
      if (below) return true;
    }
    return false;
  }

  std::vector<Head> heads_;
  std::vector<double> head_values_;
  std::vector<std::pair<double, double>> stairs_;  // y ascending, z descending
};

/// One pass of dynamic programming: all n of `group` have the same slot and pair terms.
class Pass {
 public:
  Pass(const Chain& chain, std::span<const AdditiveObjective> objectives, std::vector<Coordinate> coordinates,
       const std::vector<std::size_t>& group)
      : chain_(chain), objectives_(objectives), coordinates_(std::move(coordinates)), group_(group) {
    drop_void_limits();
  }

  /// Adds to `points` what is inside the constraints; false when stopped.
  bool run(const std::stop_token& stop, std::vector<FrontPoint>& points) {
    if (impossible_) return true;
    const std::size_t slots = chain_.slots();
    const std::size_t counts = chain_.counts();
    Labels behind, here;
    behind.value.assign(dims(), {0.0});  // behind the last slot: one label of zeros, nothing left to count
    here.value.assign(dims(), {});

    std::vector<Links> links(slots);
    Merger merger;
    std::vector<Stream> streams;
    for (std::size_t slot = slots; slot-- > 0;) {
      if (stop.stop_requested()) return false;
      here.size = 0;
      here.begin.clear();
      for (std::size_t cls = 0; cls < chain_.classes(slot); ++cls) {
        choose_arcs(slot, cls);
        for (std::size_t r = 0; r < counts; ++r) {
          here.begin.push_back(here.size);
          if (!needed(slot, cls, r)) continue;
          streams.clear();
          for (const Choice& choice : choices_) {
            if (choice.arc.counted && r == 0) continue;
            const std::size_t left = r - choice.arc.counted;
            std::size_t begin = 0, end = 1;
            if (slot + 1 == slots) {
              if (left != 0) continue;
            } else {
              begin = behind.begin[choice.arc.next * counts + left];
              end = behind.begin[choice.arc.next * counts + left + 1];
            }
            if (begin != end) streams.push_back({begin, end, choice.arc.candidate, shifts_.data() + choice.shift});
          }
          if (!streams.empty()) merger.merge(behind, streams, limits(slot, cls, r), here);
        }
      }
      here.begin.push_back(here.size);
      links[slot] = here.copy_links();
      std::swap(here, behind);
    }
    collect(behind, links, points);
    return true;
  }

 private:
  struct Choice {
    Chain::Arc arc;
    std::size_t shift;  // offset in shifts_
  };

  /// Labels of fewer than two coordinates are padded: a single minimum is a front with equal second coordinates.
  std::size_t dims() const { return std::max<std::size_t>(2, coordinates_.size()); }

  double term_of(const Coordinate& c, std::size_t slot, std::size_t last, std::size_t candidate) const {
    return c.sign * term(*c.score, terms_for(*c.score, group_.front()), slot, last, candidate);
  }

  /// The arcs of a class without those that another arc to the same class dominates term by term.
  void choose_arcs(std::size_t slot, std::size_t cls) {
    choices_.clear();
    shifts_.clear();
    const std::size_t last = chain_.last(slot, cls);
    const std::size_t width = dims();
    for (const Chain::Arc& arc : chain_.arcs(slot, cls)) {
      const std::size_t offset = shifts_.size();
      for (const Coordinate& c : coordinates_) shifts_.push_back(term_of(c, slot, last, arc.candidate));
      shifts_.resize(offset + width, 0.0);
      choices_.push_back({arc, offset});
    }
    const auto beats = [&](const Choice& a, const Choice& b) {
      if (a.arc.next != b.arc.next || a.arc.counted != b.arc.counted) return false;
      bool equal = true;
      for (std::size_t d = 0; d < width; ++d) {
        if (shifts_[a.shift + d] > shifts_[b.shift + d]) return false;
        equal = equal && shifts_[a.shift + d] == shifts_[b.shift + d];
      }
      return !equal || a.arc.candidate < b.arc.candidate;
    };
    std::erase_if(choices_, [&, all = choices_](const Choice& b) {
      return std::ranges::any_of(all, [&](const Choice& a) { return beats(a, b); });
    });
  }

  /// Can a beginning lead into the cell such that the whole layout counts an n of the group?
  bool needed(std::size_t boundary, std::size_t cls, std::size_t r) const {
    if (chain_.counts() == 1) return true;
    return std::ranges::any_of(group_, [&](std::size_t n) { return n >= r && chain_.reaches(boundary, cls, n - r); });
  }

  /// Least sum of a coordinate over the beginnings that lead to each (boundary, class, count).
  std::vector<std::vector<double>> least_prefix(const Coordinate& c) const {
    const std::size_t counts = chain_.counts();
    std::vector<std::vector<double>> least(chain_.slots() + 1);
    for (std::size_t i = 0; i <= chain_.slots(); ++i) least[i].assign(chain_.classes(i) * counts, kInfinity);
    least[0][0] = 0;
    for (std::size_t i = 0; i < chain_.slots(); ++i) {
      for (std::size_t cls = 0; cls < chain_.classes(i); ++cls) {
        for (const Chain::Arc& arc : chain_.arcs(i, cls)) {
          const double step = term_of(c, i, chain_.last(i, cls), arc.candidate);
          for (std::size_t count = 0; count + arc.counted < counts; ++count) {
            double& there = least[i + 1][arc.next * counts + count + arc.counted];
            there = std::min(there, least[i][cls * counts + count] + step);
          }
        }
      }
    }
    return least;
  }

  /// Largest total that any layout of the group can have is `-least` of the opposite coordinate.
  double least_total(const std::vector<std::vector<double>>& least, const Coordinate& c) const {
    double total = kInfinity;
    for (const std::size_t n : group_) {
      for (std::size_t cls = 0; cls < chain_.classes(chain_.slots()); ++cls) {
        total = std::min(total, least.back()[cls * chain_.counts() + n] + c.sign * terms_for(*c.score, n).base);
      }
    }
    return total;
  }

  /// Bounds sums in another order than the labels do, so every bound gives way by what rounding could do.
  double slack(const Coordinate& c) const {
    double size = std::abs(c.limit);
    for (const std::size_t n : group_) size = std::max(size, std::abs(terms_for(*c.score, n).base));
    double largest = 0;
    const AdditiveScore::Terms& terms = terms_for(*c.score, group_.front());
    for (const auto* column : {&terms.slot, &terms.pair}) {
      for (const double v : *column) largest = std::max(largest, std::abs(v));
    }
    return 1e-12 * (size + largest * static_cast<double>(2 * chain_.slots()));
  }

  void drop_void_limits() {
    std::vector<Coordinate> kept;
    for (Coordinate c : coordinates_) {
      std::vector<std::vector<double>> least;
      if (c.limit != kInfinity) {
        const Coordinate opposite{c.score, -c.sign, kInfinity, false};
        const double slack_here = slack(c);
        least = least_prefix(c);
        if (least_total(least, c) > c.limit + slack_here) impossible_ = true;
        if (-least_total(least_prefix(opposite), opposite) <= c.limit - slack_here) {
          c.limit = kInfinity;
          least.clear();
        } else {
          c.limit += slack_here;
        }
      }
      if (!c.traded && c.limit == kInfinity) continue;
      kept.push_back(c);
      least_prefix_.push_back(std::move(least));
    }
    coordinates_ = std::move(kept);
  }

  /// What the labels of a cell may reach at most for some beginning to stay inside the constraints.
  const double* limits(std::size_t boundary, std::size_t cls, std::size_t r) {
    limits_.assign(dims(), kInfinity);
    for (std::size_t d = 0; d < coordinates_.size(); ++d) {
      const Coordinate& c = coordinates_[d];
      if (c.limit == kInfinity) continue;
      double most = -kInfinity;
      for (const std::size_t n : group_) {
        if (n < r && chain_.counts() > 1) continue;
        const double before = least_prefix_[d][boundary][cls * chain_.counts() + n - r];
        most = std::max(most, c.limit - before - c.sign * terms_for(*c.score, n).base);
      }
      limits_[d] = most;
    }
    return limits_.data();
  }

  void collect(const Labels& labels, const std::vector<Links>& links, std::vector<FrontPoint>& points) const {
    for (const std::size_t n : group_) {
      for (std::size_t label = labels.begin[n]; label < labels.begin[n + 1]; ++label) {
        FrontPoint point;
        std::size_t at = label;
        for (const Links& link : links) {
          point.path.push_back(link.candidate[at]);
          at = link.next[at];
        }
        bool inside = true;
        for (const AdditiveObjective& objective : objectives_) {
          point.values.push_back(objective.score.evaluate(point.path));
          inside = inside && within(objective, point.values.back());
        }
        if (inside) points.push_back(std::move(point));
      }
    }
  }

  const Chain& chain_;
  std::span<const AdditiveObjective> objectives_;
  std::vector<Coordinate> coordinates_;
  const std::vector<std::size_t>& group_;
  bool impossible_ = false;
  std::vector<std::vector<std::vector<double>>> least_prefix_;  // per coordinate; empty without a limit
  std::vector<Choice> choices_;
  std::vector<double> shifts_;
  std::vector<double> limits_;
};

}  // namespace

std::vector<FrontPoint> exact_front(const LayoutGraph& graph, std::span<const AdditiveObjective> objectives,
                                    std::stop_token stop) {
  const ScoreShape shape = shape_of(graph, objectives);
  const Chain chain(graph, shape.pairs, shape.counted);
  std::vector<FrontPoint> points;
  for (const auto& group : groups_of_equal_terms(objectives, chain.totals())) {
    if (!Pass(chain, objectives, coordinates_of(objectives), group).run(stop, points)) return {};
  }
  return only_best(std::move(points), objectives);
}

}  // namespace plait::search
