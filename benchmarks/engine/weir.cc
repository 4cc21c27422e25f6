// weir's own engine.
#include <algorithm>

#include "engine/contestant.h"
#include "weir/kv/store.h"

namespace weir::bench {
namespace {

class Weir final : public Contestant {
 public:
  explicit Weir(const Tuning& tuning) : tuning_(tuning) {}

  void Open(const std::string& directory, const Setup& setup) override {
    kv::Options options;
    options.sync.mode = setup.sync ? kv::SyncMode::kAlways : kv::SyncMode::kNone;
    if (setup.rewrites_a_lot) options.segment_size = 16U << 20;
    if (tuning_.segment_size != 0) options.segment_size = tuning_.segment_size;
    if (tuning_.read_path == "mapped") options.read_path = kv::ReadPath::kMapped;
    if (tuning_.read_path == "pread") options.read_path = kv::ReadPath::kPread;
    options.value_cache_bytes = tuning_.value_cache_bytes;
    options.merge.automatic = setup.automatic_merge;
    auto opened = kv::Store::Open(directory, options);
    Check("open", opened.status());
    store_ = std::move(*opened);
  }
  void Close() override {
    Check("close", store_->Close());
    store_.reset();
  }
  void Put(std::string_view key, std::string_view value) override {
    Check("put", store_->Put(key, value));
  }
  void Delete(std::string_view key) override { Check("delete", store_->Delete(key)); }
  bool Get(std::string_view key, std::string* value) override {
    const Status status = store_->Get(key, value);
    if (status.code() == StatusCode::kNotFound) return false;
    Check("get", status);
    return true;
  }
  void Write(std::span<const KeyAndValue> batch) override {
    batch_.Clear();
    for (const auto& [key, value] : batch) batch_.Put(key, value);
    Check("write", store_->Write(batch_));
  }
  void Scan(const std::function<void(std::string_view, std::string_view)>& visit) override {
    const auto scan = store_->Scan({});
    for (; scan->Valid(); scan->Next()) visit(scan->key(), scan->value());
    Check("scan", scan->status());
  }
  bool Merge(Pace pace) override {
    kv::MergeOptions options;
    if (pace == Pace::kBesideOthers) {
      options.bytes_per_second =
          tuning_.merge_bytes_per_second.value_or(kv::MergePolicy().bytes_per_second);
    }
    Check("merge", store_->Merge(options));
    return true;
  }
  std::optional<std::uint64_t> IndexBytes() override { return store_->GetStats().index_bytes; }
  std::string_view hint_suffix() const override { return ".hint"; }
  // Appends to its log are copies into mapped pages.
  bool writes_through_mapping() const override { return true; }
  std::string_view data_suffix() const override { return ".data"; }

 private:
  static void Check(const char* what, const Status& status) {
    if (!status.ok()) Die("weir", what, status.ToString());
  }

  const Tuning tuning_;
  std::unique_ptr<kv::Store> store_;
  kv::WriteBatch batch_;
};

}  // namespace

std::unique_ptr<Contestant> MakeWeir(const Tuning& tuning) {
  return std::make_unique<Weir>(tuning);
}

}  // namespace weir::bench
