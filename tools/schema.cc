#include "schema.h"

#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/dynamic_message.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "text.h"

namespace weir::tool {
namespace {

namespace pb = google::protobuf;

// The mistakes of all files, "file:line:column: what".
class Mistakes final : public pb::compiler::MultiFileErrorCollector,
                       public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, int line, int column, const std::string& text) override {
    std::string place = file;
    if (line >= 0) place += ":" + std::to_string(line + 1) + ":" + std::to_string(column + 1);
    texts_.push_back(place + ": " + text);
  }
  void AddError(const std::string& file, const std::string& element, const pb::Message*,
                ErrorLocation, const std::string& text) override {
    texts_.push_back(file + ": " + element + ": " + text);
  }
  // Six mistakes say it; the rest are mostly what follows from them.
  std::string Text() const {
    std::string all;
    for (std::size_t i = 0; i < std::min<std::size_t>(texts_.size(), 6); ++i) {
      all += (i > 0 ? "; " : "") + texts_[i];
    }
    return all;
  }

 private:
  std::vector<std::string> texts_;
};

std::string FolderOf(const std::string& file) {
  const std::string folder = std::filesystem::path(file).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

struct Schema::Parts {
  Mistakes mistakes;
  pb::DescriptorPoolDatabase linked{*pb::DescriptorPool::generated_pool()};
  // One of these two is in use.
  pb::compiler::DiskSourceTree tree;
  pb::compiler::SourceTreeDescriptorDatabase sources{&tree, &linked};
  pb::SimpleDescriptorDatabase set;
  pb::MergedDescriptorDatabase set_and_linked{&set, &linked};

  std::unique_ptr<pb::DescriptorPool> pool;
  std::unique_ptr<pb::DynamicMessageFactory> factory;
  std::vector<const pb::FileDescriptor*> files;  // those the user named

  Status LoadProtos(const SchemaSource& source);
  Status LoadSet(const std::string& path);
};

Schema::Schema(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Schema::~Schema() = default;

Status Schema::Parts::LoadProtos(const SchemaSource& source) {
  std::vector<std::string> folders = source.proto_paths;
  for (const std::string& folder : folders) {
    if (!std::filesystem::is_directory(folder)) {
      return InvalidArgument("--proto-path " + folder + ": no such directory");
    }
  }
  for (const std::string& file : source.protos) folders.push_back(FolderOf(file));
  for (const std::string& folder : folders) {
    if (std::filesystem::is_directory(folder)) tree.MapPath("", folder);
  }
  sources.RecordErrorsTo(&mistakes);
  pool = std::make_unique<pb::DescriptorPool>(&sources, sources.GetValidationErrorCollector());
  for (const std::string& file : source.protos) {
    std::string name;
    std::string other;
    if (!std::filesystem::exists(file)) {  // perhaps it is named as imports name it
      name = file;
      if (!tree.VirtualFileToDiskFile(name, &other)) {
        return InvalidArgument(
            "--proto " + file + ": no such file" +
            (source.proto_paths.empty() ? std::string() : ", nor in " + Some(source.proto_paths)));
      }
    } else if (const auto mapped = tree.DiskFileToVirtualFile(file, &name, &other);
               mapped != pb::compiler::DiskSourceTree::SUCCESS) {
      return InvalidArgument(
          "--proto " + file +
          (mapped == pb::compiler::DiskSourceTree::SHADOWED
               ? " is hidden by " + other + ", which comes first among the --proto-path"
               : std::string(" cannot be read")));
    }
    const pb::FileDescriptor* const found = pool->FindFileByName(name);
    if (found == nullptr) {
      std::string text = "cannot load " + file + ": " + mistakes.Text();
      if (text.find("File not found") != std::string::npos) {
        text +=
            "; looked in " + Some(folders) + "; name the directory of imports with --proto-path";
      }
      return InvalidArgument(std::move(text));
    }
    files.push_back(found);
  }
  return {};
}

Status Schema::Parts::LoadSet(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return InvalidArgument("--descriptor-set " + path + ": the file cannot be read");
  pb::FileDescriptorSet files_of_set;
  if (!files_of_set.ParseFromIstream(&in) || files_of_set.file_size() == 0) {
    return InvalidArgument("--descriptor-set " + path +
                           " holds no FileDescriptorSet; make it with protoc --include_imports "
                           "--descriptor_set_out=FILE");
  }
  for (const pb::FileDescriptorProto& file : files_of_set.file()) {
    if (!set.Add(file)) {
      return InvalidArgument("--descriptor-set " + path + ": " + file.name() +
                             " is in it twice, or contradicts another file");
    }
  }
  pool = std::make_unique<pb::DescriptorPool>(&set_and_linked, &mistakes);
  for (const pb::FileDescriptorProto& file : files_of_set.file()) {
    const pb::FileDescriptor* const found = pool->FindFileByName(file.name());
    if (found == nullptr) {
      return InvalidArgument("--descriptor-set " + path + ": " + mistakes.Text() +
                             "; if files are missing, make it with protoc --include_imports");
    }
    files.push_back(found);
  }
  return {};
}

Result<std::unique_ptr<Schema>> Schema::Load(const SchemaSource& source) {
  pb::SetLogHandler(nullptr);  // what it would say is in the errors
  if (source.protos.empty() == source.descriptor_set.empty()) {
    return InvalidArgument(
        source.protos.empty()
            ? "what does the method take? Name its .proto with --proto (and with --proto-path the "
              "directories of its imports), or a --descriptor-set"
            : "--proto and --descriptor-set exclude each other");
  }
  auto parts = std::make_unique<Parts>();
  Status status =
      source.protos.empty() ? parts->LoadSet(source.descriptor_set) : parts->LoadProtos(source);
  if (!status.ok()) return status;
  parts->factory = std::make_unique<pb::DynamicMessageFactory>(parts->pool.get());
  return std::unique_ptr<Schema>(new Schema(std::move(parts)));
}

std::vector<std::string> Schema::Services() const {
  std::vector<std::string> names;
  for (const pb::FileDescriptor* file : parts_->files) {
    for (int i = 0; i < file->service_count(); ++i) names.push_back(file->service(i)->full_name());
  }
  return names;
}

Result<const pb::MethodDescriptor*> Schema::FindMethod(std::string_view text) const {
  const auto slash = text.find('/');
  const std::string service(text.substr(0, slash));
  const pb::ServiceDescriptor* const found = parts_->pool->FindServiceByName(service);
  if (found == nullptr) {
    const std::vector<std::string> known = Services();
    return InvalidArgument("no service '" + Printable(service) + "'" + DidYouMean(service, known) +
                           "; known: " + Some(known));
  }
  std::vector<std::string> methods;
  for (int i = 0; i < found->method_count(); ++i) methods.push_back(found->method(i)->name());
  if (slash == std::string_view::npos) {
    return InvalidArgument("which method of " + service + "? Write " + service +
                           "/METHOD; methods: " + Some(methods));
  }
  const std::string name(text.substr(slash + 1));
  const pb::MethodDescriptor* const method = found->FindMethodByName(name);
  if (method == nullptr) {
    return InvalidArgument(service + " has no method '" + Printable(name) + "'" +
                           DidYouMean(name, methods) + "; methods: " + Some(methods));
  }
  if (method->client_streaming() || method->server_streaming()) {
    return InvalidArgument(std::string(text) + " streams; weir calls have one message each way");
  }
  return method;
}

std::unique_ptr<pb::Message> Schema::NewMessage(const pb::Descriptor& type) const {
  return std::unique_ptr<pb::Message>(parts_->factory->GetPrototype(&type)->New());
}

}  // namespace weir::tool
