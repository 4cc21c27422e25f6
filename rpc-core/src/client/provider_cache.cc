#include "client/provider_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "weir/address.h"
#include "weir/load_balance.h"

namespace weir::detail {
namespace {

constexpr std::string_view kFormat = "weir-providers 2 ";

std::string Reason(int error) {
  return std::generic_category().message(error);
}

std::string Hex(std::uint64_t value) {
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(value));
  return digits.data();
}

// A descriptor that is closed.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const noexcept { return descriptor_; }

 private:
  const int descriptor_;
};

bool WriteAll(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::write(descriptor, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

std::optional<std::string> ReadAll(int descriptor, std::size_t bytes) {
  std::string text(bytes, '\0');
  std::size_t have = 0;
  while (have < bytes) {
    const ssize_t size = ::read(descriptor, text.data() + have, bytes - have);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return std::nullopt;
    if (size == 0) break;
    have += static_cast<std::size_t>(size);
  }
  text.resize(have);
  return text;
}

// The part of `text` before the next line break; `text` keeps what follows.
std::string_view NextLine(std::string_view& text) {
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return line;
}

// The part of `line` before the next space; `line` keeps what follows.
std::string_view NextWord(std::string_view& line) {
  const auto end = line.find(' ');
  const std::string_view word = line.substr(0, end);
  line = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
  return word;
}

template <class Number>
bool ParseNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::optional<Provider> ParseProvider(std::string_view line) {
  Provider provider{.address = std::string(NextWord(line))};
  if (!ParseNumber(NextWord(line), provider.weight) || provider.weight < 0 ||
      provider.weight > kMaxWeight || !ParseNumber(NextWord(line), provider.started_ms) ||
      !Address::Parse(provider.address).ok()) {
    return std::nullopt;
  }
  provider.zone = line;
  return provider;
}

}  // namespace

ProviderCache::ProviderCache(const std::string& directory, std::string_view registry,
                             std::string_view service)
    : directory_(directory),
      title_(std::string(kFormat) + std::string(service) + " " + std::string(registry)),
      path_(directory + "/" + std::string(service) + "@" + Hex(HashKey(registry))) {}

Status ProviderCache::Store(const std::vector<Provider>& providers) const {
  std::string text = title_ + "\n";
  for (const Provider& provider : providers) {
    text += provider.address + " " + std::to_string(provider.weight) + " " +
            std::to_string(provider.started_ms);
    // A registry of the user's own may give a zone that would not fit a line.
    const bool fits = provider.zone.find_first_of("\r\n") == std::string::npos;
    if (!provider.zone.empty() && fits) text += " " + provider.zone;
    text += "\n";
  }
  text += Hex(HashKey(text)) + "\n";
  const auto fail = [this](std::string_view what, int error) {
    return Unavailable("cannot keep providers in " + path_ + ": " + std::string(what) + ": " +
                       Reason(error));
  };
  std::error_code error;
  if (std::filesystem::create_directories(directory_, error)) {
    std::filesystem::permissions(directory_, std::filesystem::perms::owner_all, error);
  }
  if (error) return fail("make the directory", error.value());
  // Of our own, whoever else may be writing the same.
  std::string aside = path_ + ".XXXXXX";
  const File file(::mkostemp(aside.data(), O_CLOEXEC));
  if (file.get() < 0) return fail("make a file", errno);
  if (!WriteAll(file.get(), text) || ::rename(aside.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    ::unlink(aside.c_str());
    return fail("write", reason);
  }
  return {};
}

void ProviderCache::Confirm() const {
  // A file that is not there has nothing to be confirmed.
  [[maybe_unused]] const int done = ::utimensat(AT_FDCWD, path_.c_str(), nullptr, 0);
}

Result<ProviderCache::Cached> ProviderCache::Load() const {
  const File file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0) {
    return errno == ENOENT ? NotFound("no providers are kept in " + path_)
                           : Unavailable("cannot read " + path_ + ": " + Reason(errno));
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) {
    return Unavailable("cannot read " + path_ + ": " + Reason(errno));
  }
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 022) != 0) {
    return FailedPrecondition(path_ + " is no file that only this user can write; not used");
  }
  const auto written = std::chrono::system_clock::from_time_t(status.st_mtim.tv_sec);
  const auto age =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now() - written);
  if (age > kMostAge || age < -kMostAge) {
    return FailedPrecondition(path_ + " is " + std::to_string(age.count() / 3600) +
                              " hours old; not used");
  }
  if (static_cast<std::uint64_t>(status.st_size) > kMostBytes) {
    return DataLoss(path_ + " is damaged: too large");
  }
  const auto text = ReadAll(file.get(), static_cast<std::size_t>(status.st_size));
  if (!text) return Unavailable("cannot read " + path_ + ": " + Reason(errno));
  Result<std::vector<Provider>> providers = Parse(*text);
  if (!providers.ok()) return std::move(providers).status();
  return Cached{std::make_shared<const std::vector<Provider>>(*std::move(providers)),
                std::max(age, std::chrono::seconds(0))};
}

Result<std::vector<Provider>> ProviderCache::Parse(std::string_view text) const {
  constexpr std::size_t kSumBytes = 17;  // 16 digits and a line break
  const auto damaged = [this](std::string_view what) {
    return DataLoss(path_ + " is damaged: " + std::string(what) + "; delete it");
  };
  if (text.size() < kSumBytes) return damaged("too short");
  std::string_view body = text.substr(0, text.size() - kSumBytes);
  if (text.substr(body.size()) != Hex(HashKey(body)) + "\n") return damaged("wrong checksum");
  if (NextLine(body) != title_) return damaged("it is about another service or registry");
  std::vector<Provider> providers;
  while (!body.empty()) {
    auto provider = ParseProvider(NextLine(body));
    if (!provider) return damaged("a line that is no provider");
    providers.push_back(*std::move(provider));
  }
  const auto before = [](const Provider& a, const Provider& b) { return a.address < b.address; };
  if (!std::is_sorted(providers.begin(), providers.end(), before)) return damaged("out of order");
  return providers;
}

}  // namespace weir::detail
