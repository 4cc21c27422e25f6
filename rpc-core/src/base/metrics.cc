#include "weir/metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <mutex>
#include <vector>

#include "base/open_registries.h"

namespace weir {
namespace {

struct Sources {
  std::mutex mutex;
  std::vector<const std::function<void(MetricsWriter&)>*> all;
};

// Never destroyed: sources may be older than any static object.
Sources& TheSources() {
  static auto* sources = new Sources;
  return *sources;
}

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

std::string Number(double value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

}  // namespace

double& MetricsWriter::Sample(std::string_view name, std::string_view help, bool counter,
                              Labels labels, double first) {
  std::string text;
  for (const auto& [label, value] : labels) {
    text += (text.empty() ? "" : ",") + std::string(label) + "=\"" + Escaped(value) + "\"";
  }
  if (!text.empty()) text = "{" + text + "}";
  Family& family = families_.try_emplace(std::string(name)).first->second;
  family.help = help;
  family.counter = counter;
  return family.samples.try_emplace(std::move(text), first).first->second;
}

void MetricsWriter::Counter(std::string_view name, std::string_view help, Labels labels,
                            std::uint64_t value) {
  Sample(name, help, true, labels, 0) += static_cast<double>(value);
}

void MetricsWriter::Gauge(std::string_view name, std::string_view help, Labels labels,
                          double value) {
  Sample(name, help, false, labels, 0) += value;
}

void MetricsWriter::MaxGauge(std::string_view name, std::string_view help, Labels labels,
                             double value) {
  double& sample = Sample(name, help, false, labels, value);
  sample = std::max(sample, value);
}

std::string MetricsWriter::Text() const {
  std::string text;
  for (const auto& [name, family] : families_) {
    text += "# HELP " + name + " " + family.help + "\n";
    text += "# TYPE " + name + (family.counter ? " counter\n" : " gauge\n");
    for (const auto& [labels, value] : family.samples) {
      text += name + labels + " " + Number(value) + "\n";
    }
  }
  return text;
}

MetricsSource::MetricsSource(std::function<void(MetricsWriter&)> collect)
    : collect_(std::move(collect)) {
  const std::lock_guard lock(TheSources().mutex);
  TheSources().all.push_back(&collect_);
}

MetricsSource::~MetricsSource() {
  const std::lock_guard lock(TheSources().mutex);
  std::erase(TheSources().all, &collect_);
}

std::string MetricsText() {
  MetricsWriter writer;
  {
    const std::lock_guard lock(TheSources().mutex);
    for (const auto* collect : TheSources().all) (*collect)(writer);
  }
  detail::CollectOpenRegistries(writer);
  return writer.Text();
}

}  // namespace weir
