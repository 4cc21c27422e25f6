// The three forms of a handler, mixed in one service, and a service whose names had to be escaped.
#include <asio/use_awaitable.hpp>
#include <memory>
#include <thread>
#include <utility>

#include "forms.weir.h"
#include "no_package.weir.h"
#include "rich.weir.h"
#include "shared/types.weir.h"

namespace {

class FormsImpl final : public forms::Forms::Service<FormsImpl> {
 public:
  weir::Result<forms::Answer> Plain(weir::ServerContext&, const forms::Question& question) {
    forms::Answer answer;
    answer.set_text(question.text());
    return answer;
  }
  asio::awaitable<weir::Result<forms::Answer>> Coroutine(weir::ServerContext&,
                                                         const forms::Question& question) {
    forms::Answer answer;
    answer.set_text(question.text());
    co_return answer;
  }
  void Deferred(weir::ServerContext&, const forms::Question& question,
                weir::Reply<forms::Answer> reply) {
    std::thread([&question, reply = std::move(reply)]() mutable {
      forms::Answer answer;
      answer.set_text(question.text());
      reply(answer);
    }).detach();
  }
  weir::Result<forms::Answer> Blocking(weir::ServerContext&, const forms::Question&) const {
    return forms::Answer();
  }
};

namespace rich = weir::test::rich;

// Handlers may also be inherited, const and noexcept.
class Answers {
 public:
  using Reply = weir::Result<rich::Outer>;
  Reply Stub_(weir::ServerContext&, const rich::Outer& outer) const noexcept { return outer; }
  Reply StubBase_(weir::ServerContext&, const rich::Outer& outer) { return outer; }
  Reply Service_(weir::ServerContext&, const rich::Outer& outer) { return outer; }
  Reply class_(weir::ServerContext&, const rich::Outer& outer) { return outer; }
  Reply co_await_(weir::ServerContext&, const rich::Outer& outer) { return outer; }
  Reply info_(weir::ServerContext&, const rich::Outer& outer) { return outer; }
  Reply methods_(weir::ServerContext&, const rich::Outer& outer) { return outer; }
  Reply Call_(weir::ServerContext&, const rich::Outer& outer) { return outer; }
  Reply kInfo_(weir::ServerContext&, const rich::Outer& outer) { return outer; }
  Reply CompletionToken_(weir::ServerContext&, const rich::Outer& outer) { return outer; }
  Reply request(weir::ServerContext&, const rich::Outer& outer) { return outer; }
  Reply token(weir::ServerContext&, const rich::Outer& outer) { return outer; }
  Reply Inner(weir::ServerContext&, const rich::Outer& outer) { return outer; }
};
class EscapedImpl final : public rich::Stub_::Service<EscapedImpl>, public Answers {
 public:
  Reply weir(::weir::ServerContext&, const rich::Outer& outer) { return outer; }
  Reply std(::weir::ServerContext&, const rich::Outer& outer) { return outer; }
  Reply Result(::weir::ServerContext&, const rich::Outer& outer) { return outer; }
};

class NothingImpl final : public rich::Nothing::Service<NothingImpl> {};

class RootImpl final : public RootService::Service<RootImpl> {
 public:
  weir::Result<RootReply> Ask(weir::ServerContext&, const RootRequest&) { return RootReply(); }
};

// What the generated tables say.
static_assert(forms::Forms::kInfo.full_name == "forms.Forms");
static_assert(forms::Forms::kInfo.methods.size() == 4);
static_assert(forms::Forms::kMethods[3].blocking && !forms::Forms::kMethods[2].blocking);
static_assert(forms::Forms::kMethods[2].index == 2);
static_assert(forms::Forms::kMethods[2].full_name == "forms.Forms/Deferred");
static_assert(rich::Store::kMethods[0].idempotent && rich::Store::kMethods[1].idempotent);
static_assert(!rich::Store::kMethods[2].idempotent);
static_assert(rich::Stub_::kMethods[3].full_name == "weir.test.rich.Stub/class");
static_assert(rich::Nothing::kInfo.methods.empty());

}  // namespace

std::unique_ptr<weir::Service> MakeForms() {
  return std::make_unique<FormsImpl>();
}
std::unique_ptr<weir::Service> MakeEscaped() {
  return std::make_unique<EscapedImpl>();
}
std::unique_ptr<weir::Service> MakeNothing() {
  return std::make_unique<NothingImpl>();
}
std::unique_ptr<weir::Service> MakeRoot() {
  return std::make_unique<RootImpl>();
}
