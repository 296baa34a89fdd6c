// Who the helper processes are, by the settings of the services auth and auth-worker.
#pragma once

#include <functional>

#include "lib-config/settings.h"

namespace culver {

// For HelperKind::prepare. Without root's rights both leave the process as it is.
//
// PAM: service auth-worker's user; root if it names none, for modules that read /etc/shadow.
std::function<bool()> become_worker(const Settings& settings);
// Programs: service auth's user, group, extra_groups, chroot and vsz_limit, in base_dir. Unlike authd itself they may
// gain rights by a set-user-id program (vchkpw, sudo): the admin decides what his program does.
std::function<bool()> become_auth_user(const Settings& settings);

}  // namespace culver
