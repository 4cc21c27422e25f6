#include "checks.h"

#include <google/protobuf/compiler/cpp/names.h>
#include <google/protobuf/descriptor.pb.h>

#include <map>
#include <set>
#include <string>

#include "names.h"
#include "weir/options.pb.h"

namespace weir::codegen {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

bool IsHashKey(const FieldDescriptor& field) {
  return field.options().GetExtension(weir::hash_key);
}

// Why the field cannot be a key; empty if it can.
std::string WhyNoKey(const FieldDescriptor& field) {
  if (field.is_extension()) return "an extension";
  if (field.is_map()) return "a map";
  if (field.is_repeated()) return "repeated";
  if (field.real_containing_oneof() != nullptr) {
    return "in the oneof " + field.real_containing_oneof()->name();
  }
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "";
    case FieldDescriptor::CPPTYPE_STRING:
      if (field.options().ctype() == google::protobuf::FieldOptions::STRING) return "";
      return "a string with the option ctype";
    default:
      return std::string("of type ") + field.type_name();
  }
}

void CheckHashKey(const FieldDescriptor& field, Problems& problems) {
  const std::string why = IsHashKey(field) ? WhyNoKey(field) : "";
  if (why.empty()) return;
  problems.Add(field, "field " + field.full_name() + " cannot be the (weir.hash_key): it is " +
                          why + "; mark a plain string, bytes or integer field");
}

void CheckHashKeys(const Descriptor& message, Problems& problems) {
  const FieldDescriptor* first = HashKeyOf(message);
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    CheckHashKey(field, problems);
    if (IsHashKey(field) && &field != first) {
      problems.Add(field, "field " + field.full_name() + " is a second (weir.hash_key), beside " +
                              first->name() + "; a message has at most one");
    }
  }
  for (int i = 0; i < message.extension_count(); ++i) CheckHashKey(*message.extension(i), problems);
  for (int i = 0; i < message.nested_type_count(); ++i) {
    CheckHashKeys(*message.nested_type(i), problems);
  }
}

void CheckMethods(const ServiceDescriptor& service, Problems& problems) {
  std::map<std::string, const MethodDescriptor*> functions;
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    if (method.client_streaming() || method.server_streaming()) {
      problems.Add(method, "method " + WireNameOf(method) +
                               " streams; weir has no streaming yet: leave out `stream`");
    }
    CheckHashKeys(*method.input_type(), problems);
    const std::string name = FunctionNameOf(method);
    if (const auto [taken, added] = functions.emplace(name, &method); !added) {
      problems.Add(method, "method " + WireNameOf(method) + " and method " +
                               WireNameOf(*taken->second) + " are both named " + name +
                               " in C++; rename one");
    }
  }
}

// The names of classes, enums and constants that protoc puts into a namespace, with what they stem
// from.
class TakenNames {
 public:
  explicit TakenNames(const FileDescriptor& file) : package_(file.package()) { AddFile(file); }

  // What `name` stands for already, or null.
  const std::string* Find(const std::string& name) const {
    const auto found = names_.find(name);
    return found == names_.end() ? nullptr : &found->second;
  }
  void Add(const std::string& name, const std::string& meaning) { names_.emplace(name, meaning); }

 private:
  void AddFile(const FileDescriptor& file) {
    if (!seen_.insert(&file).second) return;
    if (file.package() == package_) {
      for (int i = 0; i < file.message_type_count(); ++i) AddMessage(*file.message_type(i));
      for (int i = 0; i < file.enum_type_count(); ++i) AddEnum(*file.enum_type(i));
    }
    for (int i = 0; i < file.dependency_count(); ++i) AddFile(*file.dependency(i));
  }
  void AddMessage(const Descriptor& message) {
    Add(google::protobuf::compiler::cpp::ClassName(&message), "message " + message.full_name());
    for (int i = 0; i < message.nested_type_count(); ++i) AddMessage(*message.nested_type(i));
    for (int i = 0; i < message.enum_type_count(); ++i) AddEnum(*message.enum_type(i));
  }
  void AddEnum(const EnumDescriptor& type) {
    const std::string name = google::protobuf::compiler::cpp::ClassName(&type);
    Add(name, "enum " + type.full_name());
    for (int i = 0; i < type.value_count(); ++i) {
      const std::string value = google::protobuf::compiler::cpp::EnumValueName(type.value(i));
      Add(type.containing_type() == nullptr ? value : name + "_" + value,
          "value " + type.value(i)->full_name());
    }
  }

  std::string package_;
  std::set<const FileDescriptor*> seen_;
  std::map<std::string, std::string> names_;
};

}  // namespace

const FieldDescriptor* HashKeyOf(const Descriptor& message) {
  for (int i = 0; i < message.field_count(); ++i) {
    if (IsHashKey(*message.field(i))) return message.field(i);
  }
  return nullptr;
}

void Check(const FileDescriptor& file, Problems& problems) {
  for (int i = 0; i < file.message_type_count(); ++i) {
    CheckHashKeys(*file.message_type(i), problems);
  }
  for (int i = 0; i < file.extension_count(); ++i) CheckHashKey(*file.extension(i), problems);
  if (file.service_count() > 0 && file.options().cc_generic_services()) {
    using google::protobuf::FileDescriptorProto;
    using google::protobuf::FileOptions;
    problems.AddAt(
        file,
        {FileDescriptorProto::kOptionsFieldNumber, FileOptions::kCcGenericServicesFieldNumber},
        "option cc_generic_services makes protoc generate a class named as each service, "
        "and so does weir; remove it");
  }
  TakenNames taken(file);
  for (int i = 0; i < file.service_count(); ++i) {
    const ServiceDescriptor& service = *file.service(i);
    const std::string name = ClassNameOf(service);
    if (const std::string* other = taken.Find(name)) {
      problems.Add(service, "service " + service.full_name() + " and " + *other +
                                " are both named " + name + " in C++; rename one");
    }
    taken.Add(name, "service " + service.full_name());
    CheckMethods(service, problems);
  }
}

}  // namespace weir::codegen
