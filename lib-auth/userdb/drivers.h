// The makers of the userdb drivers, for userdb/table.cpp.
#pragma once

#include "lib-auth/userdb.h"

namespace culver::userdb {

Result<std::unique_ptr<UserDb>> make_passwd_file(const UserDbSettings& settings, const DriverContext& context);
Result<std::unique_ptr<UserDb>> make_static(const UserDbSettings& settings, const DriverContext& context);
Result<std::unique_ptr<UserDb>> make_passwd(const UserDbSettings& settings, const DriverContext& context);
Result<std::unique_ptr<UserDb>> make_prefetch(const UserDbSettings& settings, const DriverContext& context);
Result<std::unique_ptr<UserDb>> make_checkpassword(const UserDbSettings& settings, const DriverContext& context);
Result<std::unique_ptr<UserDb>> make_ldap(const UserDbSettings& settings, const DriverContext& context);
Result<std::unique_ptr<UserDb>> make_sql(const UserDbSettings& settings, const DriverContext& context);

}  // namespace culver::userdb
