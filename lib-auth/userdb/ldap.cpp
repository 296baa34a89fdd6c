// userdb ldap: the fields of the entry that user_filter finds; iterate_filter lists the users.
#include <fmt/format.h>

#include "lib-auth/ldap/ldap-source.h"
#include "lib-auth/userdb/drivers.h"
#include "lib-base/log.h"

namespace culver::userdb {

namespace {
class LdapUserDb final : public UserDb {
public:
    explicit LdapUserDb(std::shared_ptr<LdapSource> source) : source_(std::move(source)) {}

    Work work(const AuthRequest&) override { return Work::Blocking; }

    Result<UserDbReply> lookup(const AuthRequest& request) override {
        const LdapConfig& config = source_->config();
        auto complain = [&](std::string text) {
            log_warning(fmt::format("ldap({}): {}", request.log_identity(), text));
        };
        UserDbReply reply;
        auto answer = TRY(source_->find_one(config.user_filter, config.user_attrs, request));
        if (!answer) return reply;
        reply.found = true;
        for (const AuthField& field : config.user_attrs.fields(*answer, request, complain)) {
            if (field.key == "uid") reply.fields.set(field.key, TRY(resolve_uid(field.value)));
            else if (field.key == "gid") reply.fields.set(field.key, TRY(resolve_gid(field.value)));
            else if (field.key == "user" && field.value.empty()) complain("username attempted to be changed to empty");
            else reply.fields.set(field.key, field.value, field.has_value);
        }
        return reply;
    }

    Status iterate(const std::function<void(std::string_view)>& visit) override {
        return source_->for_each_user(visit);
    }

private:
    std::shared_ptr<LdapSource> source_;
};
}  // namespace

Result<std::unique_ptr<UserDb>> make_ldap(const UserDbSettings& settings, const DriverContext& context) {
    return std::make_unique<LdapUserDb>(TRY(LdapSource::open(settings.args, context)));
}

}  // namespace culver::userdb
