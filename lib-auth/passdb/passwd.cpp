// passdb passwd: the hash in the second field of getpwnam(3). On systems with shadow passwords it is only "x" or "*",
// which never matches; it serves machines whose NSS gives hashes out (NIS).
#include "lib-auth/passdb/drivers.h"
#include "lib-auth/passdb/system-password.h"
#include "lib-auth/system-user.h"

namespace culver::passdb {

namespace {
class PasswdPassDb final : public PassDb {
public:
    Work work(const AuthRequest&) override { return Work::Blocking; }

    Result<PassDbReply> lookup(const AuthRequest& request) override {
        auto user = TRY(find_system_user(request.user));
        if (!user) return PassDbReply();
        return system_password_reply(user->password.reveal());
    }
};
}  // namespace

Result<std::unique_ptr<PassDb>> make_passwd(const PassDbSettings&, const DriverContext&) {
    return std::make_unique<PasswdPassDb>();
}

}  // namespace culver::passdb
