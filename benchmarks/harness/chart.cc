#include "harness/chart.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace weir::bench {
namespace {

constexpr double kMargin = 24;
constexpr double kNames = 120;  // left of the bars
constexpr double kTexts = 150;  // right of them
constexpr double kScale = 330;  // the bars
constexpr double kPanel = kNames + kScale + kTexts;
constexpr double kBar = 16;    // from one bar to the next
constexpr double kGroup = 30;  // title of a group and the space above it
constexpr double kTop = 96;    // titles of chart and panel
constexpr double kLine = 18;   // of text

// Told apart without colour sight as well (P. Okabe, M. Ito, "Color Universal Design", 2008).
constexpr const char* kColours[] = {"#7f7f7f", "#b4b4b4", "#0072b2", "#56b4e9", "#7a5fb5",
                                    "#e69f00", "#009e73", "#cc79a7", "#d55e00"};

std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string Number(double value, const char* format = "%.1f") {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

struct Look {
  const char* anchor = "start";
  double size = 12;
  const char* colour = "#222";
  bool bold = false;
};

std::string Text(double x, double y, const std::string& text, const Look& look) {
  return "<text x=\"" + Number(x) + "\" y=\"" + Number(y) + "\" text-anchor=\"" + look.anchor +
         "\" font-size=\"" + Number(look.size, "%.0f") + "\" fill=\"" + look.colour + "\"" +
         (look.bold ? " font-weight=\"bold\"" : "") +
         " paint-order=\"stroke\" stroke=\"#fff\" stroke-width=\"3\">" + Escaped(text) +
         "</text>\n";
}

// 1, 2 and 5 times the powers of ten.
std::vector<double> Ticks(double least, double most) {
  std::vector<double> ticks;
  for (double decade = std::pow(10, std::floor(std::log10(least))); decade <= most * 1.0001;
       decade *= 10) {
    for (const double step : {1.0, 2.0, 5.0}) ticks.push_back(step * decade);
  }
  while (ticks.size() > 1 && ticks[1] <= least * 0.9999) ticks.erase(ticks.begin());
  while (ticks.size() > 1 && ticks[ticks.size() - 2] >= most * 1.0001) ticks.pop_back();
  return ticks;
}

// A logarithmic axis a little longer than what stands on it.
class Axis {
 public:
  explicit Axis(const Panel& panel) {
    double least = INFINITY;
    double most = 0;
    for (const BarGroup& group : panel.groups) {
      for (const Bar& bar : group.bars) {
        if (bar.value > 0) least = std::min(least, bar.value);
        most = std::max(most, bar.value);
      }
    }
    ticks_ = Ticks(least * 0.7, most);
  }
  const std::vector<double>& ticks() const noexcept { return ticks_; }
  // How far to the right of the axis' beginning a value stands.
  double At(double value) const {
    const double least = std::log(ticks_.front());
    const double most = std::log(ticks_.back());
    const double at = value > 0 ? std::log(value) : least;
    return kScale * std::clamp((at - least) / (most - least), 0.0, 1.0);
  }

 private:
  std::vector<double> ticks_;
};

double HeightOf(const Panel& panel) {
  double height = 0;
  for (const BarGroup& group : panel.groups) {
    height += kGroup + kBar * static_cast<double>(group.bars.size());
  }
  return height;
}

bool IsEmpty(const Panel& panel) {
  return std::all_of(panel.groups.begin(), panel.groups.end(), [](const BarGroup& group) {
    return std::none_of(group.bars.begin(), group.bars.end(),
                        [](const Bar& bar) { return bar.value > 0; });
  });
}

const char* ColourOf(const std::string& name, const std::vector<std::string>& names) {
  const auto at =
      static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  return kColours[at % std::size(kColours)];
}

std::string Drawn(const Panel& panel, double left, const std::vector<std::string>& names) {
  const Axis axis(panel);
  const double bars = left + kNames;
  const double bottom = kTop + HeightOf(panel) + 8;
  std::string out = Text(bars, kTop - 26, panel.title, {.size = 14, .bold = true});
  // Powers of ten have their number; others, where there is room.
  const bool crowded = axis.ticks().size() > 9;
  for (const double tick : axis.ticks()) {
    const double x = bars + axis.At(tick);
    out += "<line x1=\"" + Number(x) + "\" x2=\"" + Number(x) + "\" y1=\"" + Number(kTop - 8) +
           "\" y2=\"" + Number(bottom) + "\" stroke=\"" + (tick == 1 ? "#888" : "#e4e4e4") +
           "\"/>\n";
    const double decade = std::pow(10, std::round(std::log10(tick)));
    if (crowded && std::abs(tick / decade - 1) > 0.01) continue;
    out += Text(x, bottom + 15, Number(tick, "%g"), {.anchor = "middle", .size = 11});
  }
  out += Text(bars + kScale / 2, bottom + 34, panel.axis + " (logarithmic)", {.anchor = "middle"});
  double y = kTop;
  for (const BarGroup& group : panel.groups) {
    out += Text(left, y + kGroup - 10, group.title, {.bold = true});
    y += kGroup;
    for (const Bar& bar : group.bars) {
      const char* colour = ColourOf(bar.name, names);
      const double width = std::max(1.0, axis.At(bar.value));
      out += Text(bars - 6, y + 9, bar.name, {.anchor = "end", .size = 11});
      out += "<rect x=\"" + Number(bars) + "\" y=\"" + Number(y - 1) + "\" width=\"" +
             Number(width) + "\" height=\"" + Number(kBar - 4) + "\" fill=\"" + colour + "\"/>\n";
      out += Text(bars + width + 5, y + 9, bar.text, {.size = 11});
      y += kBar;
    }
  }
  return out;
}

}  // namespace

std::string ToSvg(const Chart& chart) {
  std::vector<const Panel*> panels;
  double height = 0;
  for (const Panel& panel : chart.panels) {
    if (IsEmpty(panel)) continue;
    panels.push_back(&panel);
    height = std::max(height, HeightOf(panel));
  }
  const double columns = std::max(1.0, static_cast<double>(panels.size()));
  const double width = 2 * kMargin + columns * kPanel + (columns - 1) * kMargin;
  const double notes = kTop + height + 72;
  const double whole = notes + kLine * static_cast<double>(chart.notes.size()) + kMargin / 2;
  const std::string w = Number(width, "%.0f");
  const std::string h = Number(whole, "%.0f");
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
      "width=\"" +
      w + "\" height=\"" + h + "\" viewBox=\"0 0 " + w + " " + h +
      "\" font-family=\"Helvetica, Arial, sans-serif\">\n<title>" + Escaped(chart.title) +
      "</title>\n<rect width=\"" + w + "\" height=\"" + h + "\" fill=\"#fff\"/>\n";
  out += Text(kMargin, 34, chart.title, {.size = 18, .bold = true});
  double left = kMargin;
  for (const Panel* panel : panels) {
    out += Drawn(*panel, left, chart.names);
    left += kPanel + kMargin;
  }
  double y = notes;
  for (const std::string& note : chart.notes) {
    out += Text(kMargin, y, note, {.size = 11, .colour = "#555"});
    y += kLine;
  }
  return out + "</svg>\n";
}

}  // namespace weir::bench
