// check_settings: the lines of a passwd-file, user:password:uid:gid:gecos:home:shell:extra.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cctype>
#include <unordered_set>

#include "lib-base/file.h"
#include "lib-base/text.h"
#include "lib-config/checks.h"

namespace culver::config {

namespace {

constexpr std::size_t kLineLimit = 200000;  // more than these are left to authd
constexpr std::size_t kProblemLimit = 20;

// Schemes that Culver verifies, and those that only Dovecot does.
constexpr std::array<std::string_view, 31> kSchemes = {
    "PLAIN",        "CLEAR",     "CLEARTEXT", "CRYPT",      "DES-CRYPT",   "MD5-CRYPT",     "SHA256-CRYPT",
    "SHA512-CRYPT", "BLF-CRYPT", "MD5",       "PLAIN-MD5",  "LDAP-MD5",    "SHA",           "SHA1",
    "SHA256",       "SHA512",    "SMD5",      "SSHA",       "SSHA256",     "SSHA512",       "PLAIN-MD4",
    "PLAIN-TRUNC",  "CRAM-MD5",  "HMAC-MD5",  "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "ARGON2I",
    "ARGON2ID",     "PBKDF2",    "OTP"};
constexpr std::array<std::string_view, 2> kOtherSchemes = {"NTLM", "LANMAN"};

bool is_among(const auto& list, std::string_view scheme) {
    for (auto each : list)
        if (equals_ignore_case(each, scheme)) return true;
    return false;
}

bool is_crypt(std::string_view scheme) {
    return equals_ignore_case(scheme, "CRYPT") ||
           (scheme.size() > 6 && equals_ignore_case(scheme.substr(scheme.size() - 6), "-CRYPT"));
}

bool is_plain(std::string_view scheme) {
    return is_among(std::array<std::string_view, 3>{"PLAIN", "CLEAR", "CLEARTEXT"}, scheme);
}

bool looks_like_hash(std::string_view text) {
    return text.size() > 20 && (text.starts_with("$1$") || text.starts_with("$2") || text.starts_with("$5$") ||
                                text.starts_with("$6$") || text.starts_with("$y$"));
}

// What is wrong with the text of a crypt(3) hash; empty if nothing is.
std::string hash_problem(std::string_view hash) {
    if (hash.empty() || hash[0] == '!' || hash[0] == '*') return {};  // never matches, on purpose
    for (char c : hash)
        if (!isalnum(static_cast<unsigned char>(c)) && std::string_view("$./=,_-").find(c) == std::string_view::npos)
            return fmt::format("the password hash holds '{}', which no hash has",
                               isprint(static_cast<unsigned char>(c)) ? c : '?');
    auto rest = hash.substr(hash.rfind('$') + 1);
    std::size_t wanted = hash.starts_with("$6$")   ? 86
                         : hash.starts_with("$5$") ? 43
                         : hash.starts_with("$1$") ? 22
                         : hash.starts_with("$2")  ? 53
                                                   : rest.size();
    if (rest.size() == wanted) return {};
    return fmt::format("the password hash has {} characters behind its last $, not {}", rest.size(), wanted);
}

class Checker {
public:
    Checker(const std::string& path, const std::string& scheme, PasswordFileUse use, bool gives_uid,
            const Settings& settings, Findings& out)
        : path_(path),
          scheme_(scheme),
          use_(use),
          gives_uid_(gives_uid),
          out_(out),
          lower_cases_(settings.string("auth_username_format").find('L') != std::string::npos) {}

    void check(std::string_view text) {
        unsigned number = 0;
        while (!text.empty() && number < kLineLimit) {
            auto end = text.find('\n');
            ++number;
            line_ = number;
            check_line(text.substr(0, end));
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        }
        if (problems_ > kProblemLimit)
            out_.about_file(Severity::Warning, {path_, line_},
                            fmt::format("{} more lines have problems", problems_ - kProblemLimit),
                            "correct those above first");
    }

private:
    void complain(Severity severity, std::string text, std::string hint) {
        if (++problems_ > kProblemLimit) return;
        out_.about_file(severity, {path_, line_}, text, std::move(hint));
    }

