#include "service_writer.h"

#include <google/protobuf/compiler/cpp/names.h>
#include <google/protobuf/descriptor.pb.h>

#include <map>
#include <string>
#include <vector>

#include "checks.h"
#include "comments.h"
#include "names.h"
#include "weir/options.pb.h"

namespace weir::codegen {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;
using google::protobuf::io::Printer;
using Variables = std::map<std::string, std::string>;

constexpr char kDeprecated[] = "[[deprecated(\"$wire_name$ is deprecated in its .proto\")]]\n";

const char* BoolText(bool value) {
  return value ? "true" : "false";
}

// As people write it: without the leading "::".
std::string ReadableClass(const google::protobuf::Descriptor& message) {
  return ClassNameOf(message).substr(2);
}

Variables VariablesOf(const ServiceDescriptor& service) {
  return {{"service", service.full_name()}, {"class", ClassNameOf(service)}};
}

Variables VariablesOf(const MethodDescriptor& method) {
  Variables variables = VariablesOf(*method.service());
  variables["name"] = method.name();
  variables["wire_name"] = WireNameOf(method);
  variables["function"] = FunctionNameOf(method);
  variables["index"] = std::to_string(method.index());
  variables["request"] = ClassNameOf(*method.input_type());
  variables["reply"] = ClassNameOf(*method.output_type());
  variables["readable_request"] = ReadableClass(*method.input_type());
  variables["readable_reply"] = ReadableClass(*method.output_type());
  const auto level = method.options().idempotency_level();
  variables["idempotent"] = BoolText(level != google::protobuf::MethodOptions::IDEMPOTENCY_UNKNOWN);
  variables["blocking"] = BoolText(method.options().GetExtension(weir::blocking));
  return variables;
}

void WriteComment(const std::vector<std::string>& lines, Printer& printer) {
  for (const std::string& line : lines) {
    printer.Print(line.empty() ? "//\n" : "// $line$\n", "line", line);
  }
}

void WriteTables(const ServiceDescriptor& service, Printer& printer) {
  const Variables variables = VariablesOf(service);
  if (service.method_count() == 0) {
    printer.Print(variables,
                  "static constexpr ::weir::ServiceInfo kInfo{.full_name = \"$service$\", "
                  ".methods = {}};\n");
    return;
  }
  printer.Print("static constexpr ::weir::MethodInfo kMethods[] = {\n");
  for (int i = 0; i < service.method_count(); ++i) {
    printer.Print(VariablesOf(*service.method(i)),
                  "    {.full_name = \"$wire_name$\",\n"
                  "     .index = $index$,\n"
                  "     .idempotent = $idempotent$,\n"
                  "     .blocking = $blocking$},\n");
  }
  printer.Print(variables,
                "};\n"
                "static constexpr ::weir::ServiceInfo kInfo{.full_name = \"$service$\",\n"
                "                                           .methods = kMethods};\n");
}

// The binding of one method to its handler. The handler is named only where the check holds, so
// that the check's message is the first error and not buried under others.
void WriteBinding(const MethodDescriptor& method, Printer& printer) {
  Variables variables = VariablesOf(method);
  const bool blocking = method.options().GetExtension(weir::blocking);
  variables["form"] = blocking ? "PlainHandler" : "AnyHandler";
  variables["forms"] =
      blocking ? "of this signature, for it is (weir.blocking)" : "of one of these signatures";
  variables["arguments"] = "weir::ServerContext&, const " + variables["readable_request"] + "&";
  printer.Print(variables,
                "static constexpr ::weir::BoundMethod Bind$function$() noexcept {\n"
                "  constexpr bool kHandled = requires {\n"
                "    requires ::weir::detail::$form$<\n"
                "        Self, $request$, $reply$, &Self::$function$>;\n"
                "  };\n"
                "  static_assert(kHandled,\n"
                "                \"service $service$, method $name$: \"\n"
                "                \"the class needs exactly one handler $function$, public and \"\n"
                "                \"$forms$:\\n\"\n"
                "                \"  weir::Result<$readable_reply$> \"\n"
                "                \"$function$($arguments$)");
  if (!blocking) {
    printer.Print(variables,
                  "\\n\"\n"
                  "                \"  asio::awaitable<weir::Result<$readable_reply$>> \"\n"
                  "                \"$function$($arguments$)\\n\"\n"
                  "                \"  void $function$($arguments$, \"\n"
                  "                \"weir::Reply<$readable_reply$>)");
  }
  printer.Print(variables,
                "\");\n"
                "  if constexpr (kHandled) {\n"
                "    return ::weir::Bind<\n"
                "        Self, $request$, $reply$, &Self::$function$>(\n"
                "        kMethods[$index$]);\n"
                "  } else {\n"
                "    return {};\n"
                "  }\n"
                "}\n");
}

void WriteServiceBase(const ServiceDescriptor& service, Printer& printer) {
  const Variables variables = VariablesOf(service);
  printer.Print(variables,
                "// Base of the class that handles the calls:\n"
                "//   class Mine final : public $class$::Service<Mine> { ... };\n"
                "// It has a public handler for each method, in any of the three forms of\n"
                "// weir/service.h unless said otherwise:\n");
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    printer.Print("//\n");
    WriteComment(CommentOf(method), printer);
    if (method.options().GetExtension(weir::blocking)) {
      printer.Print("// Blocking: it runs on a worker thread, and its handler is a plain one.\n");
    }
    printer.Print(VariablesOf(method),
                  "//   weir::Result<$readable_reply$> $function$(\n"
                  "//       weir::ServerContext& context, const $readable_request$& request);\n");
  }
  printer.Print(
      "template <class Self>\n"
      "class Service : public ::weir::Service {\n"
      " public:\n"
      "  const ::weir::ServiceInfo& info() const noexcept final { return kInfo; }\n"
      "  ::std::span<const ::weir::BoundMethod> methods() const noexcept final {\n");
  if (service.method_count() == 0) {
    printer.Print("    return {};\n  }\n};\n");
    return;
  }
  printer.Print("    static constexpr ::weir::BoundMethod kBound[] = {\n");
  for (int i = 0; i < service.method_count(); ++i) {
    printer.Print("        Bind$function$(),\n", "function", FunctionNameOf(*service.method(i)));
  }
  printer.Print(
      "    };\n"
      "    return kBound;\n"
      "  }\n"
      "\n"
      " private:\n");
  printer.Indent();
  for (int i = 0; i < service.method_count(); ++i) {
    if (i > 0) printer.Print("\n");
    WriteBinding(*service.method(i), printer);
  }
  printer.Outdent();
  printer.Print("};\n");
}

