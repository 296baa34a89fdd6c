#include "lib-auth/checkpassword.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include "lib-base/log.h"
#include "lib-base/text.h"

namespace culver::checkpassword {

namespace {
constexpr std::size_t kFieldLimit = 256, kErrorLineLimit = 20;

// Long names of variables, as AUTH_<NAME>. Those of the first list are left out when they have no value.
constexpr std::string_view kVariables[] = {
    "user",           "username",     "domain",      "domain_first",  "domain_last", "auth_user",
    "auth_username",  "auth_domain",  "orig_user",   "orig_username", "orig_domain", "login_user",
    "login_username", "login_domain", "master_user", "service",       "lip",         "rip",
    "real_lip",       "real_rip",     "session",     "session_pid",   "local_name",  "client_id",
};
constexpr std::string_view kVariablesEvenEmpty[] = {"mech", "secured", "cert"};
constexpr std::string_view kPorts[] = {"lport", "rport", "real_lport", "real_rport"};
// Other names of the same things.
constexpr std::array<std::string_view, 2> kAliases[] = {
    {"orig_user", "original_user"},
    {"orig_username", "original_username"},
    {"orig_domain", "original_domain"},
    {"mech", "mechanism"},
    {"lip", "local_ip"},
    {"rip", "remote_ip"},
    {"lport", "local_port"},
    {"rport", "remote_port"},
    {"real_lip", "real_local_ip"},
    {"real_rip", "real_remote_ip"},
    {"real_lport", "real_local_port"},
    {"real_rport", "real_remote_port"},
};

// Variables end where the environment's own syntax would begin: a NUL would cut the value, a '=' the name.
void add(std::vector<std::string>& out, std::string_view name, std::string_view value) {
    if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != name.npos) return;
    if (value.find('\0') != value.npos) return;
    out.push_back(fmt::format("{}={}", name, value));
}

void add_variable(std::vector<std::string>& out, std::string_view name, std::string_view value) {
    add(out, "AUTH_" + to_upper(name), value);
    for (const auto& [known, alias] : kAliases)
        if (known == name) add(out, "AUTH_" + to_upper(alias), value);
}

void add_variables(std::vector<std::string>& out, const AuthRequest& request) {
    for (std::string_view name : kVariables)
        if (std::string value = request.variable(name).value_or(""); !value.empty()) add_variable(out, name, value);
    for (std::string_view name : kVariablesEvenEmpty) add_variable(out, name, request.variable(name).value_or(""));
    for (std::string_view name : kPorts) {
        std::string value = request.variable(name).value_or("");
        add_variable(out, name, value.empty() ? "0" : value);
    }
}

// What earlier databases have said, in capitals; never what the program, a shell or the loader would mistake for its
// own.
void add_field(std::vector<std::string>& out, const std::string& name, const AuthField& field) {
    static constexpr std::string_view kOthers[] = {
        "PATH",   "IFS",         "ENV",  "SHELLOPTS", "AUTHORIZED", "INSECURE_SETUID", "CREDENTIALS_LOOKUP",
        "SCHEME", "MASTER_USER", "EXTRA"};
    for (std::string_view prefix : {"LD_", "BASH", "PYTHON", "PERL", "RUBY", "AUTH_", "GCONV", "MALLOC", "GLIBC"})
        if (name.starts_with(prefix)) return;
    if (std::find(std::begin(kOthers), std::end(kOthers), name) != std::end(kOthers)) return;
    std::string start = name + '=';
    if (std::any_of(out.begin(), out.end(), [&](const std::string& known) { return known.starts_with(start); })) return;
    add(out, name, field.has_value ? std::string_view(field.value) : "1");
}
}  // namespace

Status check_args(std::string_view args) {
    if (trim(args).starts_with('/')) return {};
    return fail(ErrorCode::InvalidArgument,
                "checkpassword: write the program's whole path: args = /path/of/program [arguments]");
}

