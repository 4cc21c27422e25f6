// load and verify: many keys at once, with many calls on their way.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "input.h"
#include "session.h"
#include "text.h"
#include "weir/kv/refusal.h"

namespace weir::kv::tool {
namespace {

constexpr std::size_t kMostCalls = 256;      // on their way at once
constexpr std::size_t kMostBytes = 8 << 20;  // of values on their way at once

struct LoadArgs {
  std::string file;
  bool dpkg = false;
  std::string owner;
  std::string skip_owner;
};

// Keeps so many calls on their way, and gathers how they end. Thread-safe.
class Pipeline {
 public:
  // What became of a record that did not end well; `no`: it was answered, but not as hoped.
  struct Trouble {
    Status status;
    bool no = false;
  };

  // Waits for room. False if it is not worth going on.
  bool Take(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      return failed_ || (calls_ < kMostCalls && (bytes_ + bytes <= kMostBytes || calls_ == 0));
    });
    if (failed_) return false;
    ++calls_;
    bytes_ += bytes;
    return true;
  }
  void Succeeded(std::size_t bytes) {
    Ended(bytes, [this] { ++done_; });
  }
  void Troubled(std::size_t record, std::size_t bytes, Trouble trouble) {
    Ended(bytes, [&] {
      failed_ = failed_ || !trouble.no;
      troubles_.emplace(record, std::move(trouble));
    });
  }
  void WaitForAll() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return calls_ == 0; });
  }
  std::size_t done() const {
    const std::lock_guard lock(mutex_);
    return done_;
  }
  const std::map<std::size_t, Trouble>& troubles() const { return troubles_; }  // after WaitForAll

 private:
  template <class Note>
  void Ended(std::size_t bytes, Note note) {
    const std::lock_guard lock(mutex_);
    note();
    --calls_;
    bytes_ -= bytes;
    changed_.notify_all();  // under the lock: the waiter may destroy this
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t calls_ = 0;
  std::size_t bytes_ = 0;
  std::size_t done_ = 0;
  bool failed_ = false;
  std::map<std::size_t, Trouble> troubles_;  // by record
};

// Says how far it is, on standard error: in place on a terminal, else a line every second.
class Progress {
 public:
  Progress(const char* verb, std::size_t all)
      : verb_(verb), all_(all), terminal_(isatty(STDERR_FILENO) == 1) {}

