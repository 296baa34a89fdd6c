// AuthEngine: made from settings; user names.
#include <fmt/format.h>

#include <algorithm>

#include "lib-auth/auth-engine-entries.h"
#include "lib-auth/auth-policy.h"
#include "lib-auth/mechanism.h"
#include "lib-auth/password-scheme.h"
#include "lib-base/log.h"
#include "lib-base/text.h"

namespace culver {

namespace {
constexpr std::size_t kUserNameLimit = 255;

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> out;
    for (std::string_view word : split_words(text)) out.emplace_back(word);
    return out;
}

// Mechanisms that Dovecot 2.3 has and Culver has not: named in the log, not offered, and no reason to stay down.
constexpr std::string_view kOthersMechanisms[] = {"GSSAPI", "GSS-SPNEGO", "NTLM", "RPA", "APOP", "OTP", "SKEY"};

Status check_mechanisms(const std::vector<std::string>& names, bool any_passdb) {
    for (const std::string& name : names) {
        const MechanismSpec* spec = find_mechanism(name);
        if (spec) {
            if (any_passdb || !spec->needs_passdb) continue;
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("No passdbs specified in configuration file. {} mechanism needs one", name));
        }
        if (std::find(std::begin(kOthersMechanisms), std::end(kOthersMechanisms), name) == std::end(kOthersMechanisms))
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("Unknown authentication mechanism '{}' in auth_mechanisms", name));
        log_error(fmt::format(
            "Authentication mechanism '{}' is not supported and is not offered: remove it from auth_mechanisms", name));
    }
    return {};
}

// passwd-file(/etc/dovecot/users), pam(dovecot), static: never what may be a secret in its args.
std::string passdb_label(const PassDbSettings& db) {
    std::string_view args = trim(db.args), shown;
    if (std::size_t slash = args.find('/'); slash != args.npos) {
        if (slash == 0 || args[slash - 1] == ' ' || args[slash - 1] == '\t') shown = args.substr(slash);
    } else if (db.driver == "pam") {
        for (std::string_view word : split_words(args))
            if (word.find('=') == word.npos) shown = word;
        if (shown.empty()) shown = "dovecot";
    }
    std::string label = shown.empty() ? db.driver : fmt::format("{}({})", db.driver, shown);
    return db.master ? label + " as master" : label;
}

// A name occurs in a trail once, or with the line of its block.
void tell_apart(auto& entries, const std::vector<PassDbSettings>& settings) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
        auto same = [&](const auto& other) { return other.label == entries[i].label; };
        if (std::count_if(entries.begin(), entries.end(), same) < 2) continue;
        const std::string label = entries[i].label;
        for (std::size_t k = i; k < entries.size(); ++k)
            if (entries[k].label == label) entries[k].label += fmt::format(" [{}]", settings[k].origin.to_string());
    }
}

bool is_verbose(const std::string& setting, bool fallback) {
    return setting == "default" ? fallback : setting == "yes";
}
}  // namespace

AuthEngine::AuthEngine(AuthSettings settings) : settings_(std::move(settings)) {}
AuthEngine::~AuthEngine() = default;

