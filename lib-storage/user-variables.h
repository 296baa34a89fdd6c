// The %variables of a user whose mail is opened.
#pragma once

#include "lib-config/variables.h"
#include "lib-storage/mail-user.h"

namespace culver {

// For mail_location, mail_home and their like.
UserVariables variables_of(const MailUserIdentity& identity);

}  // namespace culver
