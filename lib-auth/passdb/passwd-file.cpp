// passdb passwd-file: see lib-auth/passwd-file.h and docs/passwd-file.md.
#include "lib-auth/passwd-file.h"

#include <fmt/format.h>

#include "lib-auth/passdb/drivers.h"
#include "lib-auth/passwd-file-source.h"
#include "lib-auth/passwd-file-store.h"
#include "lib-auth/password-scheme.h"
#include "lib-base/text.h"

namespace culver::passdb {

namespace {
class PasswdFilePassDb final : public PassDb {
public:
    PasswdFilePassDb(PasswdFileArgs args, PasswdFileRegistry& files) : source_(std::move(args), files) {}

    Work work(const AuthRequest& request) override {
        auto file = source_.open(request);
        return file && !file->is_current() ? Work::Cpu : Work::Cheap;  // Cpu: reads the file
    }

    Result<PassDbReply> lookup(const AuthRequest& request) override {
        auto found = TRY(source_.find(request));
        PassDbReply reply;
        if (!found.entry) return reply;
        const PasswdFileEntry& entry = *found.entry;
        reply.verdict = Verdict::Match;
        reply.has_password = true;
        reply.password = SecretString(with_bracket_scheme(entry.password));
        for (std::string_view word : split_passwd_extra(entry.extra)) {
            std::size_t equals = word.find('=');
            if (equals == word.npos) {
                reply.fields.set(word, "", false);
            } else {
                std::string value = TRY(expand_for_request(word.substr(equals + 1), request));
                reply.fields.set(word.substr(0, equals), value);
            }
        }
        return reply;
    }

    std::string default_scheme() const override { return source_.args().scheme; }

    bool can_store_password() const override { return true; }

    Status store_password(const AuthRequest& request, const SecretString& stored, const SecretString& fresh) override {
        auto file = source_.open(request);
        if (!file) return fail(ErrorCode::InUse, "the user has no file any more");
        std::string user = TRY(source_.user_name(request));
        return store_in_passwd_file(file->path(), user, fresh.reveal(), [&](std::string_view field) {
            return with_bracket_scheme(field) == stored.reveal();
        });
    }

    std::string typical_password(const AuthRequest& request) override {
        auto file = source_.open(request);
        if (!file) return {};
        auto table = file->table();
        return table ? std::string((*table)->typical_password()) : std::string();
    }

private:
    // libpam-pwdfile's way to name a hash: "data[34]"; 56 is Dovecot's own, everything else is DES.
    static std::string with_bracket_scheme(std::string_view password) {
        bool has_type = password.size() > 4 && password[password.size() - 4] == '[' && password.ends_with(']');
        if (!has_type || password[0] == '{' || password[0] == '$') return std::string(password);
        std::string_view type = password.substr(password.size() - 3, 2);
        std::string_view scheme = type == "34" ? "{PLAIN-MD5}" : type == "56" ? "{DIGEST-MD5}" : "{DES-CRYPT}";
        return std::string(scheme) + std::string(password.substr(0, password.size() - 4));
    }

    const PasswdFileSource source_;
};
}  // namespace

Result<std::unique_ptr<PassDb>> make_passwd_file(const PassDbSettings& settings, const DriverContext& context) {
    PasswdFileArgs args = TRY(parse_passwd_file_args(settings.args));
    if (!scheme_of_password("", args.scheme))
        return fail(ErrorCode::InvalidArgument, fmt::format("passwd-file: Unknown default scheme {}", args.scheme));
    return std::make_unique<PasswdFilePassDb>(std::move(args), *context.files);
}

}  // namespace culver::passdb
