// weir-kv-admin as an operator has it: real programs on real directories.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/process.h"
#include "support/temp_dir.h"
#include "weir/kv/store.h"

namespace weir::kv {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Process;
using testing::TempDir;

struct Outcome {
  int code = -1;
  std::string output;
  std::string errors;
};

Outcome Admin(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), WEIR_KV_ADMIN);
  Process process(std::move(arguments));
  process.CloseInput();
  const auto code = process.Wait(std::chrono::seconds(60));
  return {code.value_or(-1), process.Output(), process.Errors()};
}

class KvAdmin : public ::testing::Test {
 protected:
  KvAdmin() : store_(temp_.Path("store")), backups_(temp_.Path("backups")) {}

  std::unique_ptr<Store> Open() {
    Options options;
    options.segment_size = 4096;
    options.merge.automatic = false;
    auto store = Store::Open(store_, options);
    EXPECT_TRUE(store.ok()) << store.status().ToString();
    return *std::move(store);
  }
  void MakeStore() {
    const auto store = Open();
    ASSERT_TRUE(store->Put("colour", "red").ok());
    ASSERT_TRUE(store->Put("colour", "blue").ok());
    ASSERT_TRUE(store->Put("gone", "1").ok());
    ASSERT_TRUE(store->Delete("gone").ok());
    WriteBatch batch;
    batch.Put("tab\tand\n", std::string("\0\x01", 2));
    batch.Put("shape", "round");
    ASSERT_TRUE(store->Write(batch).ok());
  }
  // Changes a byte of the first segment.
  void Damage(const std::string& what) {
    const std::string path = store_ + "/000001.data";
    std::stringstream contents;
    contents << std::ifstream(path, std::ios::binary).rdbuf();
    std::string bytes = contents.str();
    bytes[bytes.find(what)] ^= 1;
    std::ofstream(path, std::ios::binary) << bytes;
  }

  TempDir temp_;
  const std::string store_;
  const std::string backups_;
};

TEST_F(KvAdmin, DumpsWhatIsThereAndEveryRecord) {
  MakeStore();
  const Outcome dump = Admin({"dump", store_});
  EXPECT_EQ(dump.code, 0) << dump.errors;
  EXPECT_EQ(dump.output, "colour\tblue\nshape\tround\ntab\\tand\\n\t\\x00\\x01\n");
  EXPECT_EQ(Admin({"dump", store_, "--prefix", "sh", "--keys-only"}).output, "shape\n");
  const Outcome records = Admin({"dump", store_, "--records", "--segment", "1"});
  EXPECT_EQ(records.code, 0) << records.errors;
  EXPECT_THAT(records.output,
              AllOf(HasSubstr("1\t64\t1\tput\tcolour\tred\n"), HasSubstr("\t4\tdelete\tgone\n"),
                    HasSubstr("\t5\tput+\tshape\tround\n")));
  const Outcome json = Admin({"dump", store_, "--json", "--prefix", "colour"});
  EXPECT_EQ(nlohmann::json::parse(json.output),
            nlohmann::json::parse(R"({"key": "colour", "value": "blue", "seq": 2})"));
  const Outcome no_segment = Admin({"dump", store_, "--segment", "9"});
  EXPECT_EQ(no_segment.code, 1);
  EXPECT_THAT(no_segment.errors, HasSubstr("has no segment 9"));
}

TEST_F(KvAdmin, VerifyFindsDamageAndRepairSavesTheRest) {
  MakeStore();
  const Outcome good = Admin({"verify", store_});
  EXPECT_EQ(good.code, 0) << good.errors;
  EXPECT_THAT(good.output, AllOf(HasSubstr("6 records in"), HasSubstr("all good")));
  EXPECT_THAT(good.errors, IsEmpty());
  Damage("blue");
  const Outcome damaged = Admin({"verify", store_});
  EXPECT_EQ(damaged.code, 1);
  EXPECT_THAT(damaged.errors, ContainsRegex("000001.data: at offset [0-9]+: [0-9]+ bytes"));
  EXPECT_THAT(damaged.output, HasSubstr("weir-kv-admin repair"));
  const Outcome json = Admin({"--json", "verify", store_});
  EXPECT_EQ(json.code, 1);
  EXPECT_EQ(nlohmann::json::parse(json.output)["damaged"].size(), 1U);

  const std::string target = temp_.Path("repaired");
  const Outcome repaired = Admin({"repair", store_, target, "--progress"});
  EXPECT_EQ(repaired.code, 0) << repaired.errors;
  EXPECT_THAT(repaired.output, HasSubstr("3 keys saved from 5 records"));
  EXPECT_THAT(repaired.errors, AllOf(HasSubstr("lost: 000001.data"), HasSubstr("read ")));
  EXPECT_EQ(Admin({"dump", target, "--prefix", "colour"}).output, "colour\tred\n");
  EXPECT_EQ(Admin({"verify", target}).code, 0);
  const Outcome again = Admin({"repair", store_, target});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.errors, HasSubstr("not empty"));
}

