#include "decorators.h"
#include "strategies.h"
#include "weir/plugins.h"

void weir_install_load_balances(weir::LoadBalanceTable& table) {
  table.Add("random", weir::RandomStrategy());
  table.Add("weighted_random", weir::WeightedRandomStrategy());
  table.Add("round_robin", weir::RoundRobinStrategy());
  table.Add("least_active", weir::LeastActiveStrategy());
  table.Add("consistent_hash", weir::ConsistentHashStrategy());
  table.Add("first", weir::FirstStrategy());
  table.Add("p2c", weir::TwoChoicesStrategy());
  table.Add("p2c_ewma", weir::TwoChoicesEwmaStrategy());
  table.Add("shortest_response", weir::ShortestResponseStrategy());
  table.Add("maglev", weir::MaglevStrategy());
  table.Add("rendezvous", weir::RendezvousStrategy());
  table.Add("jump", weir::JumpStrategy());
  table.Add("ketama", weir::KetamaStrategy());
  table.Add("ect", weir::EctStrategy());
  table.Add("subset", weir::SubsetDecorator());
  table.Add("aperture", weir::ApertureDecorator());
  table.Add("zone", weir::ZoneDecorator());
  table.Add("slow_start", weir::SlowStartDecorator());
  table.Add("bounded", weir::BoundedDecorator());
}
