// userdb passwd: system users, through NSS. `args = override fields as key=value`.
#include <pwd.h>

#include <cerrno>
#include <mutex>
#include <vector>

#include <fmt/format.h>

#include "lib-auth/driver-args.h"
#include "lib-auth/userdb/drivers.h"

namespace culver::userdb {

namespace {
class PasswdUserDb final : public UserDb {
public:
    explicit PasswdUserDb(std::vector<DriverArg> overrides) : overrides_(std::move(overrides)) {}

    Work work(const AuthRequest&) override { return Work::Blocking; }

    Result<UserDbReply> lookup(const AuthRequest& request) override {
        UserDbReply reply;
        if (request.user.find('\0') != std::string::npos) return reply;
        std::vector<char> buffer(65536);
        passwd entry{}, *found = nullptr;
        int error = ::getpwnam_r(request.user.c_str(), &entry, buffer.data(), buffer.size(), &found);
        if (error != 0 && error != ENOENT && error != ESRCH)
            return fail(Error::from_errno(error, fmt::format("getpwnam_r({})", request.user)));
        if (!found) return reply;
        reply.found = true;
        reply.fields.set("system_groups_user", entry.pw_name);
        reply.fields.set("uid", fmt::format("{}", entry.pw_uid));
        reply.fields.set("gid", fmt::format("{}", entry.pw_gid));
        reply.fields.set("home", entry.pw_dir);
        for (const DriverArg& arg : overrides_)
            reply.fields.set(arg.key, TRY(expand_for_request(arg.value, request)), arg.has_value);
        return reply;
    }

    Status iterate(const std::function<void(std::string_view)>& visit) override {
        static std::mutex mutex;  // guards the process-wide position of getpwent(3)
        std::lock_guard lock(mutex);
        ::setpwent();
        while (passwd* entry = ::getpwent()) visit(entry->pw_name);
        ::endpwent();
        return {};
    }

private:
    std::vector<DriverArg> overrides_;
};
}  // namespace

Result<std::unique_ptr<UserDb>> make_passwd(const UserDbSettings& settings, const DriverContext&) {
    auto args = parse_driver_args(settings.args);
    std::erase_if(args, [](const DriverArg& arg) { return arg.key == "blocking"; });
    return std::make_unique<PasswdUserDb>(std::move(args));
}

}  // namespace culver::userdb
