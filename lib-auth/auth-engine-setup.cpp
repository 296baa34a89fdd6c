// AuthEngine: made from settings; user names; userdbs.
#include <algorithm>

#include <fmt/format.h>

#include "lib-auth/auth-engine-entries.h"
#include "lib-auth/mechanism.h"
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

bool is_verbose(const std::string& setting, bool fallback) {
    return setting == "default" ? fallback : setting == "yes";
}
}  // namespace

AuthEngine::AuthEngine(AuthSettings settings)
    : settings_(std::move(settings)),
      cache_(std::make_unique<VerdictCache>(settings_.cache_size, settings_.cache_ttl, settings_.cache_negative_ttl)),
      app_passwords_(settings_.app_passwords.empty() ? nullptr
                                                     : std::make_unique<AppPasswords>(settings_.app_passwords)) {}
AuthEngine::~AuthEngine() = default;

Result<std::shared_ptr<AuthEngine>> AuthEngine::create(AuthSettings settings, const DriverContext& context) {
    std::shared_ptr<AuthEngine> engine(new AuthEngine(std::move(settings)));
    for (const PassDbSettings& db : engine->settings_.passdbs) {
        auto drivers = passdb_drivers();
        auto driver =
            std::find_if(drivers.begin(), drivers.end(), [&](const auto& known) { return known.name == db.driver; });
        if (driver == drivers.end())
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("{}: Unknown passdb driver '{}'", db.origin.to_string(), db.driver));
        PassDbEntry entry;
        auto database = driver->make(db, context);
        if (!database)
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("{}: passdb {}: {}", db.origin.to_string(), db.driver, database.error().detail));
        entry.database = std::move(*database);
        entry.driver = db.driver;
        entry.lane = fmt::format("{} {}", db.driver, db.args);
        entry.default_fields = words(db.default_fields);
        entry.override_fields = words(db.override_fields);
        for (std::string& mechanism : words(db.mechanisms)) entry.mechanisms.push_back(to_upper(mechanism));
        std::string filter = db.username_filter;
        std::replace(filter.begin(), filter.end(), ',', ' ');
        entry.username_filter = words(filter);
        entry.deny = db.deny;
        entry.pass = db.pass;
        entry.master = db.master;
        entry.success = TRY(parse_result_rule("result_success", db.result_success));
        entry.failure = TRY(parse_result_rule("result_failure", db.result_failure));
        entry.internal = TRY(parse_result_rule("result_internalfail", db.result_internalfail));
        if (db.skip == "authenticated") entry.skip = PassDbEntry::Skip::Authenticated;
        if (db.skip == "unauthenticated") entry.skip = PassDbEntry::Skip::Unauthenticated;
        entry.verbose = is_verbose(db.auth_verbose, engine->settings_.verbose);
        if (engine->settings_.openid_configuration_url.empty())
            engine->settings_.openid_configuration_url = entry.database->openid_configuration_url();
        engine->passdbs_.push_back(std::move(entry));
    }
    bool any_normal =
        std::any_of(engine->passdbs_.begin(), engine->passdbs_.end(), [](const auto& db) { return !db.master; });
    TRY(check_mechanisms(engine->settings_.mechanisms, any_normal));
    std::vector<UserDbSettings> userdbs = engine->settings_.userdbs;
    if (userdbs.empty()) {
        UserDbSettings implied;
        implied.driver = "static";
        userdbs.push_back(implied);
    }
    for (const UserDbSettings& db : userdbs) {
        auto drivers = userdb_drivers();
        auto driver =
            std::find_if(drivers.begin(), drivers.end(), [&](const auto& known) { return known.name == db.driver; });
        if (driver == drivers.end())
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("{}: Unknown userdb driver '{}'", db.origin.to_string(), db.driver));
        UserDbEntry entry;
        auto database = driver->make(db, context);
        if (!database)
            return fail(ErrorCode::InvalidArgument,
                        fmt::format("{}: userdb {}: {}", db.origin.to_string(), db.driver, database.error().detail));
        entry.database = std::move(*database);
        entry.driver = db.driver;
        entry.lane = fmt::format("{} {}", db.driver, db.args);
        entry.default_fields = words(db.default_fields);
        entry.override_fields = words(db.override_fields);
        entry.success = TRY(parse_result_rule("result_success", db.result_success));
        entry.failure = TRY(parse_result_rule("result_failure", db.result_failure));
        entry.internal = TRY(parse_result_rule("result_internalfail", db.result_internalfail));
        if (db.skip == "found") entry.skip = UserDbEntry::Skip::Found;
        if (db.skip == "notfound") entry.skip = UserDbEntry::Skip::NotFound;
        entry.verbose = is_verbose(db.auth_verbose, engine->settings_.verbose);
        engine->userdbs_.push_back(std::move(entry));
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
    if (!settings_.realms.empty()) {
        std::size_t at = user.find('@');
        if (at != user.npos &&
            std::find(settings_.realms.begin(), settings_.realms.end(), user.substr(at + 1)) == settings_.realms.end())
            return fail(ErrorCode::InvalidArgument, fmt::format("Realm of {} is not in auth_realms", name));
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
    request.named = true;
    request.original_user = name;
    request.user = name;
    std::string_view separators = settings_.master_user_separator;
    if (std::size_t at = name.find_first_of(separators); !separators.empty() && at != name.npos) {
        std::string login;
        TRY(normalise(request, name.substr(0, at), login));
        request.login_user = std::move(login);
        name = name.substr(at + 1);
    }
    std::string user;
    TRY(normalise(request, name, user));
    request.user = user;
    request.translated_user = std::move(user);
    return {};
}