Result<AuthEngine::PassDbEntry> AuthEngine::make_passdb(const PassDbSettings& db, const DriverContext& context,
                                                        const AuthEngine* like) {
    auto drivers = passdb_drivers();
    auto driver =
        std::find_if(drivers.begin(), drivers.end(), [&](const auto& known) { return known.name == db.driver; });
    auto refuse = [&](const std::string& why) {
        return fail(ErrorCode::InvalidArgument, fmt::format("{}: {}", db.origin.to_string(), why));
    };
    if (driver == drivers.end()) return refuse(fmt::format("Unknown passdb driver '{}'", db.driver));
    if (db.deny && db.master) return refuse("Master passdb can't have deny=yes");
    PassDbEntry entry;
    for (std::size_t i = 0; like && !entry.database && i < like->passdbs_.size(); ++i)
        if (like->settings_.passdbs[i] == db) entry.database = like->passdbs_[i].database;
    if (!entry.database) {
        auto database = driver->make(db, context);
        if (!database) return refuse(fmt::format("passdb {}: {}", db.driver, database.error().detail));
        entry.database = std::move(*database);
    }
    entry.driver = db.driver;
    entry.label = passdb_label(db);
    entry.lane = fmt::format("{} {}", db.driver, db.args);
    entry.default_fields = words(db.default_fields);
    entry.override_fields = words(db.override_fields);
    for (std::string& mechanism : words(db.mechanisms)) entry.mechanisms.push_back(to_upper(mechanism));
    std::string filter = db.username_filter;
    std::replace(filter.begin(), filter.end(), ',', ' ');
    entry.username_filter = words(filter);
    entry.deny = db.deny;
    entry.master = db.master;
    entry.success = TRY(parse_result_rule("result_success", db.result_success));
    entry.failure = TRY(parse_result_rule("result_failure", db.result_failure));
    entry.internal = TRY(parse_result_rule("result_internalfail", db.result_internalfail));
    if (db.pass) entry.success = ResultRule::Continue;  // the older way to write it
    if (db.skip == "authenticated") entry.skip = PassDbEntry::Skip::Authenticated;
    if (db.skip == "unauthenticated") entry.skip = PassDbEntry::Skip::Unauthenticated;
    return entry;
}

Result<AuthEngine::UserDbEntry> AuthEngine::make_userdb(const UserDbSettings& db, const DriverContext& context,
                                                        const AuthEngine* like) {
    auto drivers = userdb_drivers();
    auto driver =
        std::find_if(drivers.begin(), drivers.end(), [&](const auto& known) { return known.name == db.driver; });
    auto refuse = [&](const std::string& why) {
        return fail(ErrorCode::InvalidArgument, fmt::format("{}: {}", db.origin.to_string(), why));
    };
    if (driver == drivers.end()) return refuse(fmt::format("Unknown userdb driver '{}'", db.driver));
    UserDbEntry entry;
    for (std::size_t i = 0; like && !entry.database && i < like->settings_.userdbs.size(); ++i)
        if (like->settings_.userdbs[i] == db) entry.database = like->userdbs_[i].database;
    if (!entry.database) {
        auto database = driver->make(db, context);
        if (!database) return refuse(fmt::format("userdb {}: {}", db.driver, database.error().detail));
        entry.database = std::move(*database);
    }
    entry.driver = db.driver;
    entry.lane = fmt::format("{} {}", db.driver, db.args);
    entry.default_fields = words(db.default_fields);
    entry.override_fields = words(db.override_fields);
    entry.success = TRY(parse_result_rule("result_success", db.result_success));
    entry.failure = TRY(parse_result_rule("result_failure", db.result_failure));
    entry.internal = TRY(parse_result_rule("result_internalfail", db.result_internalfail));
    if (db.skip == "found") entry.skip = UserDbEntry::Skip::Found;
    if (db.skip == "notfound") entry.skip = UserDbEntry::Skip::NotFound;
    return entry;
}

