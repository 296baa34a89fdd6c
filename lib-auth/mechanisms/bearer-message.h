// The client's message of OAUTHBEARER and XOAUTH2: fields with 0x01 behind each, of which `auth` carries the token.
#pragma once

#include <string>
#include <string_view>

#include "lib-auth/mechanism.h"

namespace culver::mechanisms {

struct BearerMessage {
    std::string user, token;
    bool has_user = false;
    std::string problem;  // not empty: the message cannot be used; for the log, in Dovecot's words
};
// XOAUTH2: "user=" name ^A "auth=Bearer " token ^A ^A, fields in any order.
BearerMessage parse_xoauth2(std::string_view message);
// RFC 7628 §3.1: gs2-header ^A key=value ^A ... "auth=Bearer " token ^A ^A. Channel binding is refused.
BearerMessage parse_oauthbearer(std::string_view message);

// What both mechanisms do with it; `rejection` is the JSON (without its closing brace) that a client hears whose token
// the databases refuse.
class BearerMechanism : public Mechanism {
public:
    BearerMechanism(std::string_view rejection, const AuthSettings& settings);
    SaslStep step(std::string_view message) final;
    SaslStep refused(bool temporary) final;

protected:
    // The mechanism's own grammar. Any bytes.
    virtual BearerMessage parse(std::string_view message) const = 0;

private:
    std::string rejection_;
};

}  // namespace culver::mechanisms
