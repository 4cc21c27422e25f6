#include "schemes.h"

#include "weir/plugins.h"

extern "C" void weir_install_registries(weir::RegistryTable& table) {
  table.Add("mem", weir::discovery::OpenMemoryRegistry);
  table.Add("list", weir::discovery::OpenListRegistry);
  table.Add("file", weir::discovery::OpenFileRegistry);
}
