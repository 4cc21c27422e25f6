// Any handler of an asynchronous call, with its type erased.
#pragma once

#include <asio/associated_executor.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <memory>
#include <utility>

namespace weir::kv::detail {

// A handler of signature void(T), to be called once, on the executor associated with it (or, if
// there is none, where it is called). Move-only.
template <class T>
class Completion {
 public:
  template <class Handler>
  explicit Completion(Handler handler)
      : call_(std::make_unique<Model<Handler>>(std::move(handler))) {}

  void operator()(T result) { std::exchange(call_, nullptr)->Call(std::move(result)); }

 private:
  struct Concept {
    virtual ~Concept() = default;
    virtual void Call(T result) = 0;
  };
  template <class Handler>
  struct Model final : Concept {
    explicit Model(Handler h)
        : handler(std::move(h)), work(asio::get_associated_executor(handler)) {}
    void Call(T result) override {
      asio::dispatch(work.get_executor(),
                     [h = std::move(handler), r = std::move(result)]() mutable {
                       std::move(h)(std::move(r));
                     });
    }
    Handler handler;
    asio::executor_work_guard<typename asio::associated_executor<Handler>::type> work;
  };
  std::unique_ptr<Concept> call_;
};

}  // namespace weir::kv::detail
