// doveadm pw: makes and checks stored passwords.
#include <fmt/format.h>
#include <unistd.h>

#include "doveadm/commands.h"
#include "doveadm/password-prompt.h"
#include "lib-auth/password-scheme.h"
#include "lib-base/text.h"

namespace culver::doveadm {

namespace {

// What crypt(3) can finish in a minute or so; Dovecot would compute for hours.
constexpr std::uint64_t kBcryptLimit = 18, kShaCryptLimit = 10'000'000;

int list_schemes() {
    for (const PasswordScheme& scheme : password_schemes()) print(fmt::format("{} ", scheme.name));
    print("\n");
    return kExitOk;
}

SecretString new_password(Invocation& call) {
    while (true) {
        SecretString first = ask_password("Enter new password: ");
        if (ask_password("Retype new password: ").equals(first.reveal())) return first;
        call.error("Passwords don't match!");
    }
}

int fatal(Invocation& call, std::string_view text) {
    call.fatal(text);
    return kExitTemporary;
}

// The stored password is right for this password: empty; otherwise why not.
std::string check(const std::string& stored, const SecretString& password, const std::string& user) {
    auto decoded = decode_password(stored, "");
    if (!decoded) {
        bool unknown = decoded.error().code == ErrorCode::Unsupported;
        return "reverse decode check failed: " + (unknown ? "Unknown scheme" : decoded.error().detail);
    }
    auto equal = verify_password(*decoded, password.reveal(), user);
    if (!equal) return "reverse password verification check failed: " + equal.error().detail;
    return *equal ? "" : "reverse password verification check failed: Password mismatch";
}

int test_hash(Invocation& call, const std::string& stored, const std::string& user) {
    if (!stored.starts_with('{') || stored.find('}') == stored.npos)
        return fatal(call, "Missing {scheme} prefix from hash");
    SecretString password =
        call.has('p') ? SecretString(*call.option('p')) : ask_password("Enter password to verify: ");
    if (std::string why = check(stored, password, user); !why.empty()) return fatal(call, why);
    print(stored + " (verified)\n");
    return kExitOk;
}

// Rounds beyond what anybody can wait for are refused with the number that is possible.
std::string refuse_rounds(std::string_view scheme, std::uint64_t rounds) {
    std::string_view name = scheme.substr(0, scheme.find('.'));
    if (name == "BLF-CRYPT" || name == "CRYPT")
        return rounds > kBcryptLimit
                   ? fmt::format("Invalid number of rounds: {}: {} takes at most {} (each one doubles the time)",
                                 rounds, name, kBcryptLimit)
                   : "";
    if (name.ends_with("-CRYPT") && rounds > kShaCryptLimit)
        return fmt::format("Invalid number of rounds: {}: {} takes at most {}", rounds, name, kShaCryptLimit);
    return "";
}

int run(Invocation& call) {
    if (!call.arguments().empty()) {
        call.error(fmt::format("Extraneous arguments found: {}", join(call.arguments(), " ")));
        return kExitUsage;
    }
    if (call.has('l')) return list_schemes();
    const std::string user = call.option('u').value_or("");
    if (call.has('t')) return test_hash(call, *call.option('t'), user);
    const std::string scheme = to_upper(call.option('s').value_or("CRYPT"));
    std::optional<std::uint64_t> rounds;
    if (call.has('r')) {
        rounds = parse_uint64(*call.option('r'));
        if (!rounds || *rounds > 4'294'967'295u)
            return fatal(call, fmt::format("Invalid number of rounds: {}", *call.option('r')));
        if (std::string why = refuse_rounds(scheme, *rounds); !why.empty()) return fatal(call, why);
        if (*rounds == 0) rounds.reset();
    }
    if (!scheme_of_password("", scheme)) return fatal(call, fmt::format("Unknown scheme: {}", scheme));
    SecretString password = call.has('p') ? SecretString(*call.option('p')) : new_password(call);
    auto stored = generate_password(scheme, {password.reveal(), user, rounds});
    if (!stored) return fatal(call, stored.error().detail);
    print(*stored);
    if (call.has('V')) {
        if (std::string why = check(*stored, password, user); !why.empty()) return fatal(call, why);
        print(" (verified)");
    }
    print("\n");
    return kExitOk;
}

}  // namespace

const CommandSpec kPw = {
    .words = "pw",
    .synopsis = "[-l] [-p plaintext] [-r rounds] [-s scheme] [-t hash] [-u user] [-V]",
    .help = "Makes a password hash for a user database, or checks one.",
    .options = {{'l', "", "Lists the password schemes"},
                {'p', "plaintext", "The password; without it, it is asked for twice"},
                {'r', "rounds",
                 "How much work each comparison is (SHA256-CRYPT, SHA512-CRYPT, BLF-CRYPT, PBKDF2, ARGON2)"},
                {'s', "scheme", "The scheme, CRYPT if not given; .HEX, .B64 or .BASE64 behind it choose the encoding"},
                {'t', "hash", "Checks whether a password belongs to this hash"},
                {'u', "user", "The user name, which DIGEST-MD5 hashes too"},
                {'V', "", "Checks the hash that was made"}},
    .needs = Needs::Nothing,
    .run = run,
};

}  // namespace culver::doveadm
