// userdb static: the same template for everybody: `args = uid=vmail gid=vmail home=/var/vmail/%d/%n`. That a user
// exists is asked of the passdbs, unless allow_all_users=yes. An empty one stands in when no userdb is configured.
#include <fmt/format.h>

#include "lib-auth/driver-args.h"
#include "lib-auth/userdb/drivers.h"

namespace culver::userdb {

namespace {
class StaticUserDb final : public UserDb {
public:
    StaticUserDb(std::vector<DriverArg> fields, bool allow_all) : fields_(std::move(fields)), allow_all_(allow_all) {}

    Work work(const AuthRequest&) override { return Work::Cheap; }
    bool needs_existence_check() const override { return !allow_all_; }

    Result<UserDbReply> lookup(const AuthRequest& request) override {
        UserDbReply reply;
        reply.found = true;
        for (const DriverArg& field : fields_) {
            std::string value = TRY(expand_for_request(field.value, request));
            // A value with variables is a name only now.
            if (field.key == "uid") value = TRY(resolve_uid(value));
            if (field.key == "gid") value = TRY(resolve_gid(value));
            reply.fields.set(field.key, value, field.has_value);
        }
        return reply;
    }

private:
    std::vector<DriverArg> fields_;
    bool allow_all_;
};
}  // namespace

Result<std::unique_ptr<UserDb>> make_static(const UserDbSettings& settings, const DriverContext&) {
    std::vector<DriverArg> fields;
    bool allow_all = false;
    for (DriverArg& arg : parse_driver_args(settings.args)) {
        if (arg.key == "allow_all_users") {
            allow_all = arg.value == "yes";
            continue;
        }
        if (arg.value.find('%') == std::string::npos) {
            if (arg.key == "uid") arg.value = TRY(resolve_uid(arg.value));
            if (arg.key == "gid") arg.value = TRY(resolve_gid(arg.value));
        }
        fields.push_back(std::move(arg));
    }
    return std::make_unique<StaticUserDb>(std::move(fields), allow_all);
}

}  // namespace culver::userdb