Status AuthEngine::set_login_user(AuthRequest& request, std::string_view name) const {
    if (name.empty() || name == request.original_user) return {};
    std::string login;
    TRY(normalise(request, name, login));
    if (login != request.user) request.login_user = std::move(login);
    return {};
}

Work AuthEngine::user_work(const AuthRequest& request) const {
    Work most = Work::Cheap;
    for (const UserDbEntry& entry : userdbs_) {
        most = std::max(most, entry.database->work(request));
        if (entry.database->needs_existence_check() && !request.passdb_succeeded)
            most = std::max(most, lookup_work(request));
    }
    return most;
}

std::string AuthEngine::user_lane(const AuthRequest& request) const {
    for (const UserDbEntry& entry : userdbs_)
        if (entry.database->work(request) == Work::Blocking) return entry.lane;
    return lookup_lane(request);
}

// Nothing: it would have to wait.
std::optional<UserResult> AuthEngine::check_existence(AuthRequest& request, Work limit) const {
    AuthRequest probe = request;
    auto found = limit == Work::Cheap ? lookup_credentials_at_once(probe) : lookup_credentials(probe);
    if (!found) return std::nullopt;
    const Credentials& credentials = *found;
    if (credentials.unsupported) {
        log_error(fmt::format("static({}): passdb doesn't support lookups, can't verify user's existence",
                              request.log_identity()));
        return UserResult{UserResult::Kind::InternalFailure, ""};
    }
    if (credentials.result == AuthResult::InternalFailure) return UserResult{UserResult::Kind::InternalFailure, ""};
    if (credentials.result == AuthResult::UnknownUser) return UserResult{UserResult::Kind::NotFound, ""};
    return UserResult{UserResult::Kind::Found, ""};
}

UserResult AuthEngine::lookup_user(AuthRequest& request) const { return *ask_userdbs(request, Work::Blocking); }

std::optional<UserResult> AuthEngine::lookup_user_at_once(AuthRequest& request) const {
    AuthRequest before = request;
    auto result = ask_userdbs(request, Work::Cheap);
    if (!result) request = std::move(before);
    return result;
}

