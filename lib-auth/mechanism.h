// SASL mechanisms (RFC 4422), server side. A mechanism is one file in mechanisms/ and one line in mechanisms/table.cpp.
//
// A mechanism is a pure state machine: it sees the client's messages and says what it wants next. It never blocks and
// never asks a database; every step accepts any bytes from none to the socket's limit. One object per login.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lib-auth/auth-request.h"
#include "lib-auth/auth-settings.h"
#include "lib-base/secret-string.h"

namespace culver {

struct SaslStep {
    enum class Kind {
        Challenge,        // `data` goes to the client, its answer to step()
        CheckPassword,    // `user` claims `password`; the databases decide and the mechanism is done
        NeedCredentials,  // the stored password of `user` goes to with_credentials()
        Success,          // `user` is proven; `data` is the last message to the client, if `has_data`
        Failure,          // `data` says why, for the log
    };
    Kind kind = Kind::Failure;
    std::string data;
    bool has_data = false;
    std::string user;           // as the client wrote it; the databases' rules for names are applied by the caller
    bool names_user = false;    // of Failure: `user` was given before it failed, and is echoed
    std::string authorization;  // whose mail is wanted, if that is somebody else
    SecretString password;

    // The kinds by name. `authorization`: whose mail is wanted; empty: the user's own.
    static SaslStep challenge(std::string bytes);
    static SaslStep check_password(std::string_view user, std::string_view authorization, std::string_view password);
    static SaslStep need_credentials(std::string_view user, std::string_view authorization = {});
    static SaslStep success(std::string_view user, std::string_view authorization = {});
    static SaslStep success_with_data(std::string_view user, std::string data);
    static SaslStep failure(std::string why);
};

class Mechanism {
public:
    virtual ~Mechanism() = default;
    // The client sent no initial response: what the server says first. An empty challenge by default.
    virtual SaslStep start();
    // The client's next message, decoded: any bytes. Not called again after a Success or a Failure.
    virtual SaslStep step(std::string_view from_client) = 0;
    // After NeedCredentials: the stored password with its {SCHEME}.
    virtual SaslStep with_credentials(std::string_view stored);
    // After CheckPassword, when the databases said no (or could not tell): a Challenge if the client is told more than
    // the refusal itself says (RFC 7628 §3.2.2); its answer is read and ignored. Failure, the default: nothing more.
    virtual SaslStep refused(bool temporary);
};

struct MechanismSpec {
    std::string_view name;
    std::string_view flags;    // as on the MECH line, words separated by TAB
    bool needs_passdb = true;  // false: lives without any passdb (ANONYMOUS)
    std::unique_ptr<Mechanism> (*make)(const AuthRequest& request, const AuthSettings& settings) = nullptr;
    bool is_costly = false;              // deriving its keys from a plain password keeps a core busy
    bool needs_channel_binding = false;  // only for login processes that end TLS themselves and say its binding
};
// Every mechanism, in the order in which they are offered. Static storage.
std::span<const MechanismSpec> mechanism_specs();
// Any case; null if unknown.
const MechanismSpec* find_mechanism(std::string_view name);

}  // namespace culver
