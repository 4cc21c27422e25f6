#include "node_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

namespace weir::kv {

// The head of a page. Lies with those of its neighbours at the begin of the chunk, not in the page:
// addresses 32 KiB apart would compete for a few lines of the cache.
struct NodeMemory::Page {
  Page* previous;
  Page* next;
  std::uint16_t size_class;
  std::uint16_t places;
  std::uint16_t used;
  std::uint16_t fill;                                           // the list it is in
  std::array<std::uint64_t, kPageBytes / kMinSmall / 64> free;  // a bit per place
};

struct NodeMemory::Chunk {
  Chunk* previous;
  Chunk* next;
  std::uint32_t used;              // pages
  std::uint32_t touched;           // pages that have ever been used, from the first on
  Page* free;                      // pages that are empty again
  std::array<Page, kPages> pages;  // the first is never used
};

void NodeMemory::PageList::Push(Page* page) noexcept {
  page->previous = nullptr;
  page->next = first;
  if (first != nullptr) first->previous = page;
  first = page;
}

void NodeMemory::PageList::Remove(Page* page) noexcept {
  (page->previous != nullptr ? page->previous->next : first) = page->next;
  if (page->next != nullptr) page->next->previous = page->previous;
}

std::size_t NodeMemory::ClassOf(std::size_t bytes) noexcept {
  return (std::max(bytes, kMinSmall) + kGrain - 1) / kGrain;
}

NodeMemory::Chunk* NodeMemory::ChunkOf(const void* at) noexcept {
  return reinterpret_cast<Chunk*>(reinterpret_cast<std::uintptr_t>(at) & ~(kChunkBytes - 1));
}

char* NodeMemory::MemoryOf(Page* page) noexcept {
  Chunk* chunk = ChunkOf(page);
  return reinterpret_cast<char*>(chunk) +
         static_cast<std::size_t>(page - chunk->pages.data()) * kPageBytes;
}

NodeMemory::~NodeMemory() {
  for (Chunk* chunk : chunks_) {
    while (chunk != nullptr) ::munmap(std::exchange(chunk, chunk->next), kChunkBytes);
  }
}

bool NodeMemory::HasRoom(const Chunk& chunk) noexcept {
  return chunk.free != nullptr || chunk.touched < kPages;
}

void NodeMemory::Link(Chunk* chunk) noexcept {
  Chunk*& first = chunks_[HasRoom(*chunk) ? 1 : 0];
  chunk->previous = nullptr;
  chunk->next = first;
  if (first != nullptr) first->previous = chunk;
  first = chunk;
}

void NodeMemory::Unlink(Chunk* chunk) noexcept {
  (chunk->previous != nullptr ? chunk->previous->next : chunks_[HasRoom(*chunk) ? 1 : 0]) =
      chunk->next;
  if (chunk->next != nullptr) chunk->next->previous = chunk->previous;
}

NodeMemory::Chunk* NodeMemory::NewChunk() {
  static_assert(sizeof(Chunk) <= kPageBytes);
  // Twice as much, for what lies at a multiple of the size; the rest is given back.
  void* all = ::mmap(nullptr, 2 * kChunkBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED) throw std::bad_alloc();
  char* begin = static_cast<char*>(all);
  char* at =
      begin + (kChunkBytes - reinterpret_cast<std::uintptr_t>(begin) % kChunkBytes) % kChunkBytes;
  if (at != begin) ::munmap(begin, static_cast<std::size_t>(at - begin));
  if (char* end = at + kChunkBytes; end != begin + 2 * kChunkBytes) {
    ::munmap(end, static_cast<std::size_t>(begin + 2 * kChunkBytes - end));
  }
  auto* chunk = new (at) Chunk;  // the page heads are written when they are needed
  chunk->used = 0;
  chunk->touched = 1;
  chunk->free = nullptr;
  Link(chunk);
  return chunk;
}

// kFills for a full one.
std::size_t NodeMemory::FillOf(const Page& page) noexcept {
  return static_cast<std::uint32_t>(page.used * kFills) / page.places;
}

void NodeMemory::Refill(Page* page) noexcept {
  const std::size_t fill = FillOf(*page);
  if (fill == page->fill) return;
  auto& lists = open_[page->size_class];
  if (page->fill < kFills) lists[page->fill].Remove(page);
  if (fill < kFills) lists[fill].Push(page);
  page->fill = static_cast<std::uint16_t>(fill);
}

NodeMemory::Page* NodeMemory::NewPage(std::size_t size_class) {
  Chunk* chunk = chunks_[1] != nullptr ? chunks_[1] : NewChunk();
  if (chunk == spare_) spare_ = nullptr;
  Unlink(chunk);
  Page* page = chunk->free;
  if (page != nullptr) {
    chunk->free = page->next;
  } else {
    page = &chunk->pages[chunk->touched++];
    // Now it costs nothing in memory to have it in huge pages, which spare a walk through the page
    // tables on most reads. Kernels before 6.1 do not know how.
    constexpr int kCollapse = 25;  // MADV_COLLAPSE
    if (chunk->touched == kPages) ::madvise(chunk, kChunkBytes, kCollapse);
  }
  ++chunk->used;
  ++pages_;
  Link(chunk);
  page->size_class = static_cast<std::uint16_t>(size_class);
  page->places = static_cast<std::uint16_t>(kPageBytes / (size_class * kGrain));
  page->used = 0;
  page->free.fill(0);
  for (std::size_t i = 0; i < page->places; i += 64) {
    const std::size_t left = page->places - i;
    page->free[i / 64] = left >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << left) - 1;
  }
  page->fill = 0;
  open_[size_class][0].Push(page);
  return page;
}