// The expression for the value of the request's key, of type std::optional<std::string_view>. It
// may use a DecimalText of the field named `routing_key`.
std::string KeyExpression(const FieldDescriptor* field) {
  if (field == nullptr) return "::std::nullopt";
  const std::string name = google::protobuf::compiler::cpp::FieldName(field);
  const std::string value =
      IsIntegerKey(*field) ? "routing_key.view()" : "::std::string_view(request." + name + "())";
  if (!field->has_presence()) return value;
  return "request.has_" + name + "() ? ::std::optional(" + value + ") : ::std::nullopt";
}

void WriteCalls(const MethodDescriptor& method, Printer& printer) {
  Variables variables = VariablesOf(method);
  const FieldDescriptor* key = HashKeyOf(*method.input_type());
  variables["key"] = KeyExpression(key);
  const auto write_body = [&](const char* token) {
    if (key != nullptr && IsIntegerKey(*key)) {
      printer.Print("  const ::weir::detail::DecimalText routing_key(request.$field$());\n",
                    "field", google::protobuf::compiler::cpp::FieldName(key));
    }
    printer.Print(variables,
                  "  return ::weir::StubBase::Call<$reply$>(\n"
                  "      kMethods[$index$], request, ::std::move(options),\n"
                  "      $key$");
    printer.Print("$token$);\n}\n", "token", token);
  };
  WriteComment(CommentOf(method), printer);
  if (method.options().deprecated()) printer.Print(variables, kDeprecated);
  printer.Print(variables,
                "::weir::Result<$reply$> $function$(\n"
                "    const $request$& request,\n"
                "    ::weir::CallOptions options = {}) const {\n");
  write_body("");
  printer.Print("template <class CompletionToken>\n");
  if (method.options().deprecated()) printer.Print(variables, kDeprecated);
  printer.Print(variables,
                "auto $function$(\n"
                "    const $request$& request,\n"
                "    ::weir::CallOptions options, CompletionToken&& token) const {\n");
  write_body(",\n      ::std::forward<CompletionToken>(token)");
}

void WriteStub(const ServiceDescriptor& service, Printer& printer) {
  printer.Print(
      "// Calls the service through a channel: f(request, options) blocks; with a completion\n"
      "// token as third argument it completes that with void(weir::Result<Reply>). A value, "
      "cheap\n"
      "// to copy; thread-safe.\n"
      "class Stub : public ::weir::StubBase {\n"
      " public:\n"
      "  explicit Stub(const ::weir::Channel& channel) : ::weir::StubBase(channel, kInfo) {}\n");
  printer.Indent();
  for (int i = 0; i < service.method_count(); ++i) {
    printer.Print("\n");
    WriteCalls(*service.method(i), printer);
  }
  printer.Outdent();
  printer.Print("};\n");
}

}  // namespace

bool IsIntegerKey(const FieldDescriptor& field) {
  return field.cpp_type() != FieldDescriptor::CPPTYPE_STRING;
}

void WriteService(const ServiceDescriptor& service, Printer& printer) {
  WriteComment(CommentOf(service), printer);
  printer.Print(VariablesOf(service),
                "class $class$ final {\n"
                " public:\n"
                "  $class$() = delete;\n\n");
  printer.Indent();
  WriteTables(service, printer);
  printer.Print("\n");
  WriteServiceBase(service, printer);
  printer.Print("\n");
  WriteStub(service, printer);
  printer.Outdent();
  printer.Print("};\n");
}

}  // namespace weir::codegen