TEST_F(KvAdmin, StatTellsOfSegmentsAndHintsAreMadeAnew) {
  MakeStore();
  {
    const auto store = Open();
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(store->Put("key" + std::to_string(i), std::string(100, 'x')).ok());
    }
  }
  const Outcome hints = Admin({"rebuild-hints", store_});
  EXPECT_EQ(hints.code, 0) << hints.errors;
  EXPECT_THAT(hints.output, ContainsRegex("^[1-9][0-9]* hints written"));
  const Outcome text = Admin({"stat", store_});
  EXPECT_EQ(text.code, 0) << text.errors;
  EXPECT_THAT(text.output, AllOf(HasSubstr("keys          103"), HasSubstr("good")));
  const Outcome stat = Admin({"stat", store_, "--json"});
  const auto json = nlohmann::json::parse(stat.output);
  EXPECT_EQ(json["keys"], 103);
  EXPECT_EQ(json["last_seq"], 105);
  ASSERT_GE(json["segments"].size(), 3U);
  EXPECT_EQ(json["segments"][0]["hint"], "good");
  EXPECT_EQ(json["segments"][0]["kind"], "log");
  EXPECT_LT(json["segments"][0]["live_bytes"], json["segments"][0]["bytes"]);
  EXPECT_EQ(Admin({"verify", store_}).code, 0);
}

TEST_F(KvAdmin, BacksUpListsVerifiesRestoresAndPurges) {
  MakeStore();
  ASSERT_EQ(Admin({"backup", "make", store_, backups_}).code, 0);
  { ASSERT_TRUE(Open()->Put("colour", "green").ok()); }
  const Outcome second = Admin({"backup", "make", store_, backups_});
  EXPECT_EQ(second.code, 0) << second.errors;
  EXPECT_THAT(second.output, HasSubstr("generation 2: commits up to 6"));
  const Outcome list = Admin({"backup", "list", backups_, "--json"});
  const auto json = nlohmann::json::parse(list.output);
  ASSERT_EQ(json.size(), 2U);
  EXPECT_EQ(json[0]["last_seq"], 5);
  EXPECT_THAT(Admin({"backup", "list", backups_}).output, HasSubstr("commit 6"));
  EXPECT_THAT(Admin({"backup", "verify", backups_}).output, HasSubstr("all good"));

  const std::string old = temp_.Path("old");
  const Outcome restored = Admin({"restore", backups_, "1", old});
  EXPECT_EQ(restored.code, 0) << restored.errors;
  EXPECT_EQ(Admin({"dump", old, "--prefix", "colour"}).output, "colour\tblue\n");
  const std::string latest = temp_.Path("latest");
  ASSERT_EQ(Admin({"restore", backups_, "latest", latest}).code, 0);
  EXPECT_EQ(Admin({"dump", latest, "--prefix", "colour"}).output, "colour\tgreen\n");
  EXPECT_TRUE(Store::Open(latest).ok());

  EXPECT_EQ(Admin({"backup", "purge", backups_, "--keep", "1"}).code, 0);
  const Outcome gone = Admin({"restore", backups_, "1", temp_.Path("never")});
  EXPECT_EQ(gone.code, 1);
  EXPECT_THAT(gone.errors, HasSubstr("no generation 1"));
  for (const auto& file : std::filesystem::directory_iterator(backups_)) {
    if (file.path().extension() == ".data") std::filesystem::resize_file(file.path(), 100);
  }
  const Outcome rotten = Admin({"backup", "verify", backups_});
  EXPECT_EQ(rotten.code, 1);
  EXPECT_THAT(rotten.errors, HasSubstr(backups_));
}

TEST_F(KvAdmin, NamesWhoHasTheStoreOpenAndWrongCommandLines) {
  MakeStore();
  const auto store = Open();
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"dump", store_},
                                             {"verify", store_},
                                             {"stat", store_},
                                             {"rebuild-hints", store_},
                                             {"repair", store_, temp_.Path("never")},
                                             {"backup", "make", store_, backups_}}) {
    const Outcome refused = Admin(command);
    EXPECT_EQ(refused.code, 1) << command[0];
    EXPECT_THAT(refused.errors, HasSubstr("pid " + std::to_string(::getpid()))) << command[0];
  }
  EXPECT_EQ(Admin({}).code, 2);
  EXPECT_EQ(Admin({"dmup", store_}).code, 2);
  EXPECT_EQ(Admin({"restore", backups_, "newest", "x"}).code, 2);
  EXPECT_EQ(Admin({"backup", "purge", backups_}).code, 2);
  EXPECT_EQ(Admin({"dump", temp_.Path("nothing")}).code, 1);
  EXPECT_THAT(Admin({"--help"}).output, HasSubstr("Exit codes"));
}

}  // namespace
}  // namespace weir::kv
