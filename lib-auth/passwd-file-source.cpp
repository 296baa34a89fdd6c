#include "lib-auth/passwd-file-source.h"

namespace culver {

PasswdFileSource::PasswdFileSource(PasswdFileArgs args, PasswdFileRegistry& files)
    : args_(std::move(args)), files_(files) {
    if (args_.path.find('%') == std::string::npos) only_file_ = files_.open(args_.path, args_.path);
}

std::shared_ptr<PasswdFile> PasswdFileSource::open(const AuthRequest& request) const {
    if (only_file_) return only_file_;
    auto path = expand_database_path(args_.path, request);
    return path ? files_.open(*path, args_.path) : nullptr;
}

Result<std::string> PasswdFileSource::user_name(const AuthRequest& request) const {
    if (takes_name_as_it_is()) return request.user;
    return expand_for_request(args_.username_format, request);
}

Result<PasswdFileSource::Found> PasswdFileSource::find(const AuthRequest& request) const {
    Found found{open(request), nullptr, std::nullopt};
    if (!found.file) return found;
    auto table = found.file->table();
    if (!table) {
        // Domains without a file of their own have no users.
        if (!only_file_ && table.error().code == ErrorCode::NotFound) return found;
        return fail(table.error());
    }
    found.table = std::move(*table);
    // The usual name is looked up without a copy.
    found.entry = takes_name_as_it_is() ? found.table->find(request.user) : found.table->find(TRY(user_name(request)));
    return found;
}

}  // namespace culver
