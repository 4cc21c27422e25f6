// ChannelOptions::pick_log under load: what was logged is what was done, and can be done again.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <vector>

#include "core/echo_service.h"
#include "support/process.h"
#include "weir/pick_record.h"

namespace weir::test {
namespace {

using testing::WaitUntil;

class PickLog : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Of, PickLog,
                         ::testing::Values("round_robin", "least_active", "consistent_hash",
                                           "zone|subset(k=3)|slow_start(window=1h)|least_active",
                                           "bounded(c=1)|random"));

TEST_P(PickLog, EveryLoggedPickReplaysToTheProviderThatWasUsed) {
  constexpr int kCalls = 600;
  std::map<std::string, std::string> address_of;  // by name
  std::vector<std::unique_ptr<Server>> servers;
  std::string url = "list://";
  for (const char* name : {"a", "b", "c", "d"}) {
    auto server = std::make_unique<Server>(ServerOptions{});
    server->Add(std::make_unique<EchoService>(name));
    ASSERT_TRUE(server->Start().ok());
    address_of[name] = server->address();
    url += (servers.empty() ? "" : ",") + server->address() + "*" +
           std::to_string(50 + 50 * servers.size()) + "@eu-1";
    servers.push_back(std::move(server));
  }
  std::mutex mutex;
  std::vector<std::string> lines;
  ChannelOptions options;
  options.load_balance = GetParam();
  options.zone = "eu-1";
  options.threads = {.model = ThreadModel::kMultiReactor, .reactors = 2};
  options.timeout = std::chrono::seconds(30);
  options.pick_log = [&](const PickRecord& record) {
    const std::lock_guard lock(mutex);
    lines.push_back(record.ToText());
  };
  std::map<std::string, int> served;
  std::atomic<int> ended{0};
  {
    Channel channel(url, options);
    ASSERT_TRUE(channel.status().ok()) << channel.status().ToString();
    Echo::Stub echo(channel);
    for (int call = 0; call < kCalls; ++call) {
      EchoRequest request;
      request.set_key("key " + std::to_string(call % 7));
      request.set_delay_ms(call % 3);
      echo.Coroutine(std::move(request), {}, [&](const Result<EchoReply>& reply) {
        const std::lock_guard lock(mutex);
        ++served[reply.ok() ? address_of[reply->served_by()] : reply.status().ToString()];
        ++ended;
      });
    }
    ASSERT_TRUE(WaitUntil([&] { return ended == kCalls; }, std::chrono::seconds(60)));
  }
  ASSERT_EQ(lines.size(), static_cast<std::size_t>(kCalls));
  std::map<std::string, int> replayed;
  for (const std::string& line : lines) {
    const auto record = PickRecord::Parse(line);
    ASSERT_TRUE(record.ok()) << record.status().ToString() << "\n" << line;
    EXPECT_EQ(record->strategy, GetParam());
    EXPECT_EQ(record->method, "weir.test.Echo/Coroutine");
    EXPECT_EQ(record->providers.at(0).provider.zone, "eu-1");
    ASSERT_EQ(*record->Replay(), record->picked) << line;
    ++replayed[std::string(record->picked_address())];
  }
  EXPECT_EQ(replayed, served);
}

}  // namespace
}  // namespace weir::test
