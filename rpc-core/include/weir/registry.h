// The registry seam: how providers announce themselves and consumers learn of them.
//
// A registry is chosen by URL ("zk://h1:2181,h2:2181/rpc", "file:///var/run/weir",
// "list://h:p*weight,h:p", "mem://name"). The libraries weir::registry and weir::zookeeper bring
// those schemes; a program adds its own with Registries().Add("scheme", factory).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/status.h"

namespace weir {

// Weights as the mission fixes them: -1 = not set (counts as kDefaultWeight), 0 = draining (gets no
// new calls), 1..kMaxWeight used as they are.
inline constexpr std::int32_t kWeightUnset = -1;
inline constexpr std::int32_t kDefaultWeight = 100;
inline constexpr std::int32_t kMaxWeight = 10'000;

// One provider of one service as a consumer sees it. A value.
struct Provider {
  std::string address;                   // canonical: Address::ToString
  std::int32_t weight = kDefaultWeight;  // effective: 0..kMaxWeight
  std::string zone = {};                 // its fact "zone"; empty: unknown
  std::int64_t started_ms = 0;           // its fact "started", since 1970; 0: unknown

  friend bool operator==(const Provider&, const Provider&) = default;
};

// An immutable list, sorted by address, without duplicates. Listeners get whole lists, never
// deltas.
using ProviderList = std::shared_ptr<const std::vector<Provider>>;

// Facts about a provider beyond its weight, name -> text: "version", "group", "zone", ...
// A registry adds "started" (milliseconds since 1970) itself.
// Names are made of letters, digits, '_', '-' and '.'.
// Names and texts together have at most kMaxFactsBytes.
using Facts = std::map<std::string, std::string, std::less<>>;
inline constexpr std::size_t kMaxFactsBytes = 4096;

// What a provider announces. A value.
struct Instance {
  std::string service;                 // fully qualified, "greeter.Greeter"
  std::string address;                 // under which consumers reach it
  std::int32_t weight = kWeightUnset;  // kWeightUnset, or 0..kMaxWeight
  Facts facts = {};                    // for those who ask (Registry::Inspect)
};

// A provider as its registry holds it, for operators. A value.
struct ProviderEntry {
  std::string address;
  std::string weight_text;               // what stands there, at most 64 bytes of it
  std::int32_t weight = kDefaultWeight;  // what consumers make of it: 0..kMaxWeight
  // When this entry was made; absent where a registry cannot tell.
  std::optional<std::chrono::system_clock::time_point> since = {};
  Facts facts = {};  // as announced; empty where there is none
};

// A standing announcement: lives as long as this object, whatever the registry goes through
// (expired sessions, restarts). A resource; destroying it withdraws the provider. Thread-safe.
class Registration {
 public:
  virtual ~Registration() = default;
  // Changes the announced weight; 0 drains. Applied as soon as the registry can be reached. It
  // stands until the next change, be it this provider's or an operator's (Registry::Reweigh).
  virtual void SetWeight(std::int32_t weight) = 0;
};

// A standing watch. A resource; when the destructor has returned the listener is not running and
// will not be called again (destroyed from within its own listener, it returns at once).
class Subscription {
 public:
  virtual ~Subscription() = default;
};

// Called one at a time, from a thread of the registry, first with the current state and then after
// every change. It must not block.
using ProviderListener = std::function<void(ProviderList)>;

// A small persistent text kept in the registry beside the providers, changed only by
// compare-and-set.
struct Document {
  std::string content;
  std::int64_t version = -1;  // as the registry counts it; -1: the document does not exist
};
using DocumentListener = std::function<void(Document)>;

// How long a call of a DocumentStore may block.
inline constexpr std::chrono::milliseconds kDocumentTimeout{5000};

// Persistent documents, for the registries that have a place for them. `path` is relative, of the
// form "<tree>/<name>..." ("kv/main/members" lives at /rpc-kv/main/members beside /rpc); each part
// is made of letters, digits, '_', '-' and '.', and does not begin with '.'. Anything else is
// INVALID_ARGUMENT. Thread-safe. Read and Write may block for up to kDocumentTimeout and must not
// be called from a listener.
class DocumentStore {
 public:
  virtual ~DocumentStore() = default;
  // An absent document is OK with version -1. UNAVAILABLE when the registry cannot be reached.
  virtual Result<Document> Read(std::string_view path) = 0;
  // Writes if the current version is `expected_version` (-1: only if absent) and returns the new
  // version. ABORTED when somebody else was faster.
  virtual Result<std::int64_t> Write(std::string_view path, std::string_view content,
                                     std::int64_t expected_version) = 0;
  // Follows the document as Registry::Watch follows a service.
  virtual Result<std::unique_ptr<Subscription>> Watch(std::string_view path,
                                                      DocumentListener listener) = 0;
};

// What a registry met since it was opened. A value.
struct RegistryCounters {
  std::uint64_t ignored_names = 0;     // nodes whose name is no address
  std::uint64_t rejected_weights = 0;  // weights that are no number from -1 to kMaxWeight
  std::uint64_t sessions = 0;          // sessions established with the registry's server
  std::uint64_t lost_sessions = 0;     // sessions that expired, or had to be taken for expired
  std::uint64_t disconnections = 0;    // connections lost, whatever became of their session
  std::uint64_t refusals = 0;          // operations refused for want of rights
  std::uint64_t takeovers = 0;         // nodes of a dead predecessor that were replaced
  std::uint64_t restorations = 0;      // own nodes that had vanished and were made again
};

// How a registry stands with what keeps it (a server, a directory). A value.
struct RegistryHealth {
  bool connected = true;
  // Since when. While not connected, what consumers know is as old as that.
  std::chrono::steady_clock::time_point since = {};
  // Why it is not connected, for people ("no ZooKeeper answers at h:2181"); empty when it is.
  std::string trouble = {};
};

// A registry. A resource, thread-safe; must outlive its registrations and subscriptions.
class Registry {
 public:
  virtual ~Registry() = default;
  // Announces `instance`. An unreachable registry is not an error here: the announcement is made as
  // soon as it can be. INVALID_ARGUMENT for a malformed instance; UNIMPLEMENTED where a scheme
  // cannot register (list://).
  virtual Result<std::unique_ptr<Registration>> Register(Instance instance) = 0;
  // Follows the providers of `service` (fully qualified). The first call of the listener comes when
  // the state is first known, which may be before Watch returns, or much later.
  virtual Result<std::unique_ptr<Subscription>> Watch(std::string service,
                                                      ProviderListener listener) = 0;
  // Waits until everything registered so far is visible to consumers. DEADLINE_EXCEEDED names the
  // registry and why it cannot be reached.
  virtual Status WaitUntilRegistered(std::int64_t timeout_ms) = 0;
  // Services known to this registry, sorted. UNIMPLEMENTED where a scheme cannot tell.
  virtual Result<std::vector<std::string>> Services() = 0;
  virtual RegistryCounters counters() const { return {}; }
  // Does not block.
  virtual RegistryHealth health() const { return {}; }

