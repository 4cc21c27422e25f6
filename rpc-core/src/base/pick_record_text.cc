// Pick records as text: one line of JSON. Written and read here, because the core has no JSON
// library; what is read is what is written, and nothing more.
#include <charconv>
#include <cmath>
#include <set>
#include <type_traits>
#include <utility>

#include "weir/pick_record.h"

namespace weir {
namespace {

class Writer {
 public:
  void Begin(char bracket) { text_ += bracket, fresh_ = true; }
  void End(char bracket) { text_ += bracket, fresh_ = false; }
  void Next() {
    if (!fresh_) text_ += ',';
    fresh_ = false;
  }
  void Name(std::string_view name) {
    Next();
    Quoted(name);
    text_ += ':';
  }
  void Quoted(std::string_view bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text_ += '"';
    for (const char c : bytes) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte > 0x7e || c == '"' || c == '\\') {
        text_ += "\\u00";
        text_ += kDigits[byte >> 4];
        text_ += kDigits[byte & 15];
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }
  // The shortest text that gives the same number when it is read.
  template <class Number>
  void Value(Number number) {
    char digits[32];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
    text_.append(digits, error == std::errc() ? end : digits);
  }
  template <class Number>
  void Field(std::string_view name, Number number) {
    if (number == Number{}) return;
    Name(name);
    Value(number);
  }
  void TextField(std::string_view name, std::string_view bytes) {
    if (bytes.empty()) return;
    Name(name);
    Quoted(bytes);
  }
  void Word(std::string_view word) { text_ += word; }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
  bool fresh_ = true;  // nothing stands in the bracket yet
};

// Every field of an endpoint's state, by name.
template <class State, class Visit>
void ForEachField(State& state, Visit visit) {
  visit("active", state.active);
  visit("calls", state.calls);
  visit("started_sum", state.started_sum);
  visit("report", state.report);
  visit("reported_ns", state.reported_ns);
  visit("heard_ns", state.heard_ns);
  visit("started_ns", state.started_ns);
  visit("latency_ns", state.latency_ns);
  visit("peak_ns", state.peak_ns);
  visit("error_rate", state.error_rate);
  visit("others", state.others);
  visit("failures", state.failures);
}

// Reads from the front of a text. The first mistake stays; after it nothing is read any more.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool ok() const noexcept { return why_.empty(); }
  Status status() const {
    if (ok()) return {};
    return InvalidArgument("pick record, position " + std::to_string(at_ + 1) + ": expected " +
                           why_);
  }
  void Refuse(std::string why) {
    if (ok()) why_ = std::move(why);
  }
  // Skips spaces; whether `c` comes next, which is taken then.
  bool Take(char c) {
    SkipSpaces();
    if (!ok() || at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void Expect(char c) {
    if (!Take(c)) Refuse("'" + std::string(1, c) + "'");
  }
  void ExpectEnd() {
    SkipSpaces();
    if (at_ < text_.size()) Refuse("the end of the line");
  }

  std::string String() {
    std::string bytes;
    Expect('"');
    while (ok()) {
      if (at_ == text_.size()) {
        Refuse("'\"'");
      } else if (text_[at_] == '"') {
        ++at_;
        return bytes;
      } else if (text_[at_] == '\\') {
        bytes += Escaped();
      } else if (static_cast<unsigned char>(text_[at_]) < 0x20) {
        Refuse("no control character");
      } else {
        bytes += text_[at_++];
      }
    }
    return bytes;
  }
  template <class Number>
  void Value(Number& number) {
    SkipSpaces();
    if (!ok()) return;
    const char* first = text_.data() + at_;
    const char* last = text_.data() + text_.size();
    const auto [end, error] = std::from_chars(first, last, number);
    if (error != std::errc() || !IsFinite(number)) return Refuse(NameOf<Number>());
    at_ += static_cast<std::size_t>(end - first);
  }
  void Value(std::string& text) { text = String(); }
  void Value(bool& truth) {
    SkipSpaces();
    if (!ok()) return;
    const std::string_view rest = text_.substr(at_);
    truth = rest.starts_with("true");
    if (!truth && !rest.starts_with("false")) return Refuse("true or false");
    at_ += truth ? 4 : 5;
  }
  // `element` reads one.
  template <class Element>
  void Array(Element element) {
    Expect('[');
    if (Take(']')) return;
    do element();
    while (ok() && Take(','));
    Expect(']');
  }
  // `field` reads the value behind a name, and answers whether it knows the name.
  template <class Field>
  void Object(Field field) {
    std::set<std::string> seen;
    Expect('{');
    if (Take('}')) return;
    do {
      SkipSpaces();
      const std::size_t begin = at_;
      std::string name = String();
      Expect(':');
      if (!ok()) return;
      const std::size_t behind = at_;
      at_ = begin;  // of mistakes in the name
      if (!seen.insert(name).second) return Refuse("no second '" + name + "'");
      at_ = behind;
      if (!field(name) && ok()) {
        at_ = begin;
        return Refuse("a known name, not '" + name + "'");
      }
    } while (ok() && Take(','));
    Expect('}');
  }

 private:
  void SkipSpaces() {
    while (ok() && at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  char Escaped() {
    const std::string_view escape = text_.substr(at_, 6);
    unsigned byte = 0;
    if (escape.size() == 6 && escape.starts_with("\\u00")) {
      const auto [end, error] = std::from_chars(escape.data() + 4, escape.data() + 6, byte, 16);
      if (error == std::errc() && end == escape.data() + 6) {
        at_ += 6;
        return static_cast<char>(byte);
      }
    }
    Refuse("\\u0000 to \\u00ff");
    return 0;
  }
  template <class Number>
  static bool IsFinite(Number number) {
    if constexpr (std::is_floating_point_v<Number>) return std::isfinite(number);
    return true;
  }
  template <class Number>
  static std::string NameOf() {
    if constexpr (std::is_floating_point_v<Number>) return "a number";
    return (std::is_signed_v<Number> ? "an integer of " : "a natural number of ") +
           std::to_string(8 * sizeof(Number)) + " bits";
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string why_;
};

PickRecord::Seen ReadSeen(Reader& reader) {
  PickRecord::Seen seen;
  bool has_address = false;
  reader.Object([&](const std::string& name) {
    bool known = true;
    if (name == "address") {
      reader.Value(seen.provider.address);
      has_address = true;
    } else if (name == "weight") {
      reader.Value(seen.provider.weight);
    } else if (name == "zone") {
      reader.Value(seen.provider.zone);
    } else if (name == "started_ms") {
      reader.Value(seen.provider.started_ms);
    } else {
      known = false;
      ForEachField(seen.endpoint, [&](std::string_view field, auto& value) {
        if (name != field) return;
        known = true;
        reader.Value(value);
      });
    }
    return known;
  });
  if (!has_address) reader.Refuse("\"address\" before it");
  return seen;
}

}  // namespace

std::string PickRecord::ToText() const {
  Writer out;
  out.Begin('{');
  out.TextField("strategy", strategy);
  out.TextField("method", method);
  out.TextField("key", key);
  out.Field("key_hash", key_hash);
  if (has_key) {
    out.Name("has_key");
    out.Word("true");
  }
  out.Field("sequence", sequence);
  out.Field("random", random);
  out.Field("now_ns", now_ns);
  if (!excluded.empty()) {
    out.Name("excluded");
    out.Begin('[');
    for (const Index i : excluded) {
      out.Next();
      out.Value(i);
    }
    out.End(']');
  }
  out.Name("providers");
  out.Begin('[');
  for (const Seen& seen : providers) {
    out.Next();
    out.Begin('{');
    out.Name("address");
    out.Quoted(seen.provider.address);
    out.Name("weight");
    out.Value(seen.provider.weight);
    out.TextField("zone", seen.provider.zone);
    out.Field("started_ms", seen.provider.started_ms);
    ForEachField(seen.endpoint, [&](std::string_view name, auto value) { out.Field(name, value); });
    out.End('}');
  }
  out.End(']');
  if (picked != kNone) {
    out.Name("picked");
    out.Value(picked);
  }
  out.End('}');
  return out.Take();
}

Result<PickRecord> PickRecord::Parse(std::string_view text) {
  PickRecord record;
  Reader reader(text);
  reader.Object([&](const std::string& name) {
    if (name == "strategy") return reader.Value(record.strategy), true;
    if (name == "method") return reader.Value(record.method), true;
    if (name == "key") return reader.Value(record.key), true;
    if (name == "key_hash") return reader.Value(record.key_hash), true;
    if (name == "has_key") return reader.Value(record.has_key), true;
    if (name == "sequence") return reader.Value(record.sequence), true;
    if (name == "random") return reader.Value(record.random), true;
    if (name == "now_ns") return reader.Value(record.now_ns), true;
    if (name == "excluded") {
      reader.Array([&] { reader.Value(record.excluded.emplace_back()); });
      return true;
    }
    if (name == "providers") {
      reader.Array([&] { record.providers.push_back(ReadSeen(reader)); });
      return true;
    }
    if (name == "picked") return reader.Value(record.picked), true;
    return false;
  });
  reader.ExpectEnd();
  if (record.strategy.empty()) reader.Refuse("\"strategy\" before it");
  const std::size_t n = record.providers.size();
  if (record.picked != kNone && record.picked >= n) {
    reader.Refuse("\"picked\" to be one of the " + std::to_string(n) + " providers before it");
  }
  for (const Index i : record.excluded) {
    if (i >= n) reader.Refuse("\"excluded\" to be among the " + std::to_string(n) + " providers");
  }
  if (!reader.ok()) return reader.status();
  return record;
}

}  // namespace weir
