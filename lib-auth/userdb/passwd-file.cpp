// userdb passwd-file: fields 3, 4, 6 and userdb_* of the eighth; see docs/passwd-file.md.
#include "lib-auth/passwd-file.h"

#include <fmt/format.h>

#include "lib-auth/driver-args.h"
#include "lib-auth/userdb/drivers.h"
#include "lib-base/log.h"
#include "lib-base/text.h"

namespace culver::userdb {

namespace {
class PasswdFileUserDb final : public UserDb {
public:
    PasswdFileUserDb(PasswdFileArgs args, PasswdFileRegistry& files) : args_(std::move(args)), files_(files) {
        files_.serve_userdb(args_.path);
        if (args_.path.find('%') == std::string::npos) file_ = files_.open(args_.path, args_.path);
    }

    Work work(const AuthRequest& request) override {
        auto file = open(request);
        return file && !(*file)->is_current() ? Work::Cpu : Work::Cheap;
    }

    Result<UserDbReply> lookup(const AuthRequest& request) override {
        UserDbReply reply;
        auto file = open(request);
        if (!file) return reply;
        auto table = (*file)->table();
        if (!table) {
            if (!file_ && table.error().code == ErrorCode::NotFound) return reply;
            return fail(table.error());
        }
        auto entry = (*table)->find(TRY(expand_for_request(args_.username_format, request)));
        if (!entry) return reply;
        if (!entry->has_userdb_info) {
            log_error(fmt::format("passwd-file {}: User {} is missing userdb info", (*file)->path(), entry->user));
            return reply;
        }
        return read_fields(*entry, (*file)->path(), request);
    }

    Status iterate(const std::function<void(std::string_view)>& visit) override {
        if (!file_) return fail(ErrorCode::Unsupported, "passwd-file: can't list users when the path has variables");
        auto table = TRY(file_->table());
        table->for_each([&](const PasswdFileEntry& entry) { visit(entry.user); });
        return {};
    }

private:
    Result<UserDbReply> read_fields(const PasswdFileEntry& entry, const std::string& path, const AuthRequest& request) {
        UserDbReply reply;
        if (!entry.uid.empty()) {
            auto uid = resolve_uid(entry.uid);
            if (!uid || *uid == "0") return bad_id(entry, path, "UID", entry.uid);
            reply.fields.set("uid", *uid);
        }
        if (!entry.gid.empty()) {
            auto gid = resolve_gid(entry.gid);
            if (!gid || *gid == "0") return bad_id(entry, path, "GID", entry.gid);
            reply.fields.set("gid", *gid);
        }
        if (!entry.home.empty()) reply.fields.set("home", entry.home);  // as it stands: as in Dovecot
        if (!entry.old_mail.empty()) reply.fields.set("mail", TRY(expand_for_request(entry.old_mail, request)));
        for (std::string_view word : split_passwd_extra(entry.extra)) {
            if (!word.starts_with("userdb_")) continue;
            word.remove_prefix(7);
            std::size_t equals = word.find('=');
            if (equals == word.npos) reply.fields.set(word, "", false);
            else reply.fields.set(word.substr(0, equals), TRY(expand_for_request(word.substr(equals + 1), request)));
        }
        reply.found = true;
        return reply;
    }

    // A user with a bad number is as good as not there: nobody must get somebody else's rights.
    static UserDbReply bad_id(const PasswdFileEntry& entry, const std::string& path, std::string_view what,
                              std::string_view value) {
        log_error(fmt::format("passwd-file {}: User {}: Invalid {} value '{}'", path, entry.user, what, value));
        return {};
    }

    std::optional<std::shared_ptr<PasswdFile>> open(const AuthRequest& request) {
        if (file_) return file_;
        auto path = expand_database_path(args_.path, request);
        if (!path) return std::nullopt;
        return files_.open(*path, args_.path);
    }

    PasswdFileArgs args_;
    PasswdFileRegistry& files_;
    std::shared_ptr<PasswdFile> file_;  // shared with the passdb on the same file; null if the path has variables
};
}  // namespace

Result<std::unique_ptr<UserDb>> make_passwd_file(const UserDbSettings& settings, const DriverContext& context) {
    PasswdFileArgs args = TRY(parse_passwd_file_args(settings.args));
    return std::make_unique<PasswdFileUserDb>(std::move(args), *context.files);
}

}  // namespace culver::userdb
