// Uses what every program of weir uses, whatever else it is linked with.
#include <cstdio>

#include "weir/address.h"
#include "weir/load_balance.h"

int main() {
  weir::Result<weir::Address> good = weir::Address::Parse("[::1]:7001");
  weir::Result<weir::Address> bad = weir::Address::Parse("nowhere");
  std::printf("%s; %s; hash %llx\n", good ? good->ToString().c_str() : "refused",
              bad.status().ToString().c_str(),
              static_cast<unsigned long long>(weir::HashKey("weir")));
  return good.ok() && !bad.ok() ? 0 : 1;
}
