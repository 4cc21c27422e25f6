// How each strategy spreads calls over the providers of the store.
#pragma once

#include <string>

#include "weir/status.h"

// Makes `calls` calls to weir.kv.Kv/Ping, which any provider answers, with each strategy there is,
// and prints how many every provider served.
weir::Status PrintSpread(const std::string& registry, int calls);
