// userdb prefetch: the passdb has returned the user's fields already, as userdb_*.
#include "lib-auth/userdb/drivers.h"

namespace culver::userdb {

namespace {
class PrefetchUserDb final : public UserDb {
public:
    Work work(const AuthRequest&) override { return Work::Cheap; }
    Result<UserDbReply> lookup(const AuthRequest& request) override {
        UserDbReply reply;
        reply.found = request.has_userdb_fields;
        // A passdb's answer may name them.
        if (const AuthField* uid = request.userdb_fields.find("uid"); uid && reply.found)
            reply.fields.set("uid", TRY(resolve_uid(uid->value)));
        if (const AuthField* gid = request.userdb_fields.find("gid"); gid && reply.found)
            reply.fields.set("gid", TRY(resolve_gid(gid->value)));
        return reply;
    }
};
}  // namespace

Result<std::unique_ptr<UserDb>> make_prefetch(const UserDbSettings&, const DriverContext&) {
    return std::make_unique<PrefetchUserDb>();
}

}  // namespace culver::userdb
