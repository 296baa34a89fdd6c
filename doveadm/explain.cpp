// doveadm auth explain: what its steps share; the name; the connection.
#include "doveadm/explain.h"

#include <fmt/format.h>

#include <ctime>

#include "doveadm/auth-arguments.h"
#include "lib-auth/app-passwords/app-password-file.h"
#include "lib-auth/wildcard.h"
#include "lib-base/log.h"
#include "lib-base/text.h"
#include "lib-net/ip-address.h"

namespace culver::doveadm {

void Road::say(std::string_view text) const { print(fmt::format("{}\n", text)); }
void Road::add(std::string_view text) const { print(fmt::format("    {}\n", text)); }

void Road::conclude(int exit_code, std::string text) {
    if (code == kExitOk) code = exit_code;
    verdict.push_back(std::move(text));
}

const OriginatedField* Road::find(std::string_view key) const {
    for (const OriginatedField& field : fields)
        if (field.key == key) return &field;
    return nullptr;
}

std::shared_ptr<AuthEngine> Road::engine_of(const PassDbSettings* passdb, const UserDbSettings* userdb) const {
    AuthSettings alone = settings;
    PassDbSettings nobody;
    nobody.driver = "static";
    nobody.args = "nopassword=y";
    alone.passdbs = {passdb ? *passdb : nobody};
    // Here each database only answers; what its answer leads to is the road's business.
    alone.passdbs[0].master = alone.passdbs[0].deny = false;
    alone.passdbs[0].mechanisms.clear();
    alone.passdbs[0].username_filter.clear();
    alone.passdbs[0].skip = "never";
    alone.passdbs[0].result_success = "return-ok";
    alone.passdbs[0].result_failure = alone.passdbs[0].result_internalfail = "continue";
    alone.userdbs.clear();
    if (userdb) {
        alone.userdbs = {*userdb};
        alone.userdbs[0].skip = "never";
        alone.userdbs[0].result_success = "return-ok";
        alone.userdbs[0].result_failure = alone.userdbs[0].result_internalfail = "continue";
    }
    alone.mechanisms = {"PLAIN"};
    alone.app_passwords.clear();
    std::shared_ptr<AuthEngine> out;
    with_log(*this, [&] {
        auto engine = AuthEngine::create(alone, context);
        if (engine) out = *engine;
        else add(engine.error().detail);
    });
    return out;
}

std::string database_label(std::string_view kind, std::size_t number, std::string_view driver,
                           const SettingOrigin& origin) {
    return fmt::format("{} {}: {}{}", kind, number, driver, origin.file.empty() ? "" : " (" + origin.to_string() + ")");
}

void with_log(const Road& road, const std::function<void()>& work) {
    std::vector<std::string> lines;
    set_log_sink([&](LogLevel level, std::string_view line) {
        if (level == LogLevel::Debug) return;
        std::size_t prefix = line.find(": ");
        lines.emplace_back(prefix == line.npos ? line : line.substr(prefix + 2));
    });
    work();
    set_log_sink([](LogLevel, std::string_view line) { print(fmt::format("    {}\n", line)); });
    for (const std::string& line : lines) road.add(line);
}

namespace {

// One rule for names: switches it on in settings that have the rules before it.
struct NameRule {
    std::string_view setting;
    void (*apply)(AuthSettings& to, const AuthSettings& from);
    bool (*is_set)(const AuthSettings& settings);
};
constexpr NameRule kNameRules[] = {
    {"auth_default_realm", [](auto& to, const auto& from) { to.default_realm = from.default_realm; },
     [](const auto& s) { return !s.default_realm.empty(); }},
    {"auth_username_translation",
     [](auto& to, const auto& from) { to.username_translation = from.username_translation; },
     [](const auto& s) { return !s.username_translation.empty(); }},
    {"auth_username_chars", [](auto& to, const auto& from) { to.username_chars = from.username_chars; },
     [](const auto& s) { return !s.username_chars.empty(); }},
    {"auth_realms", [](auto& to, const auto& from) { to.realms = from.realms; },
     [](const auto& s) { return !s.realms.empty(); }},
    {"auth_username_format", [](auto& to, const auto& from) { to.username_format = from.username_format; },
     [](const auto& s) { return !s.username_format.empty(); }},
};

std::string setting_with_origin(const Road& road, std::string_view name) {
    const auto& settings = *road.call.settings();
    return fmt::format("{} = {}{}", name, settings.string(name),
                       settings.is_set(name) ? " (" + settings.origin(name).to_string() + ")" : "");
}

void explain_penalty(Road& road) {
    AuthMasterClient client(road.call.socket_path("auth-master"));
    auto penalties = client.list_penalties();
    if (!penalties) return road.say("penalty: cannot be asked for: " + penalties.error().detail);
    auto address = IpAddress::parse(road.request.remote_ip);
    for (const auto& penalty : *penalties) {
        auto network = IpNetwork::parse(penalty.address);
        if (network ? !address || !network->contains(*address) : address.has_value()) continue;
        const auto seconds = (penalty.left.count() + 999) / 1000;
        road.say(fmt::format(
            "penalty: {} is held because of wrong logins: its next one is looked at in {} secs "
            "(doveadm penalty -c {} forgets them)",
            penalty.address.empty() ? "clients without an address" : penalty.address, seconds, road.request.remote_ip));
        return;
    }
    road.say(fmt::format("penalty: none for {}", road.request.remote_ip));
}

}  // namespace

bool explain_name(Road& road, const std::string& name) {
    AuthSettings rules = road.settings;
    rules.default_realm.clear(), rules.username_translation.clear(), rules.username_chars.clear();
    rules.realms.clear(), rules.username_format = "%u";
    AuthSettings saved = road.settings;
    std::string current = name;
    bool good = true;
    road.say(fmt::format("name: {}", name));
    for (const NameRule& rule : kNameRules) {
        if (!rule.is_set(saved) || !good) continue;
        rule.apply(rules, saved);
        road.settings = rules;
        auto engine = road.engine_of(nullptr, nullptr);
        AuthRequest probe = road.request;
        Status named = engine ? engine->set_user(probe, name) : Status();
        if (!named) road.add(fmt::format("{}: {}", setting_with_origin(road, rule.setting), named.error().detail));
        else if (probe.user != current && probe.login_user.empty())
            road.add(fmt::format("{}: becomes {}", setting_with_origin(road, rule.setting), probe.user));
        good = named.has_value();
        current = probe.user;
    }
    road.settings = saved;
    auto engine = road.engine_of(nullptr, nullptr);
    Status named = engine ? engine->set_user(road.request, name) : Status(fail(ErrorCode::Internal, ""));
    if (!named) {
        road.conclude(kExitNoUser,
                      "The name is refused before any database is asked. Mend the setting named above, or "
                      "the name in the client.");
        return false;
    }
    if (road.is_master_login())
        road.add(fmt::format("{}: {} logs in as {}", setting_with_origin(road, "auth_master_user_separator"),
                             road.request.user, road.request.login_user));
    else road.add(fmt::format("the databases are asked for {}", road.request.user));
    return true;
}

void explain_connection(Road& road) {
    const Settings& settings = *road.call.settings();
    std::string words = join(road.settings.mechanisms, " ");
    road.say(fmt::format("connection: service {}, mechanisms offered: {}", road.request.service, words));
    if (settings.boolean("disable_plaintext_auth")) {
        const std::string& trusted = settings.string("login_trusted_networks");
        road.add(fmt::format("{}: without TLS PLAIN and LOGIN are taken only from this machine{}",
                             setting_with_origin(road, "disable_plaintext_auth"),
                             trusted.empty() ? "" : " and from login_trusted_networks = " + trusted));
    }
    if (settings.string("ssl") == "required") road.add("ssl = required: no login without TLS, but from this machine");
    if (road.request.remote_ip.empty()) road.add("client address: not given; -x rip=ADDRESS checks what depends on it");
    else explain_penalty(road);
}

namespace {

// This account's rows; an unreadable file is said and is none.
std::vector<AppPassword> app_passwords_of(const Road& road) {
    if (road.settings.app_passwords.empty()) return {};
    auto rows = AppPasswordFile(road.settings.app_passwords).of_user(road.request.translated_user);
    if (rows) return *rows;
    road.add(rows.error().detail);
    road.add("what looks like an app password is a temporary failure; other passwords do not need the file");
    return {};
}

std::string refusal_here(const Road& road, const AppPassword& row) {
    return refusal_of(row, road.request.service, road.request.remote_ip, std::time(nullptr));
}

}  // namespace

void explain_app_passwords(Road& road) {
    if (road.settings.app_passwords.empty() || road.is_master_login()) return;
    road.say(fmt::format("app passwords: {}", road.settings.app_passwords));
    auto rows = app_passwords_of(road);
    if (rows.empty()) return road.add(fmt::format("{} has none", road.request.translated_user));
    for (const AppPassword& row : rows) {
        std::string why = refusal_here(road, row);
        road.has_app_password = road.has_app_password || why.empty();
        road.add(fmt::format("\"{}\" (id {}): {}", row.name, row.id, why.empty() ? "good for this login" : why));
    }
    auto letters = road.password ? app_password_letters(road.password->reveal()) : std::nullopt;
    const AppPassword* row = letters ? find_app_password(rows, *letters) : nullptr;
    if (!row) return;
    road.by_app_password = true;
    road.add(fmt::format("the password given is \"{}\": the passdbs are asked without comparing it", row->name));
    if (std::string why = refusal_here(road, *row); !why.empty())
        road.conclude(kExitNoPermission,
                      fmt::format("A login is refused: the app password \"{}\" {}.", row->name, why));
}

void insist_on_app_password(Road& road) {
    const bool by_field = road.request.app_password_required.has_value();
    const std::string rule = by_field ? *road.request.app_password_required : road.settings.app_password_required;
    if (rule == "no" || road.is_master_login() || road.by_app_password ||
        !is_app_password_required(rule, road.request.service))
        return;
    road.add(fmt::format(
        "an app password is needed for service {}: {}", road.request.service,
        by_field ? "passdb field app_password_required" : setting_with_origin(road, "auth_app_password_required")));
    if (road.password)
        road.conclude(kExitNoPermission, "A login with this password is refused: an app password is needed.");
    else if (!road.has_app_password)
        road.conclude(
            kExitNoPermission,
            fmt::format("A login is refused: an app password is needed, and there is none that is good for it. "
                        "Make one: doveadm auth app-password add {}",
                        road.request.translated_user));
}

}  // namespace culver::doveadm
