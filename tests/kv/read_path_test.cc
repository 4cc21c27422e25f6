// Reading records on both paths: mapped and by system calls, also when descriptors are short.
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "engine_fixture.h"

namespace weir::kv {
namespace {

class ReadPathTest : public ::testing::TestWithParam<ReadPath> {
 protected:
  Options WithPath(Options options) const {
    options.read_path = GetParam();
    options.merge.automatic = false;
    return options;
  }
};

INSTANTIATE_TEST_SUITE_P(BothPaths, ReadPathTest,
                         ::testing::Values(ReadPath::kMapped, ReadPath::kPread),
                         [](const auto& path) {
                           return path.param == ReadPath::kMapped ? "Mapped" : "Pread";
                         });

std::string KeyOf(std::uint64_t i) {
  return "key" + std::to_string(i);
}
std::string ValueOf(std::uint64_t i) {
  return std::to_string(i) + std::string(i % 7 == 0 ? 1500 : 100, 'v');
}

// Fills `segments` segments of 4 KiB.
std::uint64_t Fill(Store& store, std::uint64_t segments) {
  std::uint64_t keys = 0;
  while (store.GetStats().segments < segments) {
    EXPECT_TRUE(store.Put(KeyOf(keys), ValueOf(keys)).ok());
    ++keys;
  }
  return keys;
}

// "" or what was wrong.
std::string CheckAll(Store& store, std::uint64_t keys) {
  std::string value;
  for (std::uint64_t i = 0; i < keys; ++i) {
    const std::uint64_t at = i * 7919 % keys;
    if (Status status = store.Get(KeyOf(at), &value); !status.ok()) return status.ToString();
    if (value != ValueOf(at)) return KeyOf(at) + " has another value";
  }
  std::uint64_t seen = 0;
  for (const bool reverse : {false, true}) {
    auto scan = store.Scan({.reverse = reverse});
    for (; scan->Valid(); scan->Next(), ++seen) {
      const std::uint64_t at = std::stoull(std::string(scan->key().substr(3)));
      if (scan->value() != ValueOf(at)) return std::string(scan->key()) + ": wrong in the scan";
    }
    if (!scan->status().ok()) return scan->status().ToString();
  }
  return seen == 2 * keys ? "" : "a scan saw another number of keys";
}

TEST_P(ReadPathTest, ReadsActiveAndClosedSegmentsAlike) {
  TempDirectory directory;
  Options options = WithPath({});
  options.segment_size = 4096;
  options.sync.mode = SyncMode::kNone;
  auto store = MustOpen(directory.path() + "/store", options);
  const std::uint64_t keys = Fill(*store, 40);
  EXPECT_EQ(CheckAll(*store, keys), "");
  store.reset();
  store = MustOpen(directory.path() + "/store", options);
  EXPECT_EQ(CheckAll(*store, keys), "");
}

TEST_P(ReadPathTest, ReadsWhileSegmentsAreClosed) {
  Options options = WithPath(InMemory(std::make_shared<FaultVfs>(), SyncMode::kNone));
  options.segment_size = 4096;
  options.max_open_files = 4;
  auto store = MustOpen(kDirectory, options);
  std::atomic<std::uint64_t> written = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      std::string value;
      for (std::uint64_t i = 1; !stop; i = i * 6364136223846793005U + 1442695040888963407U) {
        const std::uint64_t keys = written;
        if (keys == 0) continue;
        // The last ones are in the segment that is just being closed.
        const std::uint64_t at =
            i % 2 == 0 ? keys - 1 - std::min<std::uint64_t>(keys - 1, i % 40) : i % keys;
        const Status status = store->Get(KeyOf(at), &value);
        if (!status.ok() || value != ValueOf(at)) {
          ADD_FAILURE() << KeyOf(at) << ": " << status.ToString();
          return;
        }
      }
    });
  }
  const std::uint64_t keys = Scaled(20'000, 3000);
  for (std::uint64_t i = 0; i < keys; ++i, ++written) {
    ASSERT_TRUE(store->Put(KeyOf(i), ValueOf(i)).ok());
  }
  stop = true;
  for (auto& reader : readers) reader.join();
}