std::string_view wanted_scheme(const AuthRequest& request) {
    for (std::string_view scheme : {"CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"})
        if (request.mechanism == scheme ||
            (request.mechanism.starts_with(scheme) && request.mechanism.ends_with("-PLUS")))
            return scheme;
    return "";
}

namespace {
std::string describe_end(const ProgramResult& result) {
    switch (result.end) {
        case ProgramResult::End::Exited: return fmt::format("Child {} exited with status {}", result.pid, result.code);
        case ProgramResult::End::Killed: return fmt::format("Child {} died with signal {}", result.pid, result.code);
        case ProgramResult::End::TimedOut: return fmt::format("Child {} took too long and was killed", result.pid);
        case ProgramResult::End::TooLong: return fmt::format("Child {} wrote too much and was killed", result.pid);
        case ProgramResult::End::NotStarted: return Error::from_errno(result.code, "the program cannot be run").detail;
    }
    return "";
}

// Blanks separate, but not inside %{...}.
std::vector<std::string_view> split_command(std::string_view args) {
    std::vector<std::string_view> words;
    std::size_t start = 0, depth = 0;
    for (std::size_t i = 0; i < args.size(); ++i) {
        if (args[i] == '{' && (depth > 0 || (i > 0 && args[i - 1] == '%'))) ++depth;
        if (args[i] == '}' && depth > 0) --depth;
        if (args[i] != ' ' || depth > 0) continue;
        words.push_back(args.substr(start, i - start));
        start = i + 1;
    }
    words.push_back(args.substr(start));
    return words;
}
}  // namespace

std::string reply_program() {
    char path[PATH_MAX];
    ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
    std::string_view own(path, size > 0 ? static_cast<std::size_t>(size) : 0);
    std::size_t slash = own.rfind('/');
    return std::string(slash == own.npos ? "/usr/libexec/dovecot" : own.substr(0, slash)) + "/checkpassword-reply";
}

Result<std::vector<std::string>> command(std::string_view args, const AuthRequest& request) {
    static const std::string reply = reply_program();
    std::vector<std::string> words;
    for (std::string_view word : split_command(trim(args))) {
        std::string expanded = TRY(expand_for_request(word, request));
        if (expanded.find('\0') != expanded.npos)
            return fail(ErrorCode::InvalidArgument, "a NUL byte in an argument of the program");
        words.push_back(std::move(expanded));
    }
    words.push_back(reply);
    return words;
}

std::vector<std::string> environment(const AuthRequest& request, Mode mode) {
    std::vector<std::string> out;
    add(out, "PROTO", "TCP");
    add(out, "ORIG_UID", fmt::format("{}", ::geteuid()));
    add(out, "SERVICE", request.service);
    if (!request.local_ip.empty()) {
        add(out, "LOCAL_IP", request.local_ip);
        add(out, "TCPLOCALIP", request.local_ip);
    }
    if (!request.remote_ip.empty()) {
        add(out, "REMOTE_IP", request.remote_ip);
        add(out, "TCPREMOTEIP", request.remote_ip);
    }
    if (!request.local_port.empty()) add(out, "TCPLOCALPORT", request.local_port);
    if (!request.remote_port.empty()) add(out, "TCPREMOTEPORT", request.remote_port);
    if (!request.master_user.empty()) add(out, "MASTER_USER", request.master_user);
    add_variables(out, request);
    if (mode != Mode::Verify) add(out, "AUTHORIZED", "1");
    if (mode == Mode::Credentials) {
        add(out, "CREDENTIALS_LOOKUP", "1");
        add(out, "SCHEME", wanted_scheme(request));
    }
    for (const AuthField& field : request.fields) add_field(out, to_upper(field.key), field);
    for (const AuthField& field : request.userdb_fields) add_field(out, "USERDB_" + to_upper(field.key), field);
    return out;
}

