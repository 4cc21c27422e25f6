// RocksDB, tuned for point lookups; for large values also with blob files.
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <thread>

#include "engine/contestant.h"

namespace weir::bench {
namespace {

constexpr std::uint64_t kMinBlobBytes = 1024;

rocksdb::Slice ToSlice(std::string_view text) {
  return {text.data(), text.size()};
}

class RocksDb final : public Contestant {
 public:
  RocksDb(const Tuning& tuning, bool has_blobs) : tuning_(tuning), has_blobs_(has_blobs) {}

  void Open(const std::string& directory, const Setup& setup) override {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.IncreaseParallelism(static_cast<int>(std::thread::hardware_concurrency()));
    options.OptimizeForPointLookup(tuning_.cache_bytes >> 20);
    options.compression = rocksdb::kNoCompression;
    options.disable_auto_compactions = !setup.automatic_merge;
    if (has_blobs_) {
      options.enable_blob_files = true;
      options.min_blob_size = kMinBlobBytes;
      options.enable_blob_garbage_collection = true;
    }
    write_.sync = setup.sync;
    rocksdb::DB* db = nullptr;
    Check("open", rocksdb::DB::Open(options, directory, &db));
    db_.reset(db);
  }
  void Close() override {
    Check("close", db_->Close());
    db_.reset();
  }
  void Put(std::string_view key, std::string_view value) override {
    Check("put", db_->Put(write_, ToSlice(key), ToSlice(value)));
  }
  void Delete(std::string_view key) override { Check("delete", db_->Delete(write_, ToSlice(key))); }
  bool Get(std::string_view key, std::string* value) override {
    const rocksdb::Status status = db_->Get(read_, ToSlice(key), value);
    if (status.IsNotFound()) return false;
    Check("get", status);
    return true;
  }
  void Write(std::span<const KeyAndValue> batch) override {
    batch_.Clear();
    for (const auto& [key, value] : batch) {
      Check("batch", batch_.Put(ToSlice(key), ToSlice(value)));
    }
    Check("write", db_->Write(write_, &batch_));
  }
  void Scan(const std::function<void(std::string_view, std::string_view)>& visit) override {
    const std::unique_ptr<rocksdb::Iterator> scan(db_->NewIterator(read_));
    for (scan->SeekToFirst(); scan->Valid(); scan->Next()) {
      visit(scan->key().ToStringView(), scan->value().ToStringView());
    }
    Check("scan", scan->status());
  }
  bool Merge(Pace) override {
    Check("compact", db_->CompactRange({}, nullptr, nullptr));
    return true;
  }

 private:
  static void Check(const char* what, const rocksdb::Status& status) {
    if (!status.ok()) Die("rocksdb", what, status.ToString());
  }

  const Tuning tuning_;
  const bool has_blobs_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ReadOptions read_;
  rocksdb::WriteOptions write_;
  rocksdb::WriteBatch batch_;
};

}  // namespace

std::unique_ptr<Contestant> MakeRocksDb(const Tuning& tuning) {
  return std::make_unique<RocksDb>(tuning, false);
}

std::unique_ptr<Contestant> MakeRocksDbWithBlobs(const Tuning& tuning) {
  return std::make_unique<RocksDb>(tuning, true);
}

}  // namespace weir::bench
