// T15: whatever is done to the files of a store, it is refused or shows a state that it had, and
// does not crash. The input is a list of changes to a sound store, five bytes each:
//
//   | file 1 | what 1 | where 2 | byte 1 |
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "weir/kv/store.h"
#include "weir/kv/testing/in_memory_vfs.h"
#include "weir/log.h"

using namespace weir::kv;

namespace {

using Model = std::map<std::string, std::string>;

const std::string kDirectory = "/store";

Options OptionsOf(std::shared_ptr<Vfs> vfs) {
  Options options;
  options.vfs = std::move(vfs);
  options.segment_size = 4096;
  options.merge.automatic = false;
  options.open_threads = 1;
  return options;
}

// Nothing if a record is refused: a start from hints does not read them all.
std::optional<Model> Contents(Store& store) {
  Model contents;
  auto scan = store.Scan({});
  for (; scan->Valid(); scan->Next()) contents.emplace(scan->key(), scan->value());
  if (!scan->status().ok()) return std::nullopt;
  return contents;
}

// Several segments with batches and tombstones, closed cleanly, and all states it went through.
struct Sound {
  Sound() {
    weir::SetLogLevel(weir::LogLevel::kOff);
    const auto vfs = std::make_shared<InMemoryVfs>();
    auto store = *Store::Open(kDirectory, OptionsOf(vfs));
    Model model;
    states.insert(model);
    for (int i = 0; i < 40; ++i) {
      WriteBatch batch;
      const std::string key = "key" + std::to_string(i % 9);
      const std::string value(100 + i * 3 % 200, static_cast<char>('a' + i % 26));
      batch.Put(key, value);
      model[key] = value;
      if (i % 3 == 0) {
        batch.Delete("key" + std::to_string((i + 4) % 9));
        model.erase("key" + std::to_string((i + 4) % 9));
      }
      if (!store->Write(batch).ok()) std::abort();
      states.insert(model);
    }
    store.reset();
    files = vfs->Clone();
    names = *files->List(kDirectory);
  }
  std::unique_ptr<InMemoryVfs> files;
  std::vector<std::string> names;
  std::set<Model> states;
};

void Change(InMemoryVfs& vfs, const Sound& sound, const std::uint8_t* change) {
  const auto path = [&](std::uint8_t i) {
    return kDirectory + "/" + sound.names[i % sound.names.size()];
  };
  std::string contents = vfs.Contents(path(change[0]));
  const std::size_t where = contents.empty() ? 0 : (change[2] | change[3] << 8) % contents.size();
  switch (change[1] % 8) {
    case 0:
      if (!contents.empty()) contents[where] = static_cast<char>(change[4]);
      break;
    case 1:
      if (!contents.empty()) contents[where] = static_cast<char>(contents[where] ^ change[4]);
      break;
    case 2:
      contents.resize(where);
      break;
    case 3:
      contents.append(1 + change[2], static_cast<char>(change[4]));
      break;
    case 4:
      contents.insert(where, 1, static_cast<char>(change[4]));
      break;
    case 5:
      contents = vfs.Contents(path(change[4]));
      break;
    case 6:
      (void)vfs.Remove(path(change[0]));
      return;
    default:
      contents.erase(where, 1 + change[4] % 16);
  }
  vfs.SetContents(path(change[0]), std::move(contents));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Sound sound;
  const std::shared_ptr<InMemoryVfs> vfs = sound.files->Clone();
  for (std::size_t at = 0; at + 5 <= size && at < 5 * 32; at += 5) Change(*vfs, sound, data + at);
  // Without MANIFEST and segments there is a new, empty store: that, too, is a state it had.
  const bool manifest_removed = !vfs->Exists(kDirectory + "/MANIFEST");
  auto store = Store::Open(kDirectory, OptionsOf(vfs));
  if (!store.ok()) {
    if (store.status().message().find(kDirectory) == std::string::npos) std::abort();
    return 0;
  }
  if (manifest_removed) return 0;
  const auto contents = Contents(**store);
  if (contents && !sound.states.contains(*contents)) {
    std::cerr << "a state that the store never had:\n";
    for (const auto& [key, value] : *contents) {
      std::cerr << key << " = " << value.substr(0, 1) << " * " << value.size() << '\n';
    }
    std::abort();
  }
  return 0;
}
