// What the registries and channels of this process count, as Prometheus text.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

// All metrics of this process in Prometheus' text format (version 0.0.4), to be served or written
// wherever the program likes. Any thread; takes microseconds. No secrets in it.
std::string MetricsText();

// Gathers samples; one of the same name and labels that comes twice is merged. Confined to one
// thread.
class MetricsWriter {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // A number that only grows; the name ends in "_total". Twice: added up.
  void Counter(std::string_view name, std::string_view help, Labels labels, std::uint64_t value);
  // A number that goes up and down. Twice: added up.
  void Gauge(std::string_view name, std::string_view help, Labels labels, double value);
  // Such as an age. Twice: the greater.
  void MaxGauge(std::string_view name, std::string_view help, Labels labels, double value);

  std::string Text() const;

 private:
  struct Family {
    std::string help;
    bool counter = false;
    std::map<std::string, double> samples;  // by labels as they are written
  };

  double& Sample(std::string_view name, std::string_view help, bool counter, Labels labels,
                 double first);

  std::map<std::string, Family, std::less<>> families_;
};

// Adds to MetricsText as long as it lives. A resource; when the destructor has returned, `collect`
// does not run any more. `collect` runs on the thread that asks, one at a time, and must neither
// block nor make or destroy sources.
class MetricsSource {
 public:
  explicit MetricsSource(std::function<void(MetricsWriter&)> collect);
  ~MetricsSource();
  MetricsSource(const MetricsSource&) = delete;
  MetricsSource& operator=(const MetricsSource&) = delete;

 private:
  const std::function<void(MetricsWriter&)> collect_;
};

}  // namespace weir
