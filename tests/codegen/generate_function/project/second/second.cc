#include "second.weir.h"
#include "shop/types/colour.weir.h"

weir::Result<shop::types::Colour> Paint(const second::Painter::Stub& painter) {
  return painter.Paint(shop::Item());
}
