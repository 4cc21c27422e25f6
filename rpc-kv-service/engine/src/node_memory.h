// Memory for the nodes of the index: nodes of like size lie in pages of their own, so that copying
// a node on every write neither costs much nor leaves holes that fit nothing.
//
// Chunks of 4 MiB are cut into pages of 32 KiB, each for one size (a multiple of 32 bytes). A page
// that gets a free place is used first, so that emptier ones drain; an empty page is cut anew for
// any size, an empty chunk goes back to the operating system. Larger nodes come from operator new.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::kv {

// For one thread at a time.
class NodeMemory {
 public:
  NodeMemory() = default;
  NodeMemory(NodeMemory&& other) noexcept { Adopt(other); }
  NodeMemory& operator=(NodeMemory&&) = delete;
  // Frees all that was allocated, large ones excepted.
  ~NodeMemory();

  // At a multiple of 16.
  void* Allocate(std::size_t bytes);
  void Free(void* memory, std::size_t bytes) noexcept;
  // Takes over all that `other` has allocated; it is empty then.
  void Adopt(NodeMemory& other) noexcept;

  // What the operating system gives for it, but for places that were never used.
  std::size_t bytes() const noexcept { return pages_ * kPageBytes + large_bytes_; }

 private:
  static constexpr std::size_t kChunkBytes = std::size_t{4} << 20;
  static constexpr std::size_t kPageBytes = std::size_t{32} << 10;
  static constexpr std::size_t kPages = kChunkBytes / kPageBytes;  // the first has their heads
  static constexpr std::size_t kGrain = 32;
#if defined(__SANITIZE_ADDRESS__)
  static constexpr std::size_t kMaxSmall = 0;  // all from operator new, which is watched
#else
  static constexpr std::size_t kMaxSmall = 4096;
#endif
  static constexpr std::size_t kMinSmall = 64;
  static constexpr std::size_t kClasses = kMaxSmall / kGrain + 1;

  struct Page;
  struct Chunk;
  struct PageList {
    Page* first = nullptr;
    void Push(Page* page) noexcept;
    void Remove(Page* page) noexcept;
  };
  static std::size_t ClassOf(std::size_t bytes) noexcept;
  static Chunk* ChunkOf(const void* at) noexcept;
  static char* MemoryOf(Page* page) noexcept;
  static std::size_t FillOf(const Page& page) noexcept;
  void Refill(Page* page) noexcept;  // into the list it belongs to now
  Page* NewPage(std::size_t size_class);
  void ReleasePage(Page* page) noexcept;
  Chunk* NewChunk();
  static bool HasRoom(const Chunk& chunk) noexcept;
  void Link(Chunk* chunk) noexcept;    // into the list it belongs to
  void Unlink(Chunk* chunk) noexcept;  // from the list it is in, before it belongs to another

  static constexpr std::size_t kFills = 4;                     // how full a page is, in quarters
  std::array<std::array<PageList, kFills>, kClasses> open_{};  // pages with free places
  std::array<Chunk*, 2> chunks_{};  // full ones; those with room for pages
  Chunk* spare_ = nullptr;          // an empty one
  std::size_t pages_ = 0;
  std::size_t large_bytes_ = 0;
};

}  // namespace weir::kv
