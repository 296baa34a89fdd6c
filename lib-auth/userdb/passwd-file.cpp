// userdb passwd-file: fields 3, 4, 6 and userdb_* of the eighth; see docs/passwd-file.md.
#include "lib-auth/passwd-file.h"

#include <fmt/format.h>

#include "lib-auth/passwd-file-source.h"
#include "lib-auth/userdb/drivers.h"
#include "lib-base/log.h"
#include "lib-base/text.h"

namespace culver::userdb {

namespace {
class PasswdFileUserDb final : public UserDb {
public:
    PasswdFileUserDb(PasswdFileArgs args, PasswdFileRegistry& files) : source_(std::move(args), files) {
        files.serve_userdb(source_.args().path);
    }

    Work work(const AuthRequest& request) override {
        auto file = source_.open(request);
        return file && !file->is_current() ? Work::Cpu : Work::Cheap;
    }

    Result<UserDbReply> lookup(const AuthRequest& request) override {
        UserDbReply reply;
        auto found = TRY(source_.find(request));
        if (!found.entry) return reply;
        if (!found.entry->has_userdb_info) {
            log_error(
                fmt::format("passwd-file {}: User {} is missing userdb info", found.file->path(), found.entry->user));
            return reply;
        }
        return read_fields(*found.entry, found.file->path(), request);
    }

    Status iterate(const std::function<void(std::string_view)>& visit) override {
        if (!source_.only_file())
            return fail(ErrorCode::Unsupported, "passwd-file: can't list users when the path has variables");
        auto table = TRY(source_.only_file()->table());
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
            else TRY(set_field(reply.fields, word.substr(0, equals), word.substr(equals + 1), request));
        }
        reply.found = true;
        return reply;
    }

    // userdb_uid and userdb_gid may be names.
    static Status set_field(AuthFields& fields, std::string_view key, std::string_view text,
                            const AuthRequest& request) {
        std::string value = TRY(expand_for_request(text, request));
        if (key == "uid") value = TRY(resolve_uid(value));
        if (key == "gid") value = TRY(resolve_gid(value));
        fields.set(key, value);
        return {};
    }

    // A user with a bad number is as good as not there: nobody must get somebody else's rights.
    static UserDbReply bad_id(const PasswdFileEntry& entry, const std::string& path, std::string_view what,
                              std::string_view value) {
        log_error(fmt::format("passwd-file {}: User {}: Invalid {} value '{}'", path, entry.user, what, value));
        return {};
    }

    const PasswdFileSource source_;
};
}  // namespace

Result<std::unique_ptr<UserDb>> make_passwd_file(const UserDbSettings& settings, const DriverContext& context) {
    PasswdFileArgs args = TRY(parse_passwd_file_args(settings.args));
    return std::make_unique<PasswdFileUserDb>(std::move(args), *context.files);
}

}  // namespace culver::userdb
