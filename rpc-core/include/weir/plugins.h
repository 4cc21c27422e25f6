// How linked libraries bring their schemes and strategies without global constructors.
//
// Each such library defines one of the functions below; weir::core refers to them weakly and calls
// those that are linked when the table is first used. The CMake target of the library carries the
// linker option (--undefined=...) that keeps the function from being dropped.
#pragma once

#include "weir/load_balance.h"
#include "weir/registry.h"

extern "C" {
void weir_install_registries(weir::RegistryTable& table);        // weir::registry: mem, list, file
void weir_install_zookeeper(weir::RegistryTable& table);         // weir::zookeeper: zk
void weir_install_load_balances(weir::LoadBalanceTable& table);  // weir::loadbalance
}
