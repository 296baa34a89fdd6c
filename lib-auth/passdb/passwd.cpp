// passdb passwd: the hash in the second field of getpwnam(3). On systems with shadow passwords it is only "x" or "*",
// which never matches; it serves machines whose NSS gives hashes out (NIS).
#include "lib-auth/passdb/drivers.h"
#include "lib-auth/passdb/system-password.h"
#include "lib-auth/system-user.h"

namespace culver::passdb {

namespace {
class PasswdPassDb final : public PassDb {
public:
    explicit PasswdPassDb(PamBackend* backend) : backend_(backend) {}

    Work work(const AuthRequest&) override { return Work::Blocking; }

    Result<PassDbReply> lookup(const AuthRequest& request) override {
        auto user = TRY(find_system_user(request.user));
        if (!user) return PassDbReply();
        return system_password_reply(user->password.reveal());
    }

    // Whose hash is in /etc/shadow has his date of expiry there.
    bool has_account_rules() const override { return true; }
    Result<PassDbReply> check_account(const AuthRequest& request) override {
        PassDbReply reply = TRY(lookup(request));
        if (reply.verdict != Verdict::Match || reply.password.reveal() != "x") return reply;
        if (!backend_) return fail(ErrorCode::Unavailable, "/etc/shadow cannot be read by this process");
        PamCall call;
        call.kind = PamCall::Kind::ShadowAccount;
        call.user = request.user;
        PamAnswer answer = TRY(backend_->authenticate(call));
        if (answer.temporary_failure) return fail(ErrorCode::Unavailable, answer.error);
        if (answer.verdict == Verdict::Expired) return expired_account_reply();
        return reply;
    }

private:
    PamBackend* backend_;
};
}  // namespace

Result<std::unique_ptr<PassDb>> make_passwd(const PassDbSettings&, const DriverContext& context) {
    return std::make_unique<PasswdPassDb>(context.pam);
}

}  // namespace culver::passdb