    void check_line(std::string_view line) {
        if (line.empty() || line[0] == '#') return;
        if (use_ == PasswordFileUse::Users) return check_accounts(split(line, ':'));
        if (line.back() == '\r')
            return complain(Severity::Error, "the line ends in CR LF: the CR belongs to the last field",
                            "save the file with Unix line ends");
        auto fields = split(line, ':');
        std::string user(fields[0]);
        if (user.empty()) return complain(Severity::Error, "the line has no user name", "write user:password");
        if (trim(user) != user)
            complain(Severity::Error, fmt::format("the user name \"{}\" begins or ends with a blank", user),
                     "remove the blank");
        if (lower_cases_ && to_lower(user) != user)
            complain(Severity::Warning,
                     fmt::format("user {} can never log in: names are made lower case before the look-up", user),
                     fmt::format("write {}", to_lower(user)));
        if (!seen_.insert(user).second)
            return complain(Severity::Warning, fmt::format("User {} exists more than once", user),
                            "only the first line counts; remove this one");
        check_password(user, fields.size() > 1 ? fields[1] : std::string_view());
    }

    void check_password(const std::string& user, std::string_view password) {
        if (password.empty())
            return complain(Severity::Warning, fmt::format("user {} has no password and cannot log in", user),
                            "write what `doveadm pw -s SHA512-CRYPT` prints behind the colon");
        std::string_view scheme = scheme_, data = password;
        if (password[0] == '{') {
            auto end = password.find('}');
            if (end == std::string_view::npos)
                return complain(Severity::Error, fmt::format("the password of {} begins with {{ but has no }}", user),
                                "write {SCHEME}hash");
            scheme = password.substr(1, end - 1);
            data = password.substr(end + 1);
        }
        auto base = scheme.substr(0, scheme.find('.'));
        if (!is_among(kSchemes, base)) {
            bool dovecots = is_among(kOtherSchemes, base);
            return complain(Severity::Error,
                            dovecots
                                ? fmt::format("the password of {} has the scheme {}, which Culver does not verify yet",
                                              user, scheme)
                                : fmt::format("Unknown scheme {} in the password of {}", scheme, user),
                            "use one of those that `doveadm pw -l` lists");
        }
        if (base.size() != scheme.size()) return;  // encoded
        if (is_plain(base) && looks_like_hash(data))
            return complain(
                Severity::Warning,
                fmt::format("the scheme of {}'s password is {}, so the hash itself is the password", user, scheme),
                "write scheme=CRYPT in args, or {CRYPT} in front of the hash");
        if (!is_crypt(base)) return;
        if (auto problem = hash_problem(data); !problem.empty())
            complain(Severity::Error, fmt::format("user {}: {}", user, problem),
                     "copy the hash again as a whole, without anything behind it");
    }

    void check_accounts(const std::vector<std::string_view>& fields) {
        std::string user(fields[0]);
        if (fields.size() < 4)
            return complain(Severity::Error, fmt::format("User {} is missing userdb info", user),
                            fmt::format("write the fields, empty ones as well: {}:password::::::", user));
        if (fields[2].empty() && !gives_uid_)
            complain(
                Severity::Error, fmt::format("User {} is missing UID (see mail_uid setting)", user),
                "give a uid in the third field, mail_uid, or default_fields = uid=vmail gid=vmail in the userdb block");
        check_id(user, fields[2], "UID", user_exists);
        check_id(user, fields[3], "GID", group_exists);
    }

    void check_id(const std::string& user, std::string_view id, const char* kind, bool (*exists)(const std::string&)) {
        std::string name(id);
        if (id.empty() || known_.contains(kind + name)) return;
        if (name == "0" || !exists(name))
            return complain(
                Severity::Error, fmt::format("User {}: Invalid {} value '{}'", user, kind, name),
                "write a number or a name that exists; a ':' in a password ends it, {PLAIN.B64} avoids that");
        known_.insert(kind + name);
    }

    const std::string& path_;
    const std::string& scheme_;
    PasswordFileUse use_;
    bool gives_uid_;
    Findings& out_;
    bool lower_cases_;
    unsigned line_ = 0;
    std::size_t problems_ = 0;
    std::unordered_set<std::string> seen_, known_;
};

}  // namespace

void check_password_file(const SettingOrigin& where, const std::string& path, const std::string& scheme,
                         PasswordFileUse use, bool gives_uid, const Settings& settings, Findings& out) {
    if (!is_among(kSchemes, scheme.substr(0, scheme.find('.'))) &&
        !is_among(kOtherSchemes, scheme.substr(0, scheme.find('.'))))
        out.error(where, fmt::format("Unknown password scheme {}", scheme),
                  "use one of those that `doveadm pw -l` lists");
    auto text = read_file(path);
    if (!text && text.error().code == ErrorCode::Limit) return;  // a very large one is authd's to judge
    if (!text)
        return out.error(where, "passwd-file " + text.error().detail,
                         fmt::format("create {} with a line user:password for each user", path));
    Checker(path, scheme, use, gives_uid, settings, out).check(*text);
}

}  // namespace culver::config
