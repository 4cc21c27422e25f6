// The C++ names of what a .proto names.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

namespace weir::codegen {

// The namespace protoc puts a file's messages in: "a::b", or empty.
std::string NamespaceOf(const google::protobuf::FileDescriptor& file);

// The class of a service, and the member functions of a method. A trailing underscore is added, as
// protoc does, where the name is a C++ keyword or is taken by the generated classes themselves.
std::string ClassNameOf(const google::protobuf::ServiceDescriptor& service);
std::string FunctionNameOf(const google::protobuf::MethodDescriptor& method);

// "::a::b::Outer_Inner", as protoc names the class of a message.
std::string ClassNameOf(const google::protobuf::Descriptor& message);

// "greeter.Greeter/Hello", as the method travels.
std::string WireNameOf(const google::protobuf::MethodDescriptor& method);

}  // namespace weir::codegen
