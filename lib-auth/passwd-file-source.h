// PasswdFileSource: which passwd-file a request means by one `args`: always the same, or one by user name (%d in the
// path). What passdb and userdb passwd-file share. Thread-safe.
#pragma once

#include <memory>
#include <optional>

#include "lib-auth/auth-request.h"
#include "lib-auth/driver-args.h"
#include "lib-auth/passwd-file.h"

namespace culver {

class PasswdFileSource {
public:
    // `files` must outlive it.
    PasswdFileSource(PasswdFileArgs args, PasswdFileRegistry& files);

    const PasswdFileArgs& args() const { return args_; }
    // Null if the path has variables.
    const std::shared_ptr<PasswdFile>& only_file() const { return only_file_; }
    // Null if the user name chooses no usable file; such a user is unknown.
    std::shared_ptr<PasswdFile> open(const AuthRequest& request) const;

    // The user's line; `entry` holds views into `table`. Reads the file if it has changed. No file, or none of this
    // domain's: no entry. An Error: the file that serves everybody is missing, or a file cannot be read.
    struct Found {
        std::shared_ptr<PasswdFile> file;
        std::shared_ptr<const PasswdFileTable> table;
        std::optional<PasswdFileEntry> entry;
    };
    Result<Found> find(const AuthRequest& request) const;
    // The name by which the file knows the user (username_format).
    Result<std::string> user_name(const AuthRequest& request) const;

private:
    bool takes_name_as_it_is() const { return args_.username_format == "%u"; }

    const PasswdFileArgs args_;
    PasswdFileRegistry& files_;
    std::shared_ptr<PasswdFile> only_file_;  // shared with the other database on the same file
};

}  // namespace culver
