#include "strategies.h"
#include "weir/plugins.h"

void weir_install_load_balances(weir::LoadBalanceTable& table) {
  table.Add("random", weir::RandomStrategy());
  table.Add("weighted_random", weir::WeightedRandomStrategy());
  table.Add("round_robin", weir::RoundRobinStrategy());
  table.Add("least_active", weir::LeastActiveStrategy());
  table.Add("consistent_hash", weir::ConsistentHashStrategy());
  table.Add("ect", weir::EctStrategy());
}
