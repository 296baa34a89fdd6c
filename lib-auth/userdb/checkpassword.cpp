// userdb checkpassword: the same program as of the passdb, asked without a password; docs/checkpassword.md.
#include "lib-auth/checkpassword.h"

#include "lib-auth/userdb/drivers.h"

namespace culver::userdb {

namespace {
class CheckpasswordUserDb final : public UserDb {
public:
    CheckpasswordUserDb(std::string args, ProgramRunner* runner) : args_(std::move(args)), runner_(runner) {}

    Work work(const AuthRequest&) override { return Work::Blocking; }

    Result<UserDbReply> lookup(const AuthRequest& request) override {
        auto answer = TRY(checkpassword::ask(runner_, args_, request, checkpassword::Mode::User, ""));
        UserDbReply reply;
        reply.found = answer.kind == checkpassword::Answer::Kind::Yes;
        // The user's own name and what is meant for the passdb do not count here.
        for (const AuthField& field : answer.fields) {
            std::string_view key = field.key;
            if (!key.starts_with("userdb_") || key.size() == 7) continue;
            key.remove_prefix(7);
            std::string value = field.value;
            if (key == "uid") value = TRY(resolve_uid(value));
            if (key == "gid") value = TRY(resolve_gid(value));
            reply.fields.set(key, value, field.has_value);
        }
        return reply;
    }

private:
    std::string args_;
    ProgramRunner* runner_;
};
}  // namespace

Result<std::unique_ptr<UserDb>> make_checkpassword(const UserDbSettings& settings, const DriverContext& context) {
    TRY(checkpassword::check_args(settings.args));
    return std::make_unique<CheckpasswordUserDb>(settings.args, context.programs);
}

}  // namespace culver::userdb
