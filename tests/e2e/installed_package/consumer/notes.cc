// A service and a call of it, made with an installed protoc-gen-weir.
#include <memory>

#include "notes.weir.h"

namespace {

class NotesImpl final : public notes::Notes::Service<NotesImpl> {
 public:
  weir::Result<notes::Note> Keep(weir::ServerContext&, const notes::Note& note) { return note; }
};

}  // namespace

std::unique_ptr<weir::Service> MakeNotes() {
  return std::make_unique<NotesImpl>();
}

weir::Result<notes::Note> Keep(const notes::Notes::Stub& stub, const notes::Note& note) {
  return stub.Keep(note);
}
