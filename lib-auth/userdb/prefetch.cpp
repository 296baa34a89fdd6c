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
        return reply;
    }
};
}  // namespace

Result<std::unique_ptr<UserDb>> make_prefetch(const UserDbSettings&, const DriverContext&) {
    return std::make_unique<PrefetchUserDb>();
}

}  // namespace culver::userdb
