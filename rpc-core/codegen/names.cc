#include "names.h"

#include <google/protobuf/compiler/cpp/names.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <iterator>
#include <string_view>

namespace weir::codegen {
namespace {

// Words that name nothing else in C++20, and the usual macros among short names.
constexpr std::string_view kKeywords[] = {
    "NULL",          "alignas",     "alignof",   "and",       "and_eq",    "asm",
    "assert",        "auto",        "bitand",    "bitor",     "bool",      "break",
    "case",          "catch",       "char",      "char16_t",  "char32_t",  "char8_t",
    "class",         "co_await",    "co_return", "co_yield",  "compl",     "concept",
    "const",         "const_cast",  "consteval", "constexpr", "constinit", "continue",
    "decltype",      "default",     "delete",    "do",        "double",    "dynamic_cast",
    "else",          "enum",        "errno",     "explicit",  "export",    "extern",
    "false",         "float",       "for",       "friend",    "goto",      "if",
    "inline",        "int",         "long",      "mutable",   "namespace", "new",
    "noexcept",      "not",         "not_eq",    "nullptr",   "operator",  "or",
    "or_eq",         "private",     "protected", "public",    "register",  "reinterpret_cast",
    "requires",      "return",      "short",     "signed",    "sizeof",    "static",
    "static_assert", "static_cast", "struct",    "switch",    "template",  "this",
    "thread_local",  "throw",       "true",      "try",       "typedef",   "typeid",
    "typename",      "union",       "unsigned",  "using",     "virtual",   "void",
    "volatile",      "wchar_t",     "while",     "xor",       "xor_eq",
};

// Taken by the generated classes and their bases.
constexpr std::string_view kMembersOfService[] = {"Service", "Stub", "kInfo", "kMethods"};
constexpr std::string_view kTakenFromMethods[] = {
    "Call", "CompletionToken", "Self",     "Service", "Stub", "StubBase",
    "info", "kInfo",           "kMethods", "methods",
};

template <class Names>
bool Contains(const Names& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

template <class Names>
std::string Escaped(const std::string& name, const Names& taken) {
  return Contains(kKeywords, name) || Contains(taken, name) ? name + "_" : name;
}

}  // namespace

std::string NamespaceOf(const google::protobuf::FileDescriptor& file) {
  if (file.package().empty()) return "";
  // protoc escapes some packages; which ones only it knows, so it is asked for a message's name.
  google::protobuf::FileDescriptorProto probe;
  probe.set_name("probe.proto");
  probe.set_package(file.package());
  probe.add_message_type()->set_name("Probe");
  google::protobuf::DescriptorPool pool;
  const std::string name = ClassNameOf(*pool.BuildFile(probe)->message_type(0));
  constexpr std::string_view kBefore = "::";
  constexpr std::string_view kAfter = "::Probe";
  return name.substr(kBefore.size(), name.size() - kBefore.size() - kAfter.size());
}

std::string ClassNameOf(const google::protobuf::ServiceDescriptor& service) {
  return Escaped(service.name(), kMembersOfService);
}

std::string FunctionNameOf(const google::protobuf::MethodDescriptor& method) {
  return Escaped(method.name(), kTakenFromMethods);
}

std::string ClassNameOf(const google::protobuf::Descriptor& message) {
  return google::protobuf::compiler::cpp::QualifiedClassName(&message);
}

std::string WireNameOf(const google::protobuf::MethodDescriptor& method) {
  return method.service()->full_name() + "/" + method.name();
}

}  // namespace weir::codegen
