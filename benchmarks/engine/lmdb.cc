// LMDB, with and without a writable map. A transaction for every write; readers keep theirs and
// renew it for every get, which is the cheapest way to see what is there now.
#include <lmdb.h>

#include <filesystem>

#include "engine/contestant.h"

namespace weir::bench {
namespace {

constexpr std::size_t kMapBytes = std::size_t{64} << 30;  // of address space; the file is sparse

MDB_val ToVal(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};  // LMDB does not write to what it is given
}
std::string_view ToView(const MDB_val& val) {
  return {static_cast<const char*>(val.mv_data), val.mv_size};
}

void Check(const char* what, int code) {
  if (code != MDB_SUCCESS) Die("lmdb", what, mdb_strerror(code));
}

// A reading transaction of this thread, reset between gets.
struct Reader {
  Reader() = default;
  ~Reader() { End(); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  void End() {
    if (txn != nullptr) mdb_txn_abort(txn);
    txn = nullptr;
  }
  MDB_txn* txn = nullptr;
};
thread_local Reader t_reader;

class Lmdb final : public Contestant {
 public:
  explicit Lmdb(bool has_write_map) : has_write_map_(has_write_map) {}

  void Open(const std::string& directory, const Setup& setup) override {
    std::filesystem::create_directories(directory);
    unsigned flags = MDB_NOTLS;
    if (!setup.sync) flags |= MDB_NOSYNC;
    if (has_write_map_) flags |= MDB_WRITEMAP;
    Check("create", mdb_env_create(&env_));
    Check("map size", mdb_env_set_mapsize(env_, kMapBytes));
    Check("open", mdb_env_open(env_, directory.c_str(), flags, 0644));
    MDB_txn* txn = Begin(0);
    Check("open", mdb_dbi_open(txn, nullptr, 0, &dbi_));
    Check("open", mdb_txn_commit(txn));
  }
  void Close() override {
    t_reader.End();  // other threads have ended theirs by ending
    mdb_env_close(env_);
    env_ = nullptr;
  }
  void Put(std::string_view key, std::string_view value) override {
    const KeyAndValue pair(key, value);
    Write({&pair, 1});
  }
  void Delete(std::string_view key) override {
    MDB_txn* txn = Begin(0);
    MDB_val k = ToVal(key);
    const int code = mdb_del(txn, dbi_, &k, nullptr);
    if (code != MDB_NOTFOUND) Check("delete", code);
    Check("commit", mdb_txn_commit(txn));
  }
  bool Get(std::string_view key, std::string* value) override {
    if (t_reader.txn == nullptr) {
      t_reader.txn = Begin(MDB_RDONLY);
    } else {
      Check("renew", mdb_txn_renew(t_reader.txn));
    }
    MDB_val k = ToVal(key);
    MDB_val v;
    const int code = mdb_get(t_reader.txn, dbi_, &k, &v);
    if (code == MDB_SUCCESS) value->assign(ToView(v));
    mdb_txn_reset(t_reader.txn);
    if (code == MDB_NOTFOUND) return false;
    Check("get", code);
    return true;
  }
  void Write(std::span<const KeyAndValue> batch) override {
    MDB_txn* txn = Begin(0);
    for (const auto& [key, value] : batch) {
      MDB_val k = ToVal(key);
      MDB_val v = ToVal(value);
      Check("put", mdb_put(txn, dbi_, &k, &v, 0));
    }
    Check("commit", mdb_txn_commit(txn));
  }
  void Scan(const std::function<void(std::string_view, std::string_view)>& visit) override {
    MDB_txn* txn = Begin(MDB_RDONLY);
    MDB_cursor* cursor = nullptr;
    Check("cursor", mdb_cursor_open(txn, dbi_, &cursor));
    MDB_val k;
    MDB_val v;
    int code = mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
    for (; code == MDB_SUCCESS; code = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
      visit(ToView(k), ToView(v));
    }
    if (code != MDB_NOTFOUND) Check("scan", code);
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
  }
  bool Merge(Pace) override { return false; }
  bool writes_through_mapping() const override { return has_write_map_; }

 private:
  MDB_txn* Begin(unsigned flags) {
    MDB_txn* txn = nullptr;
    Check("begin", mdb_txn_begin(env_, nullptr, flags, &txn));
    return txn;
  }

  const bool has_write_map_;
  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
};

}  // namespace

std::unique_ptr<Contestant> MakeLmdb(const Tuning&) {
  return std::make_unique<Lmdb>(false);
}

std::unique_ptr<Contestant> MakeLmdbWithWriteMap(const Tuning&) {
  return std::make_unique<Lmdb>(true);
}

}  // namespace weir::bench
