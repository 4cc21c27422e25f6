// The Prometheus text of what a process counts.
#include "weir/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricsWriter, WritesFamiliesOnceAndMergesWhatComesTwice) {
  MetricsWriter writer;
  writer.Gauge("b", "Second", {{"x", "1"}}, 0.5);
  writer.Counter("a_total", "First", {}, 3);
  writer.Gauge("b", "Second", {{"x", "2"}}, -2);
  writer.Gauge("b", "Second", {{"x", "1"}}, 1);
  writer.Counter("a_total", "First", {}, 4);
  writer.MaxGauge("c", "Third", {}, 3);
  writer.MaxGauge("c", "Third", {}, 2);
  EXPECT_EQ(writer.Text(),
            "# HELP a_total First\n# TYPE a_total counter\na_total 7\n"
            "# HELP b Second\n# TYPE b gauge\nb{x=\"1\"} 1.5\nb{x=\"2\"} -2\n"
            "# HELP c Third\n# TYPE c gauge\nc 3\n");
}

TEST(MetricsWriter, EscapesLabels) {
  MetricsWriter writer;
  writer.Gauge("a", "A", {{"x", "q\"b\\n\n"}, {"y", ""}}, 1);
  EXPECT_THAT(writer.Text(), HasSubstr("a{x=\"q\\\"b\\\\n \",y=\"\"} 1\n"));
}

TEST(Metrics, ASourceIsHeardAsLongAsItLives) {
  {
    const MetricsSource source([](MetricsWriter& writer) {
      writer.Counter("weir_test_total", "Test", {}, 12'345'678'901u);
    });
    EXPECT_THAT(MetricsText(), HasSubstr("weir_test_total 12345678901\n"));
  }
  EXPECT_THAT(MetricsText(), Not(HasSubstr("weir_test_total")));
}

}  // namespace
}  // namespace weir
