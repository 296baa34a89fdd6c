// One line per passdb driver.
#include "lib-auth/passdb/drivers.h"

namespace culver {

namespace {
constexpr PassDbDriver kDrivers[] = {
    {"passwd-file", passdb::make_passwd_file},
    {"pam", passdb::make_pam},
    {"passwd", passdb::make_passwd},
    {"static", passdb::make_static},
    {"sql", passdb::make_sql},
    {"shadow", passdb::make_shadow},
    {"oauth2", passdb::make_oauth2},
    {"checkpassword", passdb::make_checkpassword},
    {"ldap", passdb::make_ldap},
};
}

std::span<const PassDbDriver> passdb_drivers() { return kDrivers; }

Result<PassDbReply> PassDb::verify(const AuthRequest&, const SecretString&) {
    return fail(ErrorCode::Unsupported, "this database does not compare passwords by itself");
}

Status PassDb::store_password(const AuthRequest&, const SecretString&, const SecretString&) {
    return fail(ErrorCode::Unsupported, "this passdb stores no passwords");
}

std::string PassDb::typical_password(const AuthRequest&) { return {}; }

}  // namespace culver
