// userdb passwd: system users, through NSS. `args = override fields as key=value`.
#include <fmt/format.h>
#include <pwd.h>

#include <mutex>
#include <vector>

#include "lib-auth/driver-args.h"
#include "lib-auth/system-user.h"
#include "lib-auth/userdb/drivers.h"

namespace culver::userdb {

namespace {
class PasswdUserDb final : public UserDb {
public:
    PasswdUserDb(std::vector<DriverArg> overrides, std::uint32_t first_uid, std::uint32_t last_uid)
        : overrides_(std::move(overrides)), first_uid_(first_uid), last_uid_(last_uid) {}

    Work work(const AuthRequest&) override { return Work::Blocking; }

    Result<UserDbReply> lookup(const AuthRequest& request) override {
        UserDbReply reply;
        auto user = TRY(find_system_user(request.user));
        if (!user) return reply;
        reply.found = true;
        reply.fields.set("system_groups_user", user->name);
        reply.fields.set("uid", fmt::format("{}", user->uid));
        reply.fields.set("gid", fmt::format("{}", user->gid));
        reply.fields.set("home", user->home);
        for (const DriverArg& arg : overrides_) {
            std::string value = TRY(expand_for_request(arg.value, request));
            if (arg.key == "uid") value = TRY(resolve_uid(value));
            if (arg.key == "gid") value = TRY(resolve_gid(value));
            reply.fields.set(arg.key, value, arg.has_value);
        }
        return reply;
    }

    Status iterate(const std::function<void(std::string_view)>& visit) override {
        static std::mutex mutex;  // guards the process-wide position of getpwent(3)
        std::lock_guard lock(mutex);
        ::setpwent();
        while (passwd* entry = ::getpwent()) {
            // Accounts of daemons are no mail users.
            bool is_valid = entry->pw_uid >= first_uid_ && (last_uid_ == 0 || entry->pw_uid <= last_uid_);
            if (is_valid) visit(entry->pw_name);
        }
        ::endpwent();
        return {};
    }

private:
    std::vector<DriverArg> overrides_;
    const std::uint32_t first_uid_, last_uid_;
};
}  // namespace

Result<std::unique_ptr<UserDb>> make_passwd(const UserDbSettings& settings, const DriverContext&) {
    auto args = parse_driver_args(settings.args);
    std::erase_if(args, [](const DriverArg& arg) { return arg.key == "blocking"; });
    return std::make_unique<PasswdUserDb>(std::move(args), settings.first_valid_uid, settings.last_valid_uid);
}

}  // namespace culver::userdb
