#include "buffer/outbox.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "buffer/io_budget.h"

namespace weir::test {
namespace {

std::string Gathered(const Outbox& outbox) {
  iovec vectors[64];
  std::string bytes;
  const int count = outbox.Gather(vectors, 64);
  for (int i = 0; i < count; ++i) {
    bytes.append(static_cast<const char*>(vectors[i].iov_base), vectors[i].iov_len);
  }
  return bytes;
}

// Copies, shared slices and copies again, across a block's end.
std::string Fill(Outbox& outbox) {
  std::string all;
  const auto copy = [&](std::string bytes) {
    outbox.Append(std::string_view(bytes));
    all += bytes;
  };
  copy("first");
  copy("second");
  outbox.Append(Buffer(std::string("shared one")));
  all += "shared one";
  copy("third");
  copy(std::string(40, 'x'));
  Buffer two(std::string("slice a"));
  two.Append(Buffer(std::string("slice b")));
  outbox.Append(std::move(two));
  all += "slice aslice b";
  copy("last");
  return all;
}

TEST(Outboxes, EverySplitOfConsumeLeavesTheRest) {
  Outbox whole;
  const std::string all = Fill(whole);
  EXPECT_EQ(Gathered(whole), all);
  EXPECT_EQ(whole.size(), all.size());
  for (std::size_t first = 0; first <= all.size(); ++first) {
    for (std::size_t second = 0; first + second <= all.size(); second += 7) {
      Outbox outbox;
      Fill(outbox);
      outbox.Consume(first);
      ASSERT_EQ(Gathered(outbox), all.substr(first));
      outbox.Append(std::string_view("+"));  // goes on after a part was written
      outbox.Consume(second);
      ASSERT_EQ(Gathered(outbox), (all + "+").substr(first + second));
      ASSERT_EQ(outbox.consumed(), first + second);
      ASSERT_EQ(outbox.appended(), all.size() + 1);
    }
  }
}

TEST(Outboxes, GatherGivesWhatComesFirst) {
  Outbox outbox;
  const std::string all = Fill(outbox);
  iovec vectors[2];
  ASSERT_EQ(outbox.Gather(vectors, 2), 2);
  EXPECT_EQ(std::string(static_cast<char*>(vectors[0].iov_base), vectors[0].iov_len),
            "firstsecond");
  EXPECT_EQ(std::string(static_cast<char*>(vectors[1].iov_base), vectors[1].iov_len), "shared one");
}

TEST(Outboxes, TakeFromKeepsOrderAndBytes) {
  Outbox to;
  to.Append(std::string_view("head"));
  Outbox from;
  std::string expected = "head" + Fill(from);
  const std::string large(10'000, 'L');
  from.Append(std::string_view(large));
  expected += large;
  from.Consume(3);
  expected.erase(4, 3);
  to.TakeFrom(from);
  EXPECT_TRUE(from.empty());
  EXPECT_EQ(Gathered(to), expected);
}

TEST(Outboxes, EmptyHoldsNoMemory) {
  const std::size_t before = IoBudget::used();
  Outbox outbox;
  for (int i = 0; i < 1000; ++i)
    outbox.Append(std::string_view("0123456789abcdef0123456789abcdef"));
  EXPECT_GT(IoBudget::used(), before);
  while (!outbox.empty()) outbox.Consume(std::min<std::size_t>(outbox.size(), 777));
  EXPECT_EQ(IoBudget::used(), before);
}

TEST(Outboxes, AgreeWithAStringUnderRandomUse) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  Outbox outbox;
  std::string model;
  for (int step = 0; step < 5000; ++step) {
    const std::string bytes(random() % 3000, static_cast<char>('a' + random() % 26));
    switch (random() % 4) {
      case 0:
        if (!bytes.empty()) outbox.Append(std::string_view(bytes));
        model += bytes;
        break;
      case 1:
        outbox.Append(Buffer(std::string(bytes)));
        model += bytes;
        break;
      default:
        const std::size_t part = model.empty() ? 0 : random() % (model.size() + 1);
        outbox.Consume(part);
        model.erase(0, part);
    }
    ASSERT_EQ(outbox.size(), model.size());
    const std::string front = Gathered(outbox);
    ASSERT_EQ(front, model.substr(0, front.size()));
  }
}

TEST(Buffers, ShareKeepsItsBytesAlive) {
  auto kept = std::make_shared<const std::string>("kept");
  Buffer buffer = Buffer::Share(kept, *kept);
  const std::weak_ptr<const std::string> watch = kept;
  kept.reset();
  Buffer copy = buffer;
  buffer.Clear();
  EXPECT_EQ(copy.ToString(), "kept");
  copy = Buffer();
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace weir::test