void NodeMemory::ReleasePage(Page* page) noexcept {
  open_[page->size_class][page->fill].Remove(page);
  Chunk* chunk = ChunkOf(page);
  Unlink(chunk);
  page->next = chunk->free;
  chunk->free = page;
  --chunk->used;
  --pages_;
  if (chunk->used == 0 && spare_ != nullptr) {
    ::munmap(chunk, kChunkBytes);
    return;
  }
  if (chunk->used == 0) spare_ = chunk;
  Link(chunk);
}

void* NodeMemory::Allocate(std::size_t bytes) {
  if (bytes > kMaxSmall) {
    large_bytes_ += bytes;
    return ::operator new(bytes);
  }
  const std::size_t size_class = ClassOf(bytes);
  Page* page = nullptr;
  for (std::size_t fill = kFills; page == nullptr && fill > 0;) {
    page = open_[size_class][--fill].first;
  }
  if (page == nullptr) page = NewPage(size_class);
  std::size_t word = 0;
  while (page->free[word] == 0) ++word;
  const auto bit = static_cast<std::size_t>(std::countr_zero(page->free[word]));
  page->free[word] &= page->free[word] - 1;
  ++page->used;
  Refill(page);
  return MemoryOf(page) + (word * 64 + bit) * size_class * kGrain;
}

void NodeMemory::Free(void* memory, std::size_t bytes) noexcept {
  if (bytes > kMaxSmall) {
    large_bytes_ -= bytes;
    ::operator delete(memory);
    return;
  }
  Chunk* chunk = ChunkOf(memory);
  const auto at =
      static_cast<std::size_t>(static_cast<char*>(memory) - reinterpret_cast<char*>(chunk));
  Page* page = &chunk->pages[at / kPageBytes];
  const std::size_t place = static_cast<std::uint32_t>(at % kPageBytes) /
                            static_cast<std::uint32_t>(page->size_class * kGrain);
  page->free[place / 64] |= std::uint64_t{1} << (place % 64);
  --page->used;
  Refill(page);
  if (page->used == 0) ReleasePage(page);
}

void NodeMemory::Adopt(NodeMemory& other) noexcept {
  for (std::size_t i = 0; i < kClasses; ++i) {
    for (std::size_t fill = 0; fill < kFills; ++fill) {
      while (Page* page = other.open_[i][fill].first) {
        other.open_[i][fill].Remove(page);
        open_[i][fill].Push(page);
      }
    }
  }
  for (Chunk*& first : other.chunks_) {
    while (Chunk* chunk = first) {
      other.Unlink(chunk);
      Link(chunk);
    }
  }
  if (spare_ == nullptr) spare_ = other.spare_;
  other.spare_ = nullptr;
  pages_ += std::exchange(other.pages_, 0);
  large_bytes_ += std::exchange(other.large_bytes_, 0);
}

}  // namespace weir::kv
