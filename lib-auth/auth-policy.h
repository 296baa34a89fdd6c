// AuthPolicy: the admin's own server that says, before and after the databases, whether a login may go on, and hears
// how it ended (auth_policy_*, docs/auth-policy.md; Dovecot's protocol, as OX Abuse Shield speaks it).
//
// Immutable, may be used by several threads; ask() and report() block.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib-auth/auth-request.h"
#include "lib-auth/auth-settings.h"
#include "lib-base/result.h"

namespace culver {

class HttpClient;

struct PolicyDecision {
    enum class Action { Continue, Reject, Tarpit } action = Action::Continue;
    std::chrono::seconds tarpit{0};
    std::string message;     // of the server, for the client; of a Reject
    bool by_server = false;  // false: it did not answer, and the settings decide
};

class AuthPolicy {
public:
    // Nothing without auth_policy_server_url. InvalidArgument names the setting.
    static Result<std::unique_ptr<AuthPolicy>> create(const AuthPolicySettings& settings);
    ~AuthPolicy();

    const AuthPolicySettings& settings() const { return settings_; }

    // How a login has ended, for a report.
    struct Outcome {
        bool success = false, policy_reject = false;
    };
    // The JSON of a request; with an outcome that of a report.
    Result<std::string> describe(const AuthRequest& request, const Outcome* outcome) const;
    // What the server says to it (command=allow). A server that does not answer is named in the log, and
    // auth_policy_reject_on_fail decides.
    PolicyDecision ask(const AuthRequest& request) const;
    // command=report; what is answered does not matter. `json` is from describe().
    void report(const std::string& json) const;

    // Reads an answer; pure, for tests and fuzzing. `problem` is for the log, empty if it is as it should be.
    static PolicyDecision read_answer(std::string_view body, bool reject_on_fail, std::string& problem);
    // nonce + user + NUL + password, hashed and cut to so many bits (0: all of it), in hex.
    static std::string hash_password(const AuthPolicySettings& settings, std::string_view user,
                                     std::string_view password);

private:
    struct Attribute {
        std::vector<std::string> path;  // a/b/c: objects within objects
        std::string value;              // a template
    };
    explicit AuthPolicy(AuthPolicySettings settings);
    Status read_attributes();

    const AuthPolicySettings settings_;
    std::vector<Attribute> attributes_;
    std::unique_ptr<HttpClient> client_;
};

}  // namespace culver
