// The Ring of io_uring(7), with liburing.
#include <liburing.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <string>

#include "buffer/io_budget.h"
#include "runtime/io_uring_probe.h"
#include "runtime/ring.h"

namespace weir {
namespace {

constexpr unsigned kSubmissions = 512;
constexpr unsigned kCompletions = 4096;
// Completions looked at together.
constexpr unsigned kBatch = 64;
// What completes while a turn ends still belongs to it, for so many rounds; then timers, other
// threads and new connections come first.
constexpr int kRounds = 4;

// What is received goes here until the protocol has seen it: shared by the reactor's connections,
// so that an idle one holds nothing. Pages that are never used take no memory.
constexpr int kBufferGroup = 0;
constexpr unsigned kBuffers = 128;
constexpr std::size_t kBufferBytes = 16 * 1024;
constexpr std::size_t kMemory = kBuffers * kBufferBytes;
constexpr std::size_t kIndexBytes = kBuffers * sizeof(io_uring_buf);

class Pages {
 public:
  explicit Pages(std::size_t bytes) noexcept
      : bytes_(bytes),
        start_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
  }
  ~Pages() {
    if (ok()) ::munmap(start_, bytes_);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  bool ok() const noexcept { return start_ != MAP_FAILED; }
  char* data() const noexcept { return static_cast<char*>(start_); }

 private:
  const std::size_t bytes_;
  void* const start_;
};

class IoUring final : public Ring {
 public:
  explicit IoUring(Reactor& reactor)
      : reactor_(reactor), index_(kIndexBytes), memory_(kMemory), watch_(reactor.io()) {
    IoBudget::Take(kMemory);
  }
  ~IoUring() override {
    if (open_) io_uring_queue_exit(&ring_);
    IoBudget::Give(kMemory);
  }

  Status Init();
  void Start() override { Watch(); }
  void Stop() override;

  bool Receive(RingOperation& operation, int descriptor) override;
  std::size_t largest_piece() const noexcept override { return kBufferBytes; }
  bool AwaitReadable(RingOperation& operation, int descriptor) override;
  bool Send(RingOperation& operation, int descriptor, const msghdr& message) override;
  void Cancel(RingOperation& operation) override;
  void Submit() override;
  void OnTurnEnd() override;

 private:
  io_uring_sqe* NextRequest();
  // Asks for an operation that was prepared.
  bool Begin(io_uring_sqe* request, RingOperation& operation);
  void Watch();
  // Acts on what is complete.
  void CompleteBatch();
  void CompleteOne(const io_uring_cqe& done);
  void GiveBack(unsigned short buffer) noexcept;