TEST_P(ReadPathTest, ReadsIntoMemoryThatIsThere) {
  TempDirectory directory;
  Options options = WithPath({});
  options.segment_size = 4096;
  options.sync.mode = SyncMode::kNone;
  auto store = MustOpen(directory.path() + "/store", options);
  const std::uint64_t keys = Fill(*store, 3);
  std::string value;
  value.reserve(2000);
  const char* memory = value.data();
  for (std::uint64_t i = 0; i < keys; ++i) {
    ASSERT_TRUE(store->Get(KeyOf(i), &value).ok());
    EXPECT_EQ(value, ValueOf(i));
    EXPECT_EQ(value.data(), memory);
  }
  EXPECT_EQ(store->Get("missing", &value).code(), StatusCode::kNotFound);
  EXPECT_EQ(value, ValueOf(keys - 1)) << "unchanged when it fails";
}

TEST_P(ReadPathTest, H22_RefusesAFileThatIsShorterThanWhenItWasClosed) {
  auto vfs = std::make_shared<FaultVfs>();
  Options options = WithPath(InMemory(vfs, SyncMode::kNone));
  options.segment_size = 4096;
  auto store = MustOpen(kDirectory, options);
  (void)Fill(*store, 4);
  store.reset();
  const std::string path = kDirectory + "/000002.data";
  const std::string contents = vfs->Contents(path);
  for (const std::size_t length : {contents.size() - 1, contents.size() / 2, std::size_t{0}}) {
    vfs->SetContents(path, contents.substr(0, length));
    const auto reopened = Store::Open(kDirectory, options);
    ASSERT_FALSE(reopened.ok()) << length;
    EXPECT_EQ(reopened.status().code(), StatusCode::kDataLoss);
    EXPECT_NE(reopened.status().message().find("000002.data"), std::string_view::npos);
  }
  vfs->SetContents(path, contents);
  EXPECT_TRUE(Store::Open(kDirectory, options).ok());
}

// Others in the process take descriptors and give them back: reads wait for one rather than fail.
TEST_P(ReadPathTest, H23_ReadsWaitForADescriptor) {
  auto vfs = std::make_shared<FaultVfs>();
  Options options = WithPath(InMemory(vfs, SyncMode::kNone));
  options.segment_size = 4096;
  options.max_open_files = 8;
  auto store = MustOpen(kDirectory, options);
  const std::uint64_t keys = Fill(*store, 30);
  vfs->files().SetMaxOpenFiles(0);
  std::atomic<bool> read = false;
  std::thread reader([&] {
    EXPECT_EQ(CheckAll(*store, keys), "");
    read = true;
  });
  std::this_thread::yield();
  EXPECT_FALSE(read);
  vfs->files().SetMaxOpenFiles(20);
  reader.join();
}

// In a process of its own, because the limit is the process's.
TEST_P(ReadPathTest, T14_WorksWith500SegmentsAnd64Descriptors) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto work = [this] {
    const rlimit limit{64, 64};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return std::string("setrlimit failed");
    TempDirectory directory;
    Options options = WithPath({});
    options.segment_size = 4096;
    options.sync.mode = SyncMode::kNone;
    std::uint64_t keys = 0;
    {
      auto store = MustOpen(directory.path() + "/store", options);
      keys = Fill(*store, 500);
      if (const std::string wrong = CheckAll(*store, keys); !wrong.empty()) return wrong;
    }
    auto store = MustOpen(directory.path() + "/store", options);
    std::vector<std::thread> readers;
    std::vector<std::string> wrong(4);
    for (std::string& outcome : wrong) {
      readers.emplace_back([&] { outcome = CheckAll(*store, keys); });
    }
    for (auto& reader : readers) reader.join();
    if (store->GetStats().open_files > 48) return std::string("too many files are open");
    return *std::max_element(wrong.begin(), wrong.end());
  };
  EXPECT_EXIT(
      {
        const std::string wrong = work();
        std::fprintf(stderr, "%s\n", wrong.c_str());
        std::_Exit(wrong.empty() ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace weir::kv
