// passdb shadow: the hash in /etc/shadow, which only a process with root's rights may read (PamBackend).
#include "lib-auth/passdb/drivers.h"
#include "lib-auth/passdb/system-password.h"

namespace culver::passdb {

namespace {
class ShadowPassDb final : public PassDb {
public:
    explicit ShadowPassDb(PamBackend* backend) : backend_(backend) {}

    Work work(const AuthRequest&) override { return Work::Blocking; }

    Result<PassDbReply> lookup(const AuthRequest& request) override {
        PassDbReply reply;
        if (!backend_) return fail(ErrorCode::Unavailable, "/etc/shadow cannot be read by this process");
        if (request.user.find('\0') != std::string::npos) return reply;
        PamCall call;
        call.kind = PamCall::Kind::Shadow;
        call.user = request.user;
        PamAnswer answer = TRY(backend_->authenticate(call));
        if (answer.temporary_failure) return fail(ErrorCode::Unavailable, answer.error);
        if (answer.verdict != Verdict::Match) return reply;
        return system_password_reply(answer.secret.reveal());
    }

private:
    PamBackend* backend_;
};
}  // namespace

Result<std::unique_ptr<PassDb>> make_shadow(const PassDbSettings&, const DriverContext& context) {
    return std::make_unique<ShadowPassDb>(context.pam);
}

}  // namespace culver::passdb
