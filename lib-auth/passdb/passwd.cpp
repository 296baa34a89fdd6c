// passdb passwd: the hash in the second field of getpwnam(3). On systems with shadow passwords it is only "x" or "*",
// which never matches; it serves machines whose NSS gives hashes out (NIS).
#include <fmt/format.h>
#include <pwd.h>

#include <cerrno>
#include <vector>

#include "lib-auth/passdb/drivers.h"
#include "lib-auth/passdb/system-password.h"

namespace culver::passdb {

namespace {
class PasswdPassDb final : public PassDb {
public:
    Work work(const AuthRequest&) override { return Work::Blocking; }

    Result<PassDbReply> lookup(const AuthRequest& request) override {
        PassDbReply reply;
        if (request.user.find('\0') != std::string::npos) return reply;
        std::vector<char> buffer(16384);
        passwd entry{}, *found = nullptr;
        int error = ::getpwnam_r(request.user.c_str(), &entry, buffer.data(), buffer.size(), &found);
        if (error != 0 && error != ENOENT && error != ESRCH)
            return fail(Error::from_errno(error, fmt::format("getpwnam_r({})", request.user)));
        if (!found) return reply;
        return system_password_reply(entry.pw_passwd ? entry.pw_passwd : "");
    }
};
}  // namespace

Result<std::unique_ptr<PassDb>> make_passwd(const PassDbSettings&, const DriverContext&) {
    return std::make_unique<PasswdPassDb>();
}

}  // namespace culver::passdb
