#include "local.weir.h"
#include "shop/shop.weir.h"

class Shop final : public shop::Shop::Service<Shop> {
 public:
  weir::Result<shop::Item> Find(weir::ServerContext&, const shop::FindRequest& request) {
    local::Note note;
    note.set_text(request.name());
    return shop::Item();
  }
};

Shop the_shop;
