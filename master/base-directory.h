// base_dir and what the master itself puts there.
#pragma once

#include "lib-base/result.h"
#include "lib-config/settings.h"

namespace culver {

// base_dir (0755), login (0750, group of the login user: its sockets are for the login processes alone), empty (0755),
// and dovecot.conf, a link to the configuration that runs here. Existing directories keep what they have.
Status prepare_base_directory(const Settings& settings);

}  // namespace culver