SecretString input(const AuthRequest& request, std::string_view password) {
    std::string text = request.user;
    text += '\0';
    text += password;
    text += '\0';
    text += '\0';
    SecretString out(text);
    ::explicit_bzero(text.data(), text.size());
    return out;
}

Result<AuthFields> parse_reply(std::string_view bytes) {
    if (bytes.find('\0') != bytes.npos) return fail(ErrorCode::Corrupt, "NUL characters in checkpassword reply");
    if (bytes.find('\n') != bytes.npos) return fail(ErrorCode::Corrupt, "LF characters in checkpassword reply");
    AuthFields fields;
    for (std::string_view field : split(bytes, '\t')) {
        if (field.empty()) continue;
        if (fields.size() >= kFieldLimit) return fail(ErrorCode::Corrupt, "too many fields in checkpassword reply");
        std::size_t equals = field.find('=');
        std::string key = tab_unescape(field.substr(0, equals));
        std::string value = equals == field.npos ? std::string() : tab_unescape(field.substr(equals + 1));
        if (key.empty()) return fail(ErrorCode::Corrupt, "a field without a name in checkpassword reply");
        // As in Dovecot a field without a value is one without a '='.
        fields.set(key, value, !value.empty());
    }
    return fields;
}

Result<Answer> judge(const ProgramResult& result, Mode mode) {
    using End = ProgramResult::End;
    Answer answer;
    if (result.end == End::Exited && mode == Mode::Verify && result.code == 1) {
        answer.reason = "Login failed (status=1)";
        return answer;
    }
    if (result.end == End::Exited && mode != Mode::Verify && result.code == 3) {
        answer.kind = Answer::Kind::UnknownUser;
        answer.reason = "User unknown";
        return answer;
    }
    // Who was only asked to look somebody up must say that he has understood; else anything might pass for a yes.
    if (result.end != End::Exited || result.code != (mode == Mode::Verify ? 0 : 2))
        return fail(ErrorCode::Unavailable,
                    describe_end(result) + (result.end == End::Exited && result.code == 2
                                                ? " (tried to use userdb-only checkpassword program for passdb?)"
                                                : ""));
    if (result.output.empty()) return fail(ErrorCode::Unavailable, "Received no input");
    answer.fields = TRY(parse_reply(result.output));
    // A userdb's reply renames nobody.
    if (const AuthField* user = answer.fields.find("user"); user && mode != Mode::User) {
        if (user->value.empty()) return fail(ErrorCode::Corrupt, "username attempted to be changed to empty");
        if (user->value.find_first_of(std::string_view("\0\r\n\t", 4)) != std::string::npos)
            return fail(ErrorCode::Corrupt, "username attempted to be changed to one with control characters");
    }
    answer.kind = Answer::Kind::Yes;
    return answer;
}

Result<Answer> ask(ProgramRunner* runner, std::string_view args, const AuthRequest& request, Mode mode,
                   std::string_view password) {
    if (!runner) return fail(ErrorCode::Unavailable, "programs cannot be run by this process");
    // Either would end early in the program's eyes, and let in who knows the beginning.
    if (request.user.find('\0') != std::string::npos || password.find('\0') != password.npos) {
        Answer refused;
        refused.kind = mode == Mode::Verify ? Answer::Kind::No : Answer::Kind::UnknownUser;
        refused.reason = "NUL characters in user name or password";
        return refused;
    }
    ProgramCall call;
    call.words = TRY(command(args, request));
    call.environment = environment(request, mode);
    call.input = input(request, password);
    ProgramResult result = TRY(runner->run(call));
    std::size_t lines = 0;
    for (std::string_view line : split(result.errors, '\n')) {
        if (line.empty() || ++lines > kErrorLineLimit) continue;
        log_error(fmt::format("checkpassword({}): {}", request.log_identity(), line));
    }
    return judge(result, mode);
}

}  // namespace culver::checkpassword
