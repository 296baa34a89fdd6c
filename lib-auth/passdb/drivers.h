// The makers of the passdb drivers, for passdb/table.cpp.
#pragma once

#include "lib-auth/passdb.h"

namespace culver::passdb {

Result<std::unique_ptr<PassDb>> make_passwd_file(const PassDbSettings& settings, const DriverContext& context);
Result<std::unique_ptr<PassDb>> make_static(const PassDbSettings& settings, const DriverContext& context);
Result<std::unique_ptr<PassDb>> make_passwd(const PassDbSettings& settings, const DriverContext& context);
Result<std::unique_ptr<PassDb>> make_pam(const PassDbSettings& settings, const DriverContext& context);
Result<std::unique_ptr<PassDb>> make_sql(const PassDbSettings& settings, const DriverContext& context);
Result<std::unique_ptr<PassDb>> make_checkpassword(const PassDbSettings& settings, const DriverContext& context);
Result<std::unique_ptr<PassDb>> make_oauth2(const PassDbSettings& settings, const DriverContext& context);
Result<std::unique_ptr<PassDb>> make_ldap(const PassDbSettings& settings, const DriverContext& context);
Result<std::unique_ptr<PassDb>> make_shadow(const PassDbSettings& settings, const DriverContext& context);

}  // namespace culver::passdb
