// The store as its users meet it: real programs, a file:// registry, kill -9.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"
#include "weir/kv/client.h"
#include "weir/kv/refusal.h"

namespace weir::kv {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using testing::Process;
using testing::TempDir;
using namespace std::chrono_literals;

constexpr std::chrono::seconds kPatience{60};

struct Outcome {
  int code = -1;
  std::string output;
  std::string errors;
};

std::ostream& operator<<(std::ostream& stream, const Outcome& outcome) {
  return stream << "exit code " << outcome.code << "\n" << outcome.output << outcome.errors;
}

Outcome RunToEnd(std::vector<std::string> argv) {
  Process process(std::move(argv));
  process.CloseInput();
  const auto code = process.Wait(kPatience);
  return {code.value_or(-1), process.Output(), process.Errors()};
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class KvPrograms : public ::testing::Test {
 protected:
  struct Provider {
    std::unique_ptr<Process> process;
    std::string address;
    std::string directory;
    int weight = 0;
  };

  std::string registry() const { return "file://" + temp_.Path("registry"); }

  std::vector<std::string> ServerCommand(const Provider& provider) const {
    return {WEIR_KV_SERVER,
            "--data",
            provider.directory,
            "--listen",
            provider.address,
            "--registry",
            registry(),
            "--cluster",
            "main",
            "--weight",
            std::to_string(provider.weight)};
  }
  void Start(Provider& provider) {
    provider.process = std::make_unique<Process>(ServerCommand(provider));
    const auto line = provider.process->WaitForLine("serving on ", kPatience);
    ASSERT_TRUE(line) << provider.process->Errors();
    const std::size_t begin = line->find("serving on ") + 11;
    provider.address = line->substr(begin, line->find(',') - begin);
  }
  // Three providers with weights 1, 2, 3.
  void StartThree() {
    for (int i = 0; i < 3; ++i) {
      providers_.push_back(
          {nullptr, "127.0.0.1:0", temp_.Path("store" + std::to_string(i)), i + 1});
      ASSERT_NO_FATAL_FAILURE(Start(providers_.back()));
    }
  }
  void StartCluster() {
    ASSERT_NO_FATAL_FAILURE(StartThree());
    std::vector<std::string> arguments = {"cluster", "init"};
    for (const Provider& provider : providers_) arguments.push_back(provider.address);
    const Outcome made = Kv(arguments);
    ASSERT_EQ(made.code, 0) << made;
  }

  std::vector<std::string> KvCommand(const std::vector<std::string>& arguments) const {
    std::vector<std::string> argv = {WEIR_KV, "--registry", registry(), "--cluster", "main"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return argv;
  }
  Outcome Kv(const std::vector<std::string>& arguments) const {
    return RunToEnd(KvCommand(arguments));
  }

  // A file of `count` lines; the keys by their owner.
  std::string WriteFile(int count) const {
    const std::string file = temp_.Path("input");
    std::ofstream stream(file);
    for (int i = 0; i < count; ++i) {
      stream << "key-" << i << "\tvalue " << std::string(static_cast<std::size_t>(i % 977), 'v')
             << i << "\n";
    }
    return file;
  }
  std::string KeyOf(const std::string& owner) const {
    std::vector<std::string> arguments = {"owner"};
    for (int i = 0; i < 200; ++i) arguments.push_back("key-" + std::to_string(i));
    for (const std::string& line : Lines(Kv(arguments).output)) {
      if (line.starts_with(owner + "\t")) return line.substr(owner.size() + 1);
    }
    return "no key";
  }

  TempDir temp_;
  std::vector<Provider> providers_;
};

TEST_F(KvPrograms, PutGetDeleteScanAndStatsWorkOverThreeProviders) {
  ASSERT_NO_FATAL_FAILURE(StartCluster());
  EXPECT_EQ(Kv({"put", "colour", "blue"}).code, 0);
  const Outcome got = Kv({"get", "colour"});
  EXPECT_EQ(got.code, 0) << got;
  EXPECT_EQ(got.output, "blue");
  EXPECT_EQ(Kv({"put", "size", "large"}).code, 0);
  EXPECT_EQ(Kv({"put", "shape", "a\tb"}).code, 0);
  EXPECT_EQ(Kv({"scan"}).output, "colour\tblue\nshape\ta\\tb\nsize\tlarge\n");
  EXPECT_EQ(Kv({"scan", "--prefix", "s", "--limit", "1", "--keys-only"}).output, "shape\n");
  EXPECT_EQ(Kv({"scan", "--from", "d", "--to", "si", "--keys-only"}).output, "shape\n");
  EXPECT_EQ(Kv({"delete", "colour"}).code, 0);
  const Outcome absent = Kv({"get", "colour"});
  EXPECT_EQ(absent.code, 1);
  EXPECT_EQ(absent.output, "");
  EXPECT_EQ(absent.errors, "weir-kv: there is no key \"colour\"\n");
  const Outcome stats = Kv({"stats", "--json"});
  EXPECT_EQ(stats.code, 0);
  for (const Provider& provider : providers_)
    EXPECT_THAT(stats.output, HasSubstr(provider.address));
  const Outcome members = Kv({"cluster", "show"});
  EXPECT_THAT(members.output, HasSubstr("cluster main, epoch 1, 3 members"));
}

TEST_F(KvPrograms, KillNineLosesNothingAcknowledgedAndStopsNobodyElse) {
  ASSERT_NO_FATAL_FAILURE(StartCluster());
  const std::string file = WriteFile(3000);
  const Outcome loaded = Kv({"load", file});
  ASSERT_EQ(loaded.code, 0) << loaded;
  EXPECT_THAT(loaded.output, HasSubstr("loaded 3000 keys"));
  ASSERT_EQ(Kv({"verify", file}).code, 0);

  Provider& dead = providers_[1];
  const std::string lost = KeyOf(dead.address);
  dead.process->Kill();
  const Outcome others = Kv({"verify", file, "--skip-owner", dead.address});
  EXPECT_EQ(others.code, 0) << others;
  for (const Outcome& outcome : {Kv({"get", lost}), Kv({"put", lost, "x"}), Kv({"delete", lost}),
                                 Kv({"scan"}), Kv({"verify", file})}) {
    EXPECT_EQ(outcome.code, 3) << outcome;
    EXPECT_THAT(outcome.errors, HasSubstr("belongs to " + dead.address));
    EXPECT_EQ(Lines(outcome.errors).size(), 1u);
  }
  EXPECT_THAT(Kv({"cluster", "show"}).output, HasSubstr("not alive"));

  ASSERT_NO_FATAL_FAILURE(Start(dead));
  const Outcome again = Kv({"verify", file});
  EXPECT_EQ(again.code, 0) << again;
  EXPECT_THAT(again.output, HasSubstr("verified 3000 keys"));
}

TEST_F(KvPrograms, KillNineWhileWritesRunKeepsEveryAcknowledgedOne) {
  ASSERT_NO_FATAL_FAILURE(StartCluster());
  auto client = Client::Open(registry(), {.cluster = "main"});
  ASSERT_TRUE(client.ok()) << client.status().ToString();
  std::map<std::string, std::string> acknowledged;
  Provider& dead = providers_[2];
  bool killed = false;
  for (int i = 0; i < 4000 && !(killed && i % 100 == 0); ++i) {
    const std::string key = "key-" + std::to_string(i);
    if (i == 1000) {
      // Dies while later writes run.
      dead.process->Signal(SIGKILL);
      killed = true;
    }
    if ((*client)->Put(key, "v" + key).ok()) acknowledged[key] = "v" + key;
  }
  dead.process->Wait(kPatience);
  ASSERT_NO_FATAL_FAILURE(Start(dead));
  client = Client::Open(registry(), {.cluster = "main"});
  ASSERT_TRUE(client.ok());
  EXPECT_GE(acknowledged.size(), 1000u);
  for (const auto& [key, value] : acknowledged) {
    const auto got = (*client)->Get(key);
    ASSERT_TRUE(got.ok()) << key << ": " << got.status().ToString();
    EXPECT_EQ(*got, value);
  }
}

TEST_F(KvPrograms, RequestsOfAStaleEpochAreRefused) {
  ASSERT_NO_FATAL_FAILURE(StartCluster());
  const Outcome removed = Kv({"cluster", "remove", providers_[0].address});
  ASSERT_EQ(removed.code, 0) << removed;
  EXPECT_THAT(removed.output, HasSubstr("epoch 2, 2 members"));
  Channel channel(registry());
  GetRequest request;
  request.set_epoch(1);
  for (const Provider& provider : providers_) {
    const auto refused =
        Kv::Stub(channel).Get(request, CallOptions().WithProvider(provider.address));
    EXPECT_EQ(refused.status().code(), StatusCode::kAborted) << refused.status().ToString();
    const auto refusal = RefusalOf(refused.status());
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->epoch(), 2u);
  }
}

TEST_F(KvPrograms, ChangesThatWouldHideKeysNeedForce) {
  ASSERT_NO_FATAL_FAILURE(StartCluster());
  const std::string address = providers_[0].address;
  ASSERT_EQ(Kv({"put", KeyOf(address), "v"}).code, 0);
  const Outcome refused = Kv({"cluster", "remove", address});
  EXPECT_EQ(refused.code, 4);
  EXPECT_THAT(refused.errors, HasSubstr(address + " holds 1 keys"));
  EXPECT_THAT(refused.errors, HasSubstr("--force"));
  EXPECT_EQ(Kv({"cluster", "remove", address, "--force"}).code, 0);
  const Outcome added = Kv({"cluster", "add", address, "--weight", "5"});
  EXPECT_EQ(added.code, 0) << added;
  EXPECT_THAT(added.output, HasSubstr("epoch 3, 3 members"));
  EXPECT_EQ(Kv({"cluster", "add", address}).code, 4);
}

TEST_F(KvPrograms, AMemberWhoseDataDirectoryIsAnotherRefusesKeys) {
  ASSERT_NO_FATAL_FAILURE(StartCluster());
  Provider& provider = providers_[1];
  const std::string key = KeyOf(provider.address);
  provider.process->Kill();
  provider.directory = temp_.Path("empty");
  ASSERT_NO_FATAL_FAILURE(Start(provider));
  const Outcome got = Kv({"get", key});
  EXPECT_EQ(got.code, 4) << got;
  EXPECT_THAT(got.errors, HasSubstr("start it with the right data directory"));
}

TEST_F(KvPrograms, ADataDirectoryInUseIsRefusedAndItsHolderNamed) {
  ASSERT_NO_FATAL_FAILURE(StartThree());
  Provider second{nullptr, "127.0.0.1:0", providers_[0].directory, 1};
  const Outcome refused = RunToEnd(ServerCommand(second));
  EXPECT_EQ(refused.code, 4);
  EXPECT_THAT(refused.errors, HasSubstr(second.directory));
  EXPECT_THAT(refused.errors, HasSubstr("pid " + std::to_string(providers_[0].process->pid())));
}

TEST_F(KvPrograms, APortInUseLeavesNoDataDirectoryBehind) {
  ASSERT_NO_FATAL_FAILURE(StartThree());
  Provider second{nullptr, providers_[0].address, temp_.Path("never"), 1};
  const Outcome refused = RunToEnd(ServerCommand(second));
  EXPECT_EQ(refused.code, 3);
  EXPECT_THAT(refused.errors, HasSubstr(providers_[0].address));
  EXPECT_FALSE(std::filesystem::exists(second.directory));
}

TEST_F(KvPrograms, SigtermDrainsAndEndsWithZero) {
  ASSERT_NO_FATAL_FAILURE(StartThree());
  providers_[0].process->Signal(SIGTERM);
  EXPECT_EQ(providers_[0].process->Wait(kPatience), 0);
  EXPECT_THAT(Kv({"cluster", "init", providers_[0].address}).errors,
              HasSubstr(providers_[0].address + " is not alive"));
  ASSERT_NO_FATAL_FAILURE(Start(providers_[0]));
}

TEST_F(KvPrograms, InitWithAProviderThatIsAwayWritesNothing) {
  ASSERT_NO_FATAL_FAILURE(StartThree());
  const Outcome refused = Kv({"cluster", "init", providers_[0].address, "127.0.0.1:1"});
  EXPECT_EQ(refused.code, 3);
  EXPECT_THAT(refused.errors, HasSubstr("127.0.0.1:1 is not alive"));
  const Outcome shown = Kv({"cluster", "show"});
  EXPECT_EQ(shown.code, 4);
  EXPECT_THAT(shown.errors, HasSubstr("has no member list"));
}

TEST_F(KvPrograms, VerifyNamesTheFirstDifference) {
  ASSERT_NO_FATAL_FAILURE(StartCluster());
  const std::string file = WriteFile(50);
  ASSERT_EQ(Kv({"load", file}).code, 0);
  ASSERT_EQ(Kv({"put", "key-7", "valuX"}).code, 0);
  ASSERT_EQ(Kv({"delete", "key-9"}).code, 0);
  const Outcome differs = Kv({"verify", file});
  EXPECT_EQ(differs.code, 1);
  EXPECT_THAT(differs.errors, HasSubstr("2 of 50 keys differ; the first: key \"key-7\" differs "
                                        "from byte 4 on"));
}

TEST_F(KvPrograms, APackageDatabaseComesBackByteForByte) {
  ASSERT_NO_FATAL_FAILURE(StartCluster());
  const std::string file = temp_.Path("status");
  const std::string bash = "Package: bash\nStatus: install ok installed\nDescription: x\n .\n y\n";
  std::ofstream(file) << bash << "\nPackage: libc6\nArchitecture: amd64\nMulti-Arch: same\n";
  EXPECT_EQ(Kv({"load", "--dpkg", file}).code, 0);
  EXPECT_EQ(Kv({"get", "bash"}).output, bash);
  EXPECT_EQ(Kv({"scan", "--keys-only"}).output, "bash\nlibc6:amd64\n");
  EXPECT_EQ(Kv({"verify", "--dpkg", file}).code, 0);
}

TEST_F(KvPrograms, ValuesOfAnyBytesTravelThroughStandardInputAndOutput) {
  ASSERT_NO_FATAL_FAILURE(StartCluster());
  std::string value(300'000, '\0');
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>(i * 2654435761u >> 9);
  Process put(KvCommand({"put", "binary", "-"}));
  ASSERT_TRUE(put.Write(value));
  put.CloseInput();
  ASSERT_EQ(put.Wait(kPatience), 0) << put.Errors();
  EXPECT_EQ(Kv({"get", "binary"}).output, value);
}

TEST_F(KvPrograms, OneProviderWithoutAClusterOwnsEverything) {
  Process server({WEIR_KV_SERVER, "--data", temp_.Path("store"), "--listen", "127.0.0.1:0"});
  const auto line = server.WaitForLine("serving on ", kPatience);
  ASSERT_TRUE(line) << server.Errors();
  const std::size_t begin = line->find("serving on ") + 11;
  const std::string list = "list://" + line->substr(begin, line->find(',') - begin);
  EXPECT_EQ(RunToEnd({WEIR_KV, "--registry", list, "put", "k", "v"}).code, 0);
  EXPECT_EQ(RunToEnd({WEIR_KV, "--registry", list, "get", "k"}).output, "v");
  const Outcome refused = RunToEnd({WEIR_KV, "--registry", list, "--cluster", "main", "get", "k"});
  EXPECT_EQ(refused.code, 4);
  EXPECT_THAT(refused.errors, HasSubstr("keeps no member lists"));
}

TEST_F(KvPrograms, MistakesOnTheCommandLineAreOneLineThatNamesThem) {
  struct Case {
    std::vector<std::string> argv;
    int code;
    std::string told;
  };
  const std::string data = temp_.Path("data");
  const std::string url = registry();
  for (const Case& c : std::vector<Case>{
           {{WEIR_KV_SERVER}, 2, "--data is missing"},
           {{WEIR_KV_SERVER, "--data", data, "--frob"}, 2, "--frob"},
           {{WEIR_KV_SERVER, "--data", data, "--sync", "often"}, 2, "--sync often"},
           {{WEIR_KV_SERVER, "--data", data, "--weight", "0"}, 2, "--weight"},
           {{WEIR_KV_SERVER, "--data", data, "--listen", "nowhere"}, 2, "nowhere"},
           {{WEIR_KV_SERVER, "--data", data, "--cluster", "c"}, 2, "--registry"},
           {{WEIR_KV_SERVER, "--data", data, "--registry", "smoke://x"}, 2, "smoke"},
           {{WEIR_KV_SERVER, "--data", data, "--registry", "list://a:1"}, 2, "list://a:1"},
           {{WEIR_KV_SERVER, "--data", data + "/a/b", "--listen", "127.0.0.1:0"}, 4, data + "/a/b"},
           {{WEIR_KV}, 2, "no command"},
           {{WEIR_KV, "cluster"}, 2, "no command"},
           {{WEIR_KV, "cluster", "frob"}, 2, "frob"},
           {{WEIR_KV, "frob"}, 2, "frob"},
           {{WEIR_KV, "get", "k"}, 2, "--registry is missing"},
           {{WEIR_KV, "--registry", "smoke://x", "get", "k"}, 2, "smoke"},
           {{WEIR_KV, "--registry", url, "get"}, 2, "KEY"},
           {{WEIR_KV, "--registry", url, "get", "k"}, 3, "no provider of weir.kv.Kv"},
           {{WEIR_KV, "--registry", url, "--cluster", "typo", "get", "k"}, 4, "cluster typo"},
           {{WEIR_KV, "--registry", url, "--cluster", "a/b", "get", "k"}, 2, "a/b"},
           {{WEIR_KV, "--registry", url, "cluster", "show"}, 2, "--cluster is missing"},
           {{WEIR_KV, "--registry", url, "load", data + "/absent"}, 2, data + "/absent"},
           {{WEIR_KV, "--registry", url, "--cluster", "main", "cluster", "init", "a:1*0"},
            2,
            "a:1*0"},
       }) {
    const Outcome outcome = RunToEnd(c.argv);
    std::string shown;
    for (const std::string& word : c.argv) shown += word + " ";
    EXPECT_EQ(outcome.code, c.code) << shown << "\n" << outcome;
    EXPECT_THAT(outcome.errors, HasSubstr(c.told)) << shown;
    EXPECT_EQ(Lines(outcome.errors).size(), 1u) << shown << "\n" << outcome.errors;
    EXPECT_EQ(outcome.output, "");
  }
  EXPECT_FALSE(std::filesystem::exists(data));
  for (const char* program : {WEIR_KV_SERVER, WEIR_KV}) {
    EXPECT_THAT(RunToEnd({program, "--help"}).output, HasSubstr("Exit codes"));
    EXPECT_THAT(RunToEnd({program, "--version"}).output,
                ContainsRegex("^weir-kv.* [0-9]+\\.[0-9]+"));
  }
}

}  // namespace
}  // namespace weir::kv
