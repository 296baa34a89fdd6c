// passdb shadow: the hash in /etc/shadow, which only a process with root's rights may read (PamBackend).
#include "lib-auth/passdb/drivers.h"
#include "lib-auth/passdb/system-password.h"

namespace culver::passdb {

namespace {
class ShadowPassDb final : public PassDb {
public:
    explicit ShadowPassDb(PamBackend* backend) : backend_(backend) {}

    Work work(const AuthRequest&) override { return Work::Blocking; }

    Result<PassDbReply> lookup(const AuthRequest& request) override { return ask(request, PamCall::Kind::Shadow); }

    bool has_account_rules() const override { return true; }
    Result<PassDbReply> check_account(const AuthRequest& request) override {
        return ask(request, PamCall::Kind::ShadowAccount);
    }

private:
    Result<PassDbReply> ask(const AuthRequest& request, PamCall::Kind kind) {
        PassDbReply reply;
        if (!backend_) return fail(ErrorCode::Unavailable, "/etc/shadow cannot be read by this process");
        if (request.user.find('\0') != std::string::npos) return reply;
        PamCall call;
        call.kind = kind;
        call.user = request.user;
        PamAnswer answer = TRY(backend_->authenticate(call));
        if (answer.temporary_failure) return fail(ErrorCode::Unavailable, answer.error);
        if (answer.verdict == Verdict::Expired) return expired_account_reply();
        if (answer.verdict != Verdict::Match) return reply;
        return system_password_reply(answer.secret.reveal());
    }

    PamBackend* backend_;
};
}  // namespace

Result<std::unique_ptr<PassDb>> make_shadow(const PassDbSettings&, const DriverContext& context) {
    return std::make_unique<ShadowPassDb>(context.pam);
}

}  // namespace culver::passdb