// Nothing: one of them would have to wait, which `limit` does not allow.
std::optional<UserResult> AuthEngine::ask_userdbs(AuthRequest& request, Work limit) const {
    bool found = false, internal_failure = false;
    for (const UserDbEntry& entry : userdbs_) {
        if (entry.skip == UserDbEntry::Skip::Found && found) continue;
        if (entry.skip == UserDbEntry::Skip::NotFound && !found) continue;
        auto add_template = [&](AuthFields& fields, const std::string& field) {
            std::size_t equals = field.find('=');
            std::string_view key = std::string_view(field).substr(0, equals);
            if (equals == field.npos) return fields.set(key, "", false);
            auto value = expand_for_request(std::string_view(field).substr(equals + 1), request);
            if (value && key == "uid") value = resolve_uid(*value);
            if (value && key == "gid") value = resolve_gid(*value);
            if (value) return fields.set(key, *value);
            log_error(fmt::format("{}({}): {}", entry.driver, request.log_identity(), value.error().detail));
        };
        auto answer = entry.database->work(request) > limit
                          ? entry.database->lookup_at_once(request)
                          : std::optional<Result<UserDbReply>>(entry.database->lookup(request));
        if (!answer) return std::nullopt;
        Result<UserDbReply> reply = std::move(*answer);
        bool hit = reply && reply->found;
        if (hit && entry.database->needs_existence_check() && !request.passdb_succeeded) {
            auto known = check_existence(request, limit);
            if (!known) return std::nullopt;
            hit = known->kind == UserResult::Kind::Found;
            if (known->kind == UserResult::Kind::InternalFailure) reply = fail(ErrorCode::Unavailable, "");
        }
        ResultRule rule = hit ? entry.success : !reply ? entry.internal : entry.failure;
        if (!reply) {
            internal_failure = true;
            if (!reply.error().detail.empty())
                log_error(fmt::format("{}({}): {}", entry.driver, request.log_identity(), reply.error().detail));
        } else if (!hit) {
            if (entry.verbose) log_info(fmt::format("{}({}): unknown user", entry.driver, request.log_identity()));
        } else {
            AuthFields& fields = request.userdb_fields;
            AuthFields defaults;
            for (const std::string& field : entry.default_fields) add_template(defaults, field);
            for (const AuthField& field : defaults)
                if (!fields.contains(field.key)) fields.set(field.key, field.value, field.has_value);
            for (const AuthField& field : reply->fields) {
                if (field.key == "user") request.user = field.value;
                else fields.set(field.key, field.value, field.has_value);
            }
            for (const std::string& field : entry.override_fields) add_template(fields, field);
        }
        switch (rule) {
            case ResultRule::Return:
                return UserResult{hit      ? UserResult::Kind::Found
                                  : !reply ? UserResult::Kind::InternalFailure
                                           : UserResult::Kind::NotFound,
                                  ""};
            case ResultRule::ReturnOk: return UserResult{UserResult::Kind::Found, ""};
            case ResultRule::ReturnFail:
                return UserResult{!reply ? UserResult::Kind::InternalFailure : UserResult::Kind::NotFound, ""};
            case ResultRule::Continue: break;
            case ResultRule::ContinueOk: found = true; break;
            case ResultRule::ContinueFail: found = false; break;
        }
    }
    if (found) return UserResult{UserResult::Kind::Found, ""};
    return UserResult{internal_failure ? UserResult::Kind::InternalFailure : UserResult::Kind::NotFound, ""};
}

Status AuthEngine::iterate(const std::function<void(std::string_view user)>& visit) const {
    Status status;
    bool any = false;
    for (const UserDbEntry& entry : userdbs_) {
        auto listed = entry.database->iterate(visit);
        if (listed) any = true;
        else if (listed.error().code != ErrorCode::Unsupported) status = listed;
        else log_error(fmt::format("Trying to iterate users, but userdbs don't support it ({})", entry.driver));
    }
    if (!any && status) return fail(ErrorCode::Unsupported, "no userdb supports listing users");
    return status;
}

}  // namespace culver
