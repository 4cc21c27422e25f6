// A stub called in every way: blocking, callback, coroutine, future.
#include <asio/awaitable.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <chrono>
#include <future>
#include <type_traits>

#include "forms.weir.h"
#include "no_package.weir.h"
#include "rich.weir.h"

namespace rich = weir::test::rich;
using std::chrono::milliseconds;

weir::Result<forms::Answer> Block(const weir::Channel& channel, const forms::Question& question) {
  forms::Forms::Stub stub(channel);
  if (weir::Result<forms::Answer> first = stub.Plain(question); !first.ok()) return first;
  return stub.Plain(question, weir::Timeout(milliseconds(50)));
}

void CallBack(const forms::Forms::Stub& stub, const forms::Question& question) {
  stub.Plain(question, {}, [](const weir::Result<forms::Answer>&) {});
}

std::future<weir::Result<forms::Answer>> Promise(const forms::Forms::Stub& stub,
                                                 const forms::Question& question) {
  return stub.Plain(question, {}, asio::use_future);
}

asio::awaitable<bool> Await(const forms::Forms::Stub& stub, const forms::Question& question) {
  const weir::Result<forms::Answer> answer =
      co_await stub.Plain(question, weir::Timeout(milliseconds(50)), asio::use_awaitable);
  co_return answer.ok();
}

void EveryKindOfKey(const rich::Store::Stub& stub, const RootService::Stub& root) {
  const auto ignore = [](const auto& result) {
    static_assert(!std::is_same_v<decltype(result), int>);
  };
  stub.Get(rich::TextKey(), {}, ignore);
  stub.Put(rich::BytesKey(), {}, ignore);
  stub.Count(rich::Int32Key(), {}, ignore);
  stub.Find(rich::Uint64Key(), {}, ignore);
  stub.MaybeText(rich::OptionalTextKey(), {}, ignore);
  root.Ask(RootRequest(), {}, ignore);
  static_assert(
      std::is_same_v<decltype(stub.Count(rich::Int32Key())), weir::Result<shared::Types_Number>>);
}

void EscapedNames(const rich::Stub_::Stub& stub, const rich::Outer& outer) {
  const auto ignore = [](const weir::Result<rich::Outer>&) {};
  stub.Stub_(outer, {}, ignore);
  stub.class_(outer, {}, ignore);
  stub.Call_(outer, {}, ignore);
  stub.token(outer, {}, ignore);
  stub.request(outer, {}, ignore);
  stub.weir(outer, {}, ignore);
}
