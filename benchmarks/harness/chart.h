// Chart: bars on a logarithmic scale as a self-contained SVG.
#pragma once

#include <string>
#include <vector>

namespace weir::bench {

struct Bar {
  std::string name;  // stands left of it
  double value = 0;  // above 0
  std::string text;  // stands right of it
};

struct BarGroup {
  std::string title;
  std::vector<Bar> bars;
};

struct Panel {
  std::string title;
  std::string axis;  // what its values are
  std::vector<BarGroup> groups;
};

struct Chart {
  std::string title;
  std::vector<std::string> names;  // of all bars: one colour each, in this order
  std::vector<Panel> panels;       // side by side
  std::vector<std::string> notes;  // below them, a line each
};

// Panels without bars are left out.
std::string ToSvg(const Chart& chart);

}  // namespace weir::bench