Result<std::shared_ptr<AuthEngine>> AuthEngine::create(AuthSettings wanted, const DriverContext& context,
                                                       const AuthEngine* like) {
    std::shared_ptr<AuthEngine> engine(new AuthEngine(std::move(wanted)));
    AuthSettings& settings = engine->settings_;
    if (like) {
        engine->cache_ = like->cache_;
    } else {
        engine->cache_ =
            std::make_shared<VerdictCache>(settings.cache_size, settings.cache_ttl, settings.cache_negative_ttl);
    }
    if (like && like->settings_.app_passwords == settings.app_passwords) engine->app_passwords_ = like->app_passwords_;
    else if (!settings.app_passwords.empty())
        engine->app_passwords_ = std::make_shared<AppPasswords>(settings.app_passwords);
    engine->policy_ = TRY(AuthPolicy::create(settings.policy));
    for (const PassDbSettings& db : settings.passdbs) {
        engine->passdbs_.push_back(TRY(make_passdb(db, context, like)));
        engine->passdbs_.back().verbose = is_verbose(db.auth_verbose, settings.verbose);
        if (settings.openid_configuration_url.empty())
            settings.openid_configuration_url = engine->passdbs_.back().database->openid_configuration_url();
    }
    const std::string& scheme = settings.password_upgrade_scheme;
    if (!scheme.empty() && !scheme_of_password("", scheme))
        return fail(
            ErrorCode::InvalidArgument,
            fmt::format("auth_password_upgrade_scheme = {}: Unknown scheme (doveadm pw -l lists them)", scheme));
    tell_apart(engine->passdbs_, settings.passdbs);
    bool any_normal =
        std::any_of(engine->passdbs_.begin(), engine->passdbs_.end(), [](const auto& db) { return !db.master; });
    TRY(check_mechanisms(settings.mechanisms, any_normal));
    std::vector<UserDbSettings> userdbs = settings.userdbs;
    if (userdbs.empty()) userdbs.emplace_back().driver = "static";
    for (const UserDbSettings& db : userdbs) {
        engine->userdbs_.push_back(TRY(make_userdb(db, context, like)));
        engine->userdbs_.back().verbose = is_verbose(db.auth_verbose, settings.verbose);
    }
    return engine;
}

Status AuthEngine::normalise(const AuthRequest& request, std::string_view name, std::string& out) const {
    if (name.empty()) return fail(ErrorCode::InvalidArgument, "Empty username");
    std::string user(name);
    if (!settings_.default_realm.empty() && user.find('@') == user.npos) user += '@' + settings_.default_realm;
    const std::string& translation = settings_.username_translation;
    for (char& c : user) {
        for (std::size_t i = 0; i + 1 < translation.size(); i += 2)
            if (translation[i] == c) {
                c = translation[i + 1];
                break;
            }
        // Whatever auth_username_chars allows: these would mean something to the protocol and to C code behind it.
        bool never = c == '\0' || c == '\n' || c == '\r' || c == '\t';
        if (never || (!settings_.username_chars.empty() && settings_.username_chars.find(c) == std::string::npos))
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("Username character disallowed by auth_username_chars: 0x{:02x} (username: {})",
                                    static_cast<unsigned char>(c), name));
    }
    // The three formats that everybody uses need no template engine.
    if (settings_.username_format == "%Lu") {
        out = to_lower(user);
    } else if (settings_.username_format.empty() || settings_.username_format == "%u") {
        out = std::move(user);
    } else {
        AuthRequest named = request;
        named.user = user;
        out = TRY(expand_for_request(settings_.username_format, named));
    }
    if (out.empty() || out.size() > kUserNameLimit)
        return fail(ErrorCode::InvalidArgument, out.empty() ? "Empty username" : "Username is longer than 255 bytes");
    return {};
}

Status AuthEngine::set_user(AuthRequest& request, std::string_view name) const {
    std::string_view separators = settings_.master_user_separator;
    std::optional<std::string> wanted;
    if (std::size_t at = name.find_first_of(separators); !separators.empty() && at != name.npos) {
        wanted = std::string(name.substr(0, at));
        name = name.substr(at + 1);
    }
    request.named = true;
    request.original_user = name;
    request.user = name;
    std::string user;
    TRY(normalise(request, name, user));
    request.user = user;
    request.translated_user = std::move(user);
    if (!wanted) return {};
    if (wanted->empty())
        return fail(ErrorCode::InvalidArgument, "Master user login attempted to use empty login username");
    return set_login_user(request, *wanted);
}

Status AuthEngine::set_login_user(AuthRequest& request, std::string_view name) const {
    if (name.empty()) return {};
    std::string login;
    TRY(normalise(request, name, login));
    request.login_user = login == request.user ? std::string() : std::move(login);
    return {};
}

}  // namespace culver
