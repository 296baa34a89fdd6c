// PassDb: one password database. A driver is one file in passdb/ and one line in passdb/table.cpp.
//
// A driver only finds and compares; order, result rules, extra fields and logs belong to AuthEngine. Drivers are called
// from several threads at once. An Error means "could not tell" and becomes a temporary failure.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lib-auth/auth-request.h"
#include "lib-auth/auth-settings.h"
#include "lib-auth/passwd-file.h"
#include "lib-base/result.h"

namespace culver {

class LdapRegistry;
class ProgramRunner;

enum class Verdict { Match, Mismatch, UnknownUser, Disabled, Expired };

// What a call costs its thread: Cheap may run on the event loop; Cpu keeps a core busy (password hashing); Blocking
// waits for somebody else.
enum class Work { Cheap, Cpu, Blocking };

struct PassDbReply {
    Verdict verdict = Verdict::UnknownUser;  // of lookup: Match (found) or UnknownUser
    SecretString password;                   // of lookup: as stored, e.g. "{PLAIN}secret"
    bool has_password = false;
    AuthFields fields;    // expanded; userdb_* included
    std::string reason;   // for the log
    std::string message;  // of a refusal, for the client; empty as a rule
};

class PassDb {
public:
    virtual ~PassDb() = default;

    // What lookup, or verify if `verifies_itself`, costs for this request. Comparing is the caller's work.
    virtual Work work(const AuthRequest& request) = 0;
    // The stored credentials. Unsupported if the database never gives them away (PAM).
    virtual Result<PassDbReply> lookup(const AuthRequest& request) = 0;
    // The same without ever waiting; nothing if it would have to, or cannot say without trying: `lookup` is asked then,
    // where that holds nobody up. Only called on one thread at a time.
    virtual std::optional<Result<PassDbReply>> lookup_at_once(const AuthRequest&) { return std::nullopt; }
    // True for databases that compare by themselves.
    virtual bool verifies_itself() const { return false; }
    // Of those: whether it is the password. Not called for others.
    virtual Result<PassDbReply> verify(const AuthRequest& request, const SecretString& password);
    // Of databases with rules about accounts that a lookup does not know (expiry, access times): what they say about a
    // user who has proven himself by an app password, and otherwise what lookup says. One that keeps its passwords to
    // itself says Match for "nothing against him", which need not mean that it knows him. Blocks.
    virtual bool has_account_rules() const { return false; }
    virtual Result<PassDbReply> check_account(const AuthRequest& request) { return lookup(request); }
    // Of databases that compare by themselves: what a verdict depends on besides user and password; nothing: never
    // cached.
    virtual std::optional<std::string> cache_key(const AuthRequest&) { return std::nullopt; }
    // Databases that can be written: puts `fresh` in the place of `stored`, which `lookup` gave for this request.
    // Blocks; called on any thread. InUse: somebody else has changed it, and nothing was done. docs/password-upgrade.md
    virtual bool can_store_password() const { return false; }
    virtual Status store_password(const AuthRequest& request, const SecretString& stored, const SecretString& fresh);
    // Of a stored password without {SCHEME}.
    virtual std::string default_scheme() const { return "CRYPT"; }
    // A stored password to compare with when the user is unknown, so that both take the same time; may be empty.
    virtual std::string typical_password(const AuthRequest& request);
    // Where a client learns about the provider of its tokens (oauth2); empty: nowhere.
    virtual std::string openid_configuration_url() const { return {}; }
};

// Asks the processes that keep root's rights for what authd itself may not do: PAM, /etc/shadow. Thread-safe, blocks.
struct PamCall {
    // PamAccount: its account management alone, without a password. Shadow: only `user` counts, the answer is `secret`;
    // ShadowAccount: the same, but an account that has expired is Verdict::Expired.
    enum class Kind { Pam, PamAccount, Shadow, ShadowAccount } kind = Kind::Pam;
    std::string service, user, password, remote_ip, mechanism_service;
    bool session = false, setcred = false;
    unsigned max_requests = 100;  // a process that has answered so many ends; 0: never
};
struct PamAnswer {
    Verdict verdict = Verdict::Mismatch;
    bool temporary_failure = false;
    std::string user;     // PAM_USER may have been changed by a module
    std::string error;    // for the log
    std::string message;  // what the modules told the user (failure_show_msg)
    SecretString secret;  // Shadow: the hash, with Verdict::Match
};
class PamBackend {
public:
    virtual ~PamBackend() = default;
    virtual Result<PamAnswer> authenticate(const PamCall& call) = 0;
};

// What drivers may use of their surroundings; outlives them.
struct DriverContext {
    PasswdFileRegistry* files = nullptr;
    PamBackend* pam = nullptr;
    ProgramRunner* programs = nullptr;
    LdapRegistry* ldap = nullptr;  // null: each database has connections of its own
};

struct PassDbDriver {
    std::string_view name;
    // InvalidArgument: the settings cannot be meant; the text says what to write.
    Result<std::unique_ptr<PassDb>> (*make)(const PassDbSettings& settings, const DriverContext& context);
};
// Every driver. Static storage.
std::span<const PassDbDriver> passdb_drivers();

}  // namespace culver
