#include "zookeeper/node_reads.h"

#include <utility>

namespace weir::discovery {

void NodeReads::Start(ZkSession& session, std::deque<NodeRead> reads, Each each, Done done) {
  const std::shared_ptr<NodeReads> round(
      new NodeReads(session, std::move(reads), std::move(each), std::move(done)));
  if (round->reads_.empty()) return round->done_();
  while (round->reading_ < kMaxReads && !round->reads_.empty()) round->Ask();
}

void NodeReads::Ask() {
  const NodeRead read = std::move(reads_.front());
  reads_.pop_front();
  ++reading_;
  session_.Get(read.path, read.watch, [self = shared_from_this(), read](const ZkReply& reply) {
    --self->reading_;
    if (!self->each_(read.path, reply)) self->reads_.clear();
    if (!self->reads_.empty()) return self->Ask();
    if (self->reading_ == 0) self->done_();
  });
}

}  // namespace weir::discovery
