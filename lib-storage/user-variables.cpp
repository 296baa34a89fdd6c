#include "lib-storage/user-variables.h"

namespace culver {

UserVariables variables_of(const MailUserIdentity& identity) {
    UserVariables variables;
    variables.user = identity.username;
    variables.home = identity.home;
    variables.uid = identity.uid;
    variables.gid = identity.gid;
    variables.service = identity.service;
    variables.local_ip = identity.local_ip;
    variables.remote_ip = identity.remote_ip;
    variables.session = identity.session;
    return variables;
}

}  // namespace culver