  Reactor& reactor_;
  const Pages index_;  // of the buffers, shared with the kernel
  const Pages memory_;
  io_uring ring_{};
  bool open_ = false;
  int rounds_ = 0;  // of this turn
  bool stopped_ = false;
  std::size_t under_way_ = 0;  // operations
  asio::posix::stream_descriptor watch_;
};

Status IoUring::Init() {
  if (!index_.ok() || !memory_.ok()) return Unavailable("no memory for the buffers of a ring");
  io_uring_params params{};
  params.flags = kRingFlags | IORING_SETUP_CQSIZE;
  params.cq_entries = kCompletions;
  if (const int error = io_uring_queue_init_params(kSubmissions, &ring_, &params); error != 0) {
    return Unavailable(std::string("io_uring_setup: ") + std::strerror(-error));
  }
  open_ = true;
  io_uring_ring_dontfork(&ring_);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(index_.data());
  registration.ring_entries = kBuffers;
  registration.bgid = kBufferGroup;
  if (const int error = io_uring_register_buf_ring(&ring_, &registration, 0); error != 0) {
    return Unavailable(std::string("io_uring_register of buffers: ") + std::strerror(-error));
  }
  io_uring_buf_ring_init(reinterpret_cast<io_uring_buf_ring*>(index_.data()));
  for (unsigned short i = 0; i < kBuffers; ++i) GiveBack(i);
  asio::error_code error;
  // A descriptor of its own, because Asio closes what it watches.
  watch_.assign(::dup(ring_.ring_fd), error);
  return error ? Unavailable("cannot watch a ring: " + error.message()) : Status();
}

void IoUring::GiveBack(unsigned short buffer) noexcept {
  auto* index = reinterpret_cast<io_uring_buf_ring*>(index_.data());
  io_uring_buf_ring_add(index, memory_.data() + buffer * kBufferBytes, kBufferBytes, buffer,
                        io_uring_buf_ring_mask(kBuffers), 0);
  io_uring_buf_ring_advance(index, 1);
}

void IoUring::Stop() {
  asio::error_code ignored;
  watch_.close(ignored);
  stopped_ = true;
  if (under_way_ > 0) {
    io_uring_sqe* request = NextRequest();
    io_uring_prep_cancel64(request, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
    io_uring_sqe_set_data(request, nullptr);
  }
  while (under_way_ > 0) {
    io_uring_submit_and_wait(&ring_, 1);
    const Reactor::Turn turn(reactor_);
    CompleteBatch();
  }
}

io_uring_sqe* IoUring::NextRequest() {
  io_uring_sqe* request = io_uring_get_sqe(&ring_);
  while (request == nullptr) {  // full
    Submit();
    request = io_uring_get_sqe(&ring_);
  }
  return request;
}

bool IoUring::Begin(io_uring_sqe* request, RingOperation& operation) {
  io_uring_sqe_set_data(request, &operation);
  ++under_way_;
  reactor_.AtTurnEnd(*this);
  return true;
}

bool IoUring::Receive(RingOperation& operation, int descriptor) {
  if (stopped_) return false;
  io_uring_sqe* request = NextRequest();
  io_uring_prep_recv_multishot(request, descriptor, nullptr, 0, 0);
  request->flags |= IOSQE_BUFFER_SELECT;
  request->buf_group = kBufferGroup;
  return Begin(request, operation);
}

bool IoUring::AwaitReadable(RingOperation& operation, int descriptor) {
  if (stopped_) return false;
  io_uring_sqe* request = NextRequest();
  io_uring_prep_poll_add(request, descriptor, POLLIN);
  return Begin(request, operation);
}

bool IoUring::Send(RingOperation& operation, int descriptor, const msghdr& message) {
  if (stopped_) return false;
  io_uring_sqe* request = NextRequest();
  if (message.msg_iovlen == 1) {
    io_uring_prep_send(request, descriptor, message.msg_iov->iov_base, message.msg_iov->iov_len,
                       MSG_NOSIGNAL);
  } else {
    io_uring_prep_sendmsg(request, descriptor, &message, MSG_NOSIGNAL);
  }
  return Begin(request, operation);
}

void IoUring::Cancel(RingOperation& operation) {
  if (stopped_) return;
  io_uring_sqe* request = NextRequest();
  io_uring_prep_cancel(request, &operation, 0);
  request->flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data(request, nullptr);
  reactor_.AtTurnEnd(*this);
}

void IoUring::Submit() {
  // What the kernel does not take now (it is short of memory) it is offered again.
  if (io_uring_sq_ready(&ring_) > 0 && io_uring_submit(&ring_) < 0) reactor_.AtTurnEnd(*this);
}

void IoUring::OnTurnEnd() {
  if (reactor_.HasTurnEnds()) return reactor_.AtTurnEnd(*this);  // the last one
  Submit();
  if (++rounds_ < kRounds && io_uring_cq_ready(&ring_) > 0) {
    reactor_.RefreshNow();
    CompleteBatch();
    return;
  }
  rounds_ = 0;
}

void IoUring::Watch() {
  watch_.async_wait(asio::posix::stream_descriptor::wait_read,
                    [this](const asio::error_code& error) {
                      if (error) return;
                      {
                        const Reactor::Turn turn(reactor_);
                        CompleteBatch();
                      }
                      Watch();
                    });
}

void IoUring::CompleteBatch() {
  std::array<io_uring_cqe*, kBatch> ready;
  std::array<io_uring_cqe, kBatch> batch;
  // No more than there is now, so that a turn ends.
  for (unsigned left = io_uring_cq_ready(&ring_); left > 0;) {
    const unsigned count = io_uring_peek_batch_cqe(&ring_, ready.data(), std::min(left, kBatch));
    if (count == 0) break;
    for (unsigned i = 0; i < count; ++i) batch[i] = *ready[i];
    io_uring_cq_advance(&ring_, count);
    for (unsigned i = 0; i < count; ++i) CompleteOne(batch[i]);
    left -= count;
  }
}

void IoUring::CompleteOne(const io_uring_cqe& done) {
  auto* operation = static_cast<RingOperation*>(io_uring_cqe_get_data(&done));
  if (operation == nullptr) return;  // a cancellation that came too late
  const bool last = (done.flags & IORING_CQE_F_MORE) == 0;
  if (last) --under_way_;
  RingOperation::Outcome outcome{stopped_ ? -ECANCELED : done.res, {}, last};
  if ((done.flags & IORING_CQE_F_BUFFER) == 0) return operation->complete(operation, outcome);
  const auto buffer = static_cast<unsigned short>(done.flags >> IORING_CQE_BUFFER_SHIFT);
  if (outcome.result > 0) {
    outcome.bytes = {memory_.data() + buffer * kBufferBytes,
                     static_cast<std::size_t>(outcome.result)};
  }
  operation->complete(operation, outcome);
  GiveBack(buffer);
}

}  // namespace

Result<std::unique_ptr<Ring>> Ring::Open(Reactor& reactor) {
  if (Status status = ProbeIoUring(); !status.ok()) return status;
  auto ring = std::make_unique<IoUring>(reactor);
  if (Status status = ring->Init(); !status.ok()) return status;
  return std::unique_ptr<Ring>(std::move(ring));
}

}  // namespace weir
