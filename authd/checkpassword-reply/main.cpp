// checkpassword-reply: a checkpassword program runs this when it says yes; it tells auth, on descriptor 4, what the
// environment holds: USER, HOME, the variables that EXTRA lists, and the process's own uid and gid. The exit status is
// the answer (docs/checkpassword.md). It may be made set-group-id, so it is small and trusts nothing.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "lib-base/text.h"

using namespace culver;

namespace {
constexpr int kAnswer = 4, kYes = 0, kNo = 1, kFoundByLookup = 2, kTemporaryFailure = 111;

int refuse(int status, const char* why) {
    std::fprintf(stderr, "Error: checkpassword: %s\n", why);
    return status;
}

void append(std::string& reply, std::string_view key, std::string_view value) {
    reply += tab_escape(key);
    reply += '=';
    reply += tab_escape(value);
    reply += '\t';
}

// A program that has become a local user can be traced by that user, who might then answer in its place. Null: safe.
const char* danger() {
    const char* original = std::getenv("ORIG_UID");
    if (std::getenv("INSECURE_SETUID") || ::getuid() != ::geteuid() || ::getgid() != ::getegid()) return nullptr;
    if (!original)
        return "ORIG_UID environment was dropped by checkpassword. Can't verify if we're safe to run (see \"Security\" "
               "in "
               "docs/checkpassword.md)";
    auto uid = parse_uint32(original);
    if (!uid || *uid != ::getuid())
        return "The checkpassword couldn't be run securely (see \"Security\" in docs/checkpassword.md)";
    return nullptr;
}

bool write_answer(std::string_view reply) {
    while (!reply.empty()) {
        ssize_t size = ::write(kAnswer, reply.data(), reply.size());
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return false;
        reply.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
}
}  // namespace

int main() {
    if (const char* why = danger()) return refuse(kTemporaryFailure, why);
    std::string reply;
    if (const char* user = std::getenv("USER")) {
        if (std::strchr(user, '\t')) return refuse(kNo, "USER contains TAB");
        append(reply, "user", user);
    }
    if (const char* home = std::getenv("HOME")) {
        if (std::strchr(home, '\t')) return refuse(kNo, "HOME contains TAB");
        append(reply, "userdb_home", home);
    }
    bool has_uid = false, has_gid = false;
    const char* extra = std::getenv("EXTRA");
    for (std::string_view name : split(extra ? extra : "", ' ')) {
        const char* value = name.empty() ? nullptr : std::getenv(std::string(name).c_str());
        if (!value) continue;
        std::string key = to_lower(name);
        has_uid = has_uid || key == "userdb_uid";
        has_gid = has_gid || key == "userdb_gid";
        append(reply, key, value);
    }
    if (!has_uid) append(reply, "userdb_uid", std::to_string(::getuid()));
    if (!has_gid) append(reply, "userdb_gid", std::to_string(::getgid()));
    if (!write_answer(reply)) {
        std::fprintf(stderr, "Error: checkpassword: write() failed: %s\n", std::strerror(errno));
        return kTemporaryFailure;
    }
    // In a lookup the program has to say that it has understood not to check a password.
    const char* authorized = std::getenv("AUTHORIZED");
    if (!authorized) return kYes;
    if (std::strcmp(authorized, "2") == 0) return kFoundByLookup;
    return refuse(kTemporaryFailure, "Script doesn't support passdb/userdb lookup");
}
