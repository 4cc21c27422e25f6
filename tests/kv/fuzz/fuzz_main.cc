// Runs a fuzz target where the compiler has no libFuzzer: first the kept corpus, then mutations of
// it for a fixed time.
//
//   TARGET [-max_total_time=SECONDS] [-seed=SEED] CORPUS-DIRECTORY
//
// These are options of libFuzzer, so both are run in the same way. WEIR_TEST_SEED sets the seed
// too.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kMaxSize = 8192;

// The input in hand, so that one that ends the process can be kept.
std::string current_input;

extern "C" void PrintInput(int) {
  std::cerr << "input:" << std::hex;
  for (const unsigned char c : current_input) std::cerr << ' ' << static_cast<int>(c);
  std::cerr << std::endl;
}

void Run(std::string input) {
  current_input = std::move(input);
  // An exact copy on the heap, so that reading past its end is seen.
  const std::vector<std::uint8_t> bytes(current_input.begin(), current_input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::string Mutated(std::string input, const std::vector<std::string>& corpus,
                    std::mt19937_64& random) {
  for (std::uint64_t i = 0, count = 1 + random() % 6; i < count; ++i) {
    const std::size_t at = random() % (input.size() + 1);
    switch (random() % 6) {
      case 0:
        if (at < input.size()) input[at] = static_cast<char>(random());
        break;
      case 1:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << (random() % 8)));
        break;
      case 2:
        input.insert(at, 1 + random() % 8, static_cast<char>(random()));
        break;
      case 3:
        input.erase(at, 1 + random() % 16);
        break;
      case 4: {
        const std::string& other = corpus[random() % corpus.size()];
        const std::size_t from = random() % (other.size() + 1);
        input.insert(at, other.substr(from, random() % 64));
        break;
      }
      default:
        for (std::size_t j = at; j < std::min(at + 8, input.size()); ++j) {
          input[j] = random() % 2 == 0 ? '\xff' : '\0';
        }
    }
  }
  input.resize(std::min(input.size(), kMaxSize));
  return input;
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, &PrintInput);
  std::uint64_t seconds = 0;
  std::uint64_t seed = std::random_device()();
  std::vector<std::string> corpus;
  if (const char* given = std::getenv("WEIR_TEST_SEED")) seed = std::stoull(given);
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("-max_total_time=")) {
      seconds = std::stoull(std::string(argument.substr(16)));
    } else if (argument.starts_with("-seed=")) {
      seed = std::stoull(std::string(argument.substr(6)));
    } else if (!argument.starts_with("-")) {
      for (const auto& entry : std::filesystem::directory_iterator(argument)) {
        corpus.push_back(ReadFile(entry.path()));
      }
    }
  }
  std::cout << "WEIR_TEST_SEED=" << seed << ", " << corpus.size() << " inputs kept" << std::endl;
  corpus.emplace_back();
  for (const std::string& input : corpus) Run(input);
  std::mt19937_64 random(seed);
  std::uint64_t runs = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  for (; std::chrono::steady_clock::now() < end; ++runs) {
    std::string input = Mutated(corpus[random() % corpus.size()], corpus, random);
    // Now and then go on from what was made, so that changes add up.
    if (random() % 64 == 0 && corpus.size() < 4096) corpus.push_back(input);
    Run(std::move(input));
  }
  std::cout << runs << " mutations" << std::endl;
  return 0;
}
