// LevelDB as it comes.
#include <leveldb/db.h>
#include <leveldb/write_batch.h>

#include "engine/contestant.h"

namespace weir::bench {
namespace {

leveldb::Slice ToSlice(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view ToView(const leveldb::Slice& slice) {
  return {slice.data(), slice.size()};
}

class LevelDb final : public Contestant {
 public:
  void Open(const std::string& directory, const Setup& setup) override {
    leveldb::Options options;
    options.create_if_missing = true;
    write_.sync = setup.sync;
    leveldb::DB* db = nullptr;
    Check("open", leveldb::DB::Open(options, directory, &db));
    db_.reset(db);
  }
  void Close() override { db_.reset(); }
  void Put(std::string_view key, std::string_view value) override {
    Check("put", db_->Put(write_, ToSlice(key), ToSlice(value)));
  }
  void Delete(std::string_view key) override { Check("delete", db_->Delete(write_, ToSlice(key))); }
  bool Get(std::string_view key, std::string* value) override {
    const leveldb::Status status = db_->Get(read_, ToSlice(key), value);
    if (status.IsNotFound()) return false;
    Check("get", status);
    return true;
  }
  void Write(std::span<const KeyAndValue> batch) override {
    batch_.Clear();
    for (const auto& [key, value] : batch) batch_.Put(ToSlice(key), ToSlice(value));
    Check("write", db_->Write(write_, &batch_));
  }
  void Scan(const std::function<void(std::string_view, std::string_view)>& visit) override {
    const std::unique_ptr<leveldb::Iterator> scan(db_->NewIterator(read_));
    for (scan->SeekToFirst(); scan->Valid(); scan->Next()) {
      visit(ToView(scan->key()), ToView(scan->value()));
    }
    Check("scan", scan->status());
  }
  bool Merge(Pace) override {
    db_->CompactRange(nullptr, nullptr);
    return true;
  }

 private:
  static void Check(const char* what, const leveldb::Status& status) {
    if (!status.ok()) Die("leveldb", what, status.ToString());
  }

  std::unique_ptr<leveldb::DB> db_;
  leveldb::ReadOptions read_;
  leveldb::WriteOptions write_;
  leveldb::WriteBatch batch_;
};

}  // namespace

std::unique_ptr<Contestant> MakeLevelDb(const Tuning&) {
  return std::make_unique<LevelDb>();
}

}  // namespace weir::bench
