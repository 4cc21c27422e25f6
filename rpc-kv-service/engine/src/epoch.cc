#include "epoch.h"

namespace weir::kv {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kFences = false;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr bool kFences = false;
#else
constexpr bool kFences = true;
#endif
#else
constexpr bool kFences = true;
#endif

constexpr std::uint64_t kIdle = ~std::uint64_t{0};

// One per thread that has ever been pinned at the same time as the others; used again by later
// threads, never freed.
struct alignas(64) Reader {
  std::atomic<std::uint64_t> epoch{kIdle};  // in which it entered
  std::uint32_t depth = 0;                  // of pins; its thread's own
  std::atomic<bool> taken{true};
  Reader* next = nullptr;
};

std::atomic<std::uint64_t> g_epoch{1};
std::atomic<Reader*> g_readers{nullptr};

constinit thread_local Reader* t_reader = nullptr;

// Gives the reader back when its thread ends.
struct Registration {
  Registration() = default;
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  ~Registration() {
    if (t_reader == nullptr) return;
    if (t_reader->depth == 0) t_reader->taken.store(false, std::memory_order_release);
    t_reader = nullptr;
  }
  bool made = false;
};

Reader* FreeReader() {
  for (Reader* reader = g_readers.load(std::memory_order_acquire); reader != nullptr;
       reader = reader->next) {
    bool taken = false;
    if (!reader->taken.load(std::memory_order_relaxed) &&
        reader->taken.compare_exchange_strong(taken, true, std::memory_order_acquire)) {
      return reader;
    }
  }
  auto* reader = new Reader();
  reader->next = g_readers.load(std::memory_order_relaxed);
  while (!g_readers.compare_exchange_weak(reader->next, reader, std::memory_order_acq_rel)) {
  }
  return reader;
}

[[gnu::noinline]] Reader* Register() {
  thread_local Registration registration;
  registration.made = true;
  t_reader = FreeReader();
  return t_reader;
}

}  // namespace

Epochs::Pin Epochs::Enter() const noexcept {
  Reader* reader = t_reader;
  if (reader == nullptr) reader = Register();
  if (reader->depth++ == 0) {
    const std::uint64_t epoch = g_epoch.load(std::memory_order_acquire);
    // Either the pin is seen by who ends the epoch, or this thread sees the pointers it has put.
    // A release even here: whoever reads this value knows that the thread's last pin is over.
    if constexpr (kFences) {
      reader->epoch.store(epoch, std::memory_order_release);
      std::atomic_thread_fence(std::memory_order_seq_cst);
    } else {
      reader->epoch.exchange(epoch, std::memory_order_seq_cst);
    }
  }
  return Pin(this);
}

void Epochs::Leave() noexcept {
  Reader* reader = t_reader;
  if (--reader->depth == 0) reader->epoch.store(kIdle, std::memory_order_release);
}

std::uint64_t Epochs::End() noexcept {
  const std::uint64_t epoch = g_epoch.fetch_add(1, std::memory_order_seq_cst);
  if constexpr (kFences) std::atomic_thread_fence(std::memory_order_seq_cst);
  return epoch;
}

bool Epochs::Passed(std::uint64_t epoch) noexcept {
  for (const Reader* reader = g_readers.load(std::memory_order_acquire); reader != nullptr;
       reader = reader->next) {
    if (reader->epoch.load(std::memory_order_seq_cst) <= epoch) return false;
  }
  return true;
}

Epochs::~Epochs() {
  Destroy(open_);
  for (const Batch& batch : closed_) Destroy(batch.objects);
}

void Epochs::Destroy(const std::vector<Retired>& objects) {
  for (const Retired& retired : objects) retired.destroy(retired.object);
}

void Epochs::CloseBatch() {
  if (open_.empty()) return;
  closed_.push_back({End(), std::move(open_)});
  open_.clear();
}

void Epochs::TakePassed(std::vector<Retired>& out) {
  while (!closed_.empty() && Passed(closed_.front().epoch)) {
    std::vector<Retired>& objects = closed_.front().objects;
    out.insert(out.end(), objects.begin(), objects.end());
    closed_.pop_front();
  }
}

void Epochs::Retire(void* object, void (*destroy)(void*)) {
  std::vector<Retired> passed;
  {
    const std::lock_guard lock(mutex_);
    open_.push_back({object, destroy});
    if (open_.size() < kBatch) return;
    CloseBatch();
    TakePassed(passed);
  }
  Destroy(passed);
}

std::size_t Epochs::Collect() {
  std::vector<Retired> passed;
  std::size_t waiting = 0;
  {
    const std::lock_guard lock(mutex_);
    CloseBatch();
    TakePassed(passed);
    for (const Batch& batch : closed_) waiting += batch.objects.size();
  }
  Destroy(passed);
  return waiting;
}

}  // namespace weir::kv
