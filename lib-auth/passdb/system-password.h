// What a hash of /etc/passwd or /etc/shadow says: none, `!...` and `*` stand for an account without a password login.
#pragma once

#include <string_view>

#include "lib-auth/passdb.h"

namespace culver::passdb {

inline PassDbReply system_password_reply(std::string_view hash) {
    PassDbReply reply;
    if (hash.empty() || hash[0] == '!' || hash[0] == '*') {
        reply.verdict = Verdict::Disabled;
        reply.reason = "no password login: the account is locked or has no password";
        return reply;
    }
    reply.verdict = Verdict::Match;
    reply.has_password = true;
    reply.password = SecretString(std::string(hash));
    return reply;
}

inline PassDbReply expired_account_reply() {
    PassDbReply reply;
    reply.verdict = Verdict::Expired;
    reply.reason = "the account has expired (chage -l)";
    return reply;
}

}  // namespace culver::passdb