  void Show(std::size_t done) {
    const auto now = Clock::now();
    if (now - shown_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(1))) {
      return;
    }
    shown_ = now;
    std::fprintf(stderr, terminal_ ? "\r%s %zu of %zu keys" : "%s %zu of %zu keys\n", verb_, done,
                 all_);
  }
  // Clears the line.
  double End() {
    if (terminal_) std::fprintf(stderr, "\r\033[K");
    return std::chrono::duration<double>(Clock::now() - start_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  const char* verb_;
  std::size_t all_;
  bool terminal_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point shown_ = start_;
};

Result<Input> ReadInput(const LoadArgs& args) {
  return Input::Read(args.file, args.dpkg ? InputFormat::kDpkg : InputFormat::kLines);
}

// The records the command is about: all, or those of some owner.
Result<std::vector<const Record*>> Choose(const Input& input, const LoadArgs& args,
                                          const Client& client) {
  std::vector<const Record*> chosen;
  for (const Record& record : input.records()) {
    if (!args.owner.empty() || !args.skip_owner.empty()) {
      const auto owner = client.OwnerOf(record.key);
      if (!owner.ok()) return owner.status();
      if (!args.owner.empty() && *owner != args.owner) continue;
      if (*owner == args.skip_owner) continue;
    }
    chosen.push_back(&record);
  }
  return chosen;
}

int Load(const Session& session, Client& client, const Input& input) {
  const auto& records = input.records();
  Pipeline pipeline;
  Progress progress("loaded", records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Record& record = records[i];
    const std::size_t bytes = record.value.size();
    if (!pipeline.Take(bytes)) break;
    progress.Show(pipeline.done());
    client.Put(record.key, record.value, AS_SERVER, [&pipeline, i, bytes](Status status) {
      if (status.ok()) return pipeline.Succeeded(bytes);
      pipeline.Troubled(i, bytes, {std::move(status)});
    });
  }
  pipeline.WaitForAll();
  const double seconds = progress.End();
  if (!pipeline.troubles().empty()) {
    const Status& first = pipeline.troubles().begin()->second.status;
    Complain(session.app,
             "loaded " + std::to_string(pipeline.done()) + " of " + std::to_string(records.size()) +
                 " keys, then: " + std::string(first.message()) + "; loading again does no harm");
    return ExitCodeFor(first);
  }
  std::printf("loaded %zu keys, %s, in %.2f s (%.0f keys/s)\n", records.size(),
              Size(input.bytes()).c_str(), seconds,
              static_cast<double>(records.size()) / std::max(seconds, 1e-6));
  return kExitOk;
}

// How a value differs from what the file holds.
std::string Difference(const Record& record, const std::string& file, std::string_view value) {
  const std::size_t shorter = std::min(value.size(), record.value.size());
  const auto at = std::mismatch(value.begin(), value.begin() + static_cast<std::ptrdiff_t>(shorter),
                                record.value.begin())
                      .first -
                  value.begin();
  return "key " + QuoteKey(record.key) + " differs from byte " + std::to_string(at) +
         " on: " + std::to_string(record.value.size()) + " bytes in " + file + ", " +
         std::to_string(value.size()) + " in the store";
}

int Verify(const Session& session, Client& client, const Input& input, const LoadArgs& args) {
  const auto chosen = Choose(input, args, client);
  if (!chosen.ok()) return session.Fail(chosen.status());
  Pipeline pipeline;
  Progress progress("verified", chosen->size());
  for (std::size_t i = 0; i < chosen->size(); ++i) {
    const Record& record = *(*chosen)[i];
    const std::size_t bytes = record.value.size();
    if (!pipeline.Take(bytes)) break;
    progress.Show(pipeline.done());
    client.Get(record.key, [&, i, bytes](Result<std::string> value) {
      const Record& expected = *(*chosen)[i];
      if (value.ok() && *value == expected.value) return pipeline.Succeeded(bytes);
      if (value.ok()) {
        return pipeline.Troubled(
            i, bytes,
            {Status(StatusCode::kDataLoss, Difference(expected, args.file, *value)), true});
      }
      if (value.status().code() == StatusCode::kNotFound) {
        return pipeline.Troubled(
            i, bytes, {NotFound("key " + QuoteKey(expected.key) + " is not in the store"), true});
      }
      pipeline.Troubled(i, bytes, {std::move(value).status()});
    });
  }
  pipeline.WaitForAll();
  const double seconds = progress.End();
  for (const auto& [record, trouble] : pipeline.troubles()) {
    if (trouble.no) continue;
    Complain(session.app, "verified " + std::to_string(pipeline.done()) + " of " +
                              std::to_string(chosen->size()) +
                              " keys, then: " + std::string(trouble.status.message()));
    return ExitCodeFor(trouble.status);
  }
  if (const auto& troubles = pipeline.troubles(); !troubles.empty()) {
    Complain(session.app, std::to_string(troubles.size()) + " of " +
                              std::to_string(chosen->size()) + " keys differ; the first: " +
                              std::string(troubles.begin()->second.status.message()));
    return kExitNo;
  }
  std::printf("verified %zu keys byte for byte in %.2f s\n", chosen->size(), seconds);
  return kExitOk;
}

CLI::App* AddFileCommand(CLI::App& app, const char* name, const char* about,
                         const std::shared_ptr<LoadArgs>& args) {
  CLI::App* command = app.add_subcommand(name, about);
  command->add_option("FILE", args->file, "Lines of KEY<TAB>VALUE; every key once")->required();
  command->add_flag("--dpkg", args->dpkg,
                    "FILE is a package database such as /var/lib/dpkg/status: a key per package,\n"
                    "with the architecture (libc6:amd64) where several can be installed, and its\n"
                    "stanza as the value, byte for byte");
  return command;
}

}  // namespace

void AddLoadCommands(CLI::App& app, const std::shared_ptr<Session>& session, int* exit_code) {
  const auto load_args = std::make_shared<LoadArgs>();
  CLI::App* load = AddFileCommand(app, "load", "Store what a file holds", load_args);
  load->callback([=] {
    const auto input = ReadInput(*load_args);
    if (!input.ok()) return void(*exit_code = session->Fail(input.status()));
    *exit_code = session->With([&](Client& client) { return Load(*session, client, *input); });
  });

  const auto args = std::make_shared<LoadArgs>();
  CLI::App* verify =
      AddFileCommand(app, "verify", "Read back what a file holds and compare, byte for byte", args);
  verify->add_option("--owner", args->owner, "Only keys that this provider owns")
      ->type_name("ADDRESS");
  verify->add_option("--skip-owner", args->skip_owner, "Only keys that this provider does not own")
      ->type_name("ADDRESS");
  verify->callback([=] {
    const auto input = ReadInput(*args);
    if (!input.ok()) return void(*exit_code = session->Fail(input.status()));
    *exit_code =
        session->With([&](Client& client) { return Verify(*session, client, *input, *args); });
  });
}

}  // namespace weir::kv::tool
