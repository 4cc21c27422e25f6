#include "zookeeper/node_reads.h"

#include <utility>

namespace weir::discovery {

void NodeReads::Start(ZkSession& session, std::deque<std::string> paths, bool watch, Each each,
                      Done done) {
  const std::shared_ptr<NodeReads> reads(
      new NodeReads(session, std::move(paths), watch, std::move(each), std::move(done)));
  if (reads->paths_.empty()) return reads->done_();
  while (reads->reading_ < kMaxReads && !reads->paths_.empty()) reads->Ask();
}

void NodeReads::Ask() {
  const std::string path = std::move(paths_.front());
  paths_.pop_front();
  ++reading_;
  session_.Get(path, watch_, [self = shared_from_this(), path](const ZkReply& reply) {
    --self->reading_;
    if (!self->each_(path, reply)) self->paths_.clear();
    if (!self->paths_.empty()) return self->Ask();
    if (self->reading_ == 0) self->done_();
  });
}

}  // namespace weir::discovery
