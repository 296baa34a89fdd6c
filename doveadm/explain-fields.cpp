#include "doveadm/explain-fields.h"

#include <fmt/format.h>

#include "lib-auth/wildcard.h"

namespace culver::doveadm {

bool serves_mechanism(std::string_view scheme, std::string mechanism) {
    if (mechanism == "PLAIN" || mechanism == "LOGIN") return true;
    if (mechanism.ends_with("-PLUS")) mechanism.resize(mechanism.size() - 5);
    if (scheme == "PLAIN" || scheme == "CLEAR" || scheme == "CLEARTEXT") return true;
    if (mechanism == "CRAM-MD5") return scheme == "CRAM-MD5" || scheme == "HMAC-MD5";
    return scheme == mechanism;
}

bool needs_stored_password(std::string_view mechanism) {
    return mechanism != "EXTERNAL" && mechanism != "ANONYMOUS" && mechanism != "XOAUTH2" && mechanism != "OAUTHBEARER";
}

std::string effect_of(const AuthField& field, const AuthRequest& request) {
    if (field.key == "nologin") return "IMAP and POP3 logins are refused with its reason; Postfix still lets him send";
    if (field.key == "proxy" || field.key == "proxy_maybe") return "the session goes on to the server in host";
    if (field.key == "nodelay") return "a refusal comes at once";
    if (field.key == "nopassword") return "any password is right";
    if (field.key == "delay_until") return "the answer waits until then";
    if (field.key == "fail") return "every login is refused";
    if (field.key == "noauthenticate") return "this passdb only adds fields, it lets nobody in";
    if (field.key == "user" || field.key == "username" || field.key == "domain") return "renames the user";
    if (field.key == "login_user") return "logs in as this other user";
    if (field.key == "reason") return "is told to the client";
    if (field.key == "app_password_required") return "see app passwords below";
    if (field.key.starts_with("userdb_")) return "is for userdb prefetch, or goes before what the userdbs say";
    if (field.key != "allow_nets") return {};
    if (request.remote_ip.empty())
        return "only clients there are let in (taken for granted here; -x rip=ADDRESS checks it)";
    std::string refusal;
    if (is_allowed_network(field.value, request.remote_ip, [&](std::string why) { refusal = std::move(why); }))
        return fmt::format("{} is in it", request.remote_ip);
    return refusal;
}

}  // namespace culver::doveadm
