// Memory of short-lived objects, kept by the thread that freed it for the next of about that size.
#pragma once

#include <cstddef>

namespace weir::detail {

// Like operator new and delete; blocks up to 1 KiB come from and go to a bounded list of this
// thread.
void* AllocateRecycled(std::size_t bytes);
void FreeRecycled(void* memory, std::size_t bytes) noexcept;

}  // namespace weir::detail
