// passdb checkpassword: a program of the admin decides. `args = /path/of/program [arguments]`; docs/checkpassword.md.
#include "lib-auth/checkpassword.h"

#include <fmt/format.h>

#include "lib-auth/passdb/drivers.h"

namespace culver::passdb {

namespace {
class CheckpasswordPassDb final : public PassDb {
public:
    CheckpasswordPassDb(std::string args, ProgramRunner* runner) : args_(std::move(args)), runner_(runner) {}

    Work work(const AuthRequest&) override { return Work::Blocking; }
    bool verifies_itself() const override { return true; }

    Result<PassDbReply> verify(const AuthRequest& request, const SecretString& password) override {
        auto answer = TRY(checkpassword::ask(runner_, args_, request, checkpassword::Mode::Verify, password.reveal()));
        PassDbReply reply;
        reply.verdict = answer.kind == checkpassword::Answer::Kind::Yes ? Verdict::Match : Verdict::Mismatch;
        reply.reason = std::move(answer.reason);
        reply.fields = std::move(answer.fields);
        reply.fields.remove("password");
        return reply;
    }

    Result<PassDbReply> lookup(const AuthRequest& request) override {
        auto answer = TRY(checkpassword::ask(runner_, args_, request, checkpassword::Mode::Credentials, ""));
        PassDbReply reply;
        reply.reason = std::move(answer.reason);
        if (answer.kind != checkpassword::Answer::Kind::Yes) return reply;
        reply.verdict = Verdict::Match;
        reply.fields = std::move(answer.fields);
        if (const AuthField* password = reply.fields.find("password")) {
            reply.has_password = true;
            // Bare, it is in the scheme that was asked for.
            auto scheme = checkpassword::wanted_scheme(request);
            bool bare = !password->value.starts_with('{') && !scheme.empty() && !password->value.empty();
            reply.password = SecretString(bare ? fmt::format("{{{}}}{}", scheme, password->value) : password->value);
            reply.fields.remove("password");
        }
        return reply;
    }

    std::string default_scheme() const override { return "PLAIN"; }

private:
    std::string args_;
    ProgramRunner* runner_;
};
}  // namespace

Result<std::unique_ptr<PassDb>> make_checkpassword(const PassDbSettings& settings, const DriverContext& context) {
    TRY(checkpassword::check_args(settings.args));
    return std::make_unique<CheckpasswordPassDb>(settings.args, context.programs);
}

}  // namespace culver::passdb