  // The two verbs of operators. Both may block for up to kDocumentTimeout and must not be called
  // from a listener. UNIMPLEMENTED where a scheme has nothing of the kind, UNAVAILABLE when the
  // registry cannot be reached.
  //
  // What the registry holds about a service, sorted by address; empty for an unknown one.
  virtual Result<std::vector<ProviderEntry>> Inspect(std::string_view service);
  // Changes the weight of somebody's provider, as Registration::SetWeight would. It stands through
  // sessions and reconnections of that provider, until its process ends or changes it. NOT_FOUND
  // when no such provider is registered, PERMISSION_DENIED without the right.
  virtual Status Reweigh(std::string_view service, std::string_view address, std::int32_t weight);

  // Null where a scheme has no place for documents.
  virtual DocumentStore* documents() noexcept { return nullptr; }
};

// "scheme://rest", split. A value.
struct RegistryUrl {
  std::string text;    // whole, for messages; never holds a password
  std::string scheme;  // lower case
  std::string rest;    // what stands behind "://"
  // INVALID_ARGUMENT names what is wrong and shows the known forms.
  static Result<RegistryUrl> Parse(std::string_view text);
};

using RegistryFactory = std::function<Result<std::shared_ptr<Registry>>(const RegistryUrl& url)>;

// Schemes by name. Thread-safe.
class RegistryTable {
 public:
  // Adds or replaces a scheme.
  void Add(std::string scheme, RegistryFactory factory);
  // Opens the registry a URL names. INVALID_ARGUMENT for a malformed URL or an unknown scheme
  // (the message lists the known ones).
  Result<std::shared_ptr<Registry>> Open(std::string_view url) const;
  std::vector<std::string> Schemes() const;  // sorted

 private:
  mutable std::mutex mutex_;
  std::map<std::string, RegistryFactory, std::less<>> factories_;
};

// The table of this process, already holding the schemes of the linked weir libraries.
RegistryTable& Registries();

}  // namespace weir
