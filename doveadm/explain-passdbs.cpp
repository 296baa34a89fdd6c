// doveadm auth explain: each passdb in its order, why it is asked or not, what it says and what follows.
#include <fmt/format.h>
#include <shadow.h>

#include <algorithm>
#include <cerrno>

#include "doveadm/auth-arguments.h"
#include "doveadm/explain-fields.h"
#include "doveadm/explain.h"
#include "lib-auth/app-passwords/locked-password.h"
#include "lib-auth/password-scheme.h"
#include "lib-auth/wildcard.h"
#include "lib-base/text.h"
#include "lib-net/ip-address.h"

namespace culver::doveadm {

namespace {

// What a database comes to, as the result rules see it.
enum class Outcome { Ok, Refused, Unknown, CannotTell, GoesOn };

// Drivers that only authd may or can ask.
bool is_asked_by_authd_alone(std::string_view driver) {
    return driver == "pam" || driver == "checkpassword" || driver == "oauth2";
}

// /etc/shadow, which root's doveadm may read as authd's helper does.
class ShadowReader final : public PamBackend {
public:
    Result<PamAnswer> authenticate(const PamCall& call) override {
        if (call.kind != PamCall::Kind::Shadow) return fail(ErrorCode::Unavailable, "PAM is asked by authd alone");
        PamAnswer answer;
        answer.verdict = Verdict::UnknownUser;
        errno = 0;
        if (const spwd* entry = ::getspnam(call.user.c_str())) {
            answer.verdict = Verdict::Match;
            answer.secret = SecretString(entry->sp_pwdp);
        } else if (errno == EACCES) {
            return fail(ErrorCode::Unavailable, "/etc/shadow: Permission denied (run doveadm as root)");
        }
        return answer;
    }
};

class PassDbs {
public:
    PassDbs(Road& road, std::string mechanism) : road_(road), mechanism_(std::move(mechanism)) {
        if (!road_.context.pam) road_.context.pam = &shadow_;
    }
    ~PassDbs() { road_.context.pam = nullptr; }

    bool walk() {
        start_ = road_.request;
        for (const PassDbSettings& db : road_.settings.passdbs) {
            ++number_;
            step(db);
        }
        const Outcome outcome = together(by_rules());
        judge(outcome);
        return outcome != Outcome::Unknown;
    }

private:
    void step(const PassDbSettings& db) {
        road_.say(database_label("passdb", number_, db.driver, db.origin) + (db.args.empty() ? "" : " " + db.args));
        if (std::string why = why_not_asked(db); !why.empty()) return road_.add("not asked: " + why);
        asked_any_ = true;
        const Outcome outcome = ask(db);
        if (db.deny) {
            if (outcome == Outcome::Unknown) return road_.add("denies nobody by this name: the next passdb is asked");
            if (outcome == Outcome::CannotTell)
                return end(Outcome::CannotTell, "deny = yes and no answer: refused for now");
            denied_ = true;
            return end(Outcome::Refused, "deny = yes: this user is refused");
        }
        follow(db, outcome);
    }

    std::string why_not_asked(const PassDbSettings& db) const {
        if (db.master != road_.is_master_login())
            return db.master ? "master = yes is for master users only"
                             : "this is a master login: only master = yes is asked";
        if (ended_at_) return fmt::format("passdb {} has the last word", *ended_at_);
        auto mechanisms = split_words(db.mechanisms);
        auto is_this = [&](std::string_view word) { return equals_ignore_case(word, mechanism_); };
        if (!mechanisms.empty() && std::none_of(mechanisms.begin(), mechanisms.end(), is_this))
            return fmt::format("mechanisms = {}, but this login uses {} (-x mech=... tries another)", db.mechanisms,
                               mechanism_);
        std::string filter = db.username_filter;
        std::replace(filter.begin(), filter.end(), ',', ' ');
        std::vector<std::string> words;
        for (std::string_view word : split_words(filter)) words.emplace_back(word);
        if (!words.empty() && !matches_username_filter(words, road_.request.user))
            return fmt::format("username_filter = {} leaves {} out", db.username_filter, road_.request.user);
        if (db.skip == "authenticated" && verified_) return "skip = authenticated, and a passdb above has said yes";
        if (db.skip == "unauthenticated" && !verified_)
            return "skip = unauthenticated, and no passdb above has said yes";
        return {};
    }

    Outcome ask(const PassDbSettings& db) {
        if (is_asked_by_authd_alone(db.driver)) return ask_authd(db);
        Result<Answer> raw = fail(ErrorCode::Internal, "");
        with_log(road_, [&] { raw = look_up(db); });
        if (!raw && raw.error().code == ErrorCode::Unsupported) return ask_authd(db);
        if (!raw) {
            road_.add(raw.error().detail);
            return Outcome::CannotTell;
        }
        if (raw->reply.verdict == Verdict::UnknownUser) return Outcome::Unknown;
        const AuthFields fields = fields_of(db, raw->reply);
        explain_fields(fields);
        assume_address(fields);
        return db.deny ? Outcome::Ok : known(db, fields, raw->password);
    }

    // If none was given: one that allow_nets lets in.
    void assume_address(const AuthFields& fields) {
        const AuthField* nets = fields.find("allow_nets");
        if (!nets || !road_.request.remote_ip.empty()) return;
        for (std::string_view word : split(nets->value, ','))
            if (auto network = IpNetwork::parse(trim(word))) assumed_address_ = network->address.to_string();
    }

    // As the engine puts them together.
    AuthFields fields_of(const PassDbSettings& db, const PassDbReply& reply) const {
        AuthFields all;
        auto add_template = [&](std::string_view word) {
            std::size_t equals = word.find('=');
            if (equals == word.npos) return all.set(word, "", false);
            auto value = expand_for_request(word.substr(equals + 1), road_.request);
            all.set(word.substr(0, equals), value ? *value : std::string(word.substr(equals + 1)));
        };
        for (std::string_view word : split_words(db.default_fields)) add_template(word);
        for (const AuthField& field : reply.fields) all.set(field.key, field.value, field.has_value);
        for (std::string_view word : split_words(db.override_fields)) add_template(word);
        return all;
    }

    // What the database itself says, before the engine takes its part of it.
    struct Answer {
        PassDbReply reply;
        SecretString password;  // with its {SCHEME}
    };
    Result<Answer> look_up(const PassDbSettings& db) const {
        auto drivers = passdb_drivers();
        auto driver =
            std::find_if(drivers.begin(), drivers.end(), [&](const auto& one) { return one.name == db.driver; });
        auto database = driver->make(db, road_.context);
        if (!database) return fail(database.error());
        Answer answer;
        answer.reply = TRY((*database)->lookup(road_.request));
        const std::string_view stored = answer.reply.password.reveal();
        const bool is_bare = !stored.empty() && split_password(stored).first.empty();
        answer.password = is_bare ? SecretString(fmt::format("{{{}}}{}", (*database)->default_scheme(), stored))
                                  : answer.reply.password;
        return answer;
    }

    Outcome known(const PassDbSettings& db, const AuthFields& fields, const SecretString& stored) {
        if (fields.contains("noauthenticate")) return Outcome::GoesOn;
        auto engine = road_.engine_of(&db, nullptr);
        if (!engine) return Outcome::CannotTell;
        AuthRequest request = road_.request;
        request.login_user.clear();
        request.mechanism = mechanism_;
        if (!assumed_address_.empty()) request.remote_ip = assumed_address_;
        Credentials found;
        with_log(road_, [&] { found = engine->lookup_credentials(request); });
        if (found.result == AuthResult::InternalFailure) return Outcome::CannotTell;
        const bool matches = explain_password(stored, fields.contains("nopassword"), request);
        if (found.result != AuthResult::Ok && !unusable_) {
            road_.add("so a login is refused whatever the password");
            refused_by_fields_ = true;
            return Outcome::Refused;
        }
        if (!matches) return Outcome::Refused;
        std::string login_user = road_.request.login_user, remote_ip = road_.request.remote_ip;
        road_.request = std::move(request);
        road_.request.login_user = std::move(login_user);
        road_.request.mechanism.clear();
        road_.request.remote_ip = remote_ip;
        return Outcome::Ok;
    }

    void explain_fields(const AuthFields& fields) const {
        road_.add("knows this user");
        for (const AuthField& field : fields) {
            std::string effect = effect_of(field, road_.request);
            road_.add(fmt::format("  {}{}{}{}", field.key, field.has_value ? "=" : "", field.value,
                                  effect.empty() ? "" : ": " + effect));
        }
    }

    // True if a login goes on: the password given matches, or none is given and one can.
    bool explain_password(const SecretString& stored, bool any_password, const AuthRequest& request) {
        if (any_password && split_password(stored.reveal()).second.empty()) return true;
        if (stored.empty()) return road_.by_app_password || no_password("no password is stored: none can match");
        auto [name, data] = split_password(stored.reveal());
        if (data.empty() && to_upper(name) != "PLAIN")
            return no_password("the stored password is empty: none can match");
        auto decoded = decode_password(stored.reveal(), "");
        if (!decoded) return no_password(fmt::format("the stored password cannot be used: {}", decoded.error().detail));
        explain_scheme(decoded->scheme->name);
        const bool is_locked = is_locked_password(stored.reveal());
        if (is_locked) road_.add("  it begins with '!': the account is locked (usermod -U opens it)");
        if (is_locked || (data == "*" && !road_.by_app_password)) return no_password("no password can match");
        if (!road_.password) return true;
        if (road_.by_app_password) return true;
        auto equal = verify_password(*decoded, road_.password->reveal(), request.original_user);
        if (!equal) return no_password(fmt::format("the stored password cannot be used: {}", equal.error().detail));
        road_.add(fmt::format("  the password given {}", *equal ? "matches" : "does not match"));
        if (!*equal && data == road_.password->reveal())
            road_.add("  but it is what is stored, as text: write {PLAIN} in front of it, or a hash by doveadm pw");
        wrong_ = wrong_ || !*equal;
        return *equal;
    }

    bool no_password(const std::string& text) {
        road_.add("  " + text);
        unusable_ = true;
        return false;
    }

    void explain_scheme(std::string_view scheme) {
        std::vector<std::string> can, cannot;
        for (const std::string& mechanism : road_.settings.mechanisms)
            if (needs_stored_password(mechanism))
                (serves_mechanism(scheme, mechanism) ? can : cannot).push_back(mechanism);
        road_.add(fmt::format("  password of scheme {}: serves {}{}", scheme,
                              can.empty() ? "no mechanism" : join(can, " "),
                              cannot.empty() ? "" : ", not " + join(cannot, " ")));
        if (can.empty() && !cannot.empty())
            road_.conclude(
                kExitNoPermission,
                fmt::format("No mechanism of auth_mechanisms can use a password of scheme {}: add plain to it.",
                            scheme));
    }

    Outcome ask_authd(const PassDbSettings& db) {
        asked_authd_ = true;
        road_.add(
            fmt::format("{} keeps its passwords to itself: only authd can ask, and only with a password", db.driver));
        if (road_.by_app_password) {
            road_.add("so a userdb has to know the user");
            return Outcome::Ok;
        }
        if (!road_.password) {
            road_.add("taken for granted here that it says yes; give the password to see");
            return Outcome::Ok;
        }
        AuthStart start = auth_start(road_.call);
        start.service = road_.request.service;
        auto attempt =
            log_in(road_.call.socket_path("auth-client"), start, road_.request.original_user, "", *road_.password);
        if (!attempt) {
            road_.add(attempt.error().detail);
            return Outcome::CannotTell;
        }
        const AuthReply& reply = attempt->reply;
        const bool ok = reply.kind == AuthReply::Kind::Ok;
        road_.add(fmt::format("authd, asked with this password, says: {}{}{}", ok ? "yes" : "no",
                              reply.code.empty() ? "" : ", code=" + reply.code,
                              reply.reason.empty() ? "" : ", " + reply.reason));
        return ok ? Outcome::Ok : reply.code == "temp_fail" ? Outcome::CannotTell : Outcome::Refused;
    }

    void follow(const PassDbSettings& db, Outcome outcome) {
        if (outcome == Outcome::GoesOn) return road_.add("noauthenticate: the next passdb is asked");
        const char* setting = outcome == Outcome::Ok           ? "result_success"
                              : outcome == Outcome::CannotTell ? "result_internalfail"
                                                               : "result_failure";
        const std::string& rule = outcome == Outcome::Ok           ? db.result_success
                                  : outcome == Outcome::CannotTell ? db.result_internalfail
                                                                   : db.result_failure;
        if (outcome == Outcome::Unknown) road_.add("does not know this user");
        if (outcome == Outcome::CannotTell) cannot_tell_ = true;
        if (outcome == Outcome::Refused || outcome == Outcome::Ok) last_ = outcome;
        const std::string head = fmt::format("{} = {}: ", setting, rule);
        if (rule == "return-ok") return end(Outcome::Ok, head + "let in");
        if (rule == "return-fail") return end(outcome == Outcome::Ok ? Outcome::Refused : outcome, head + "refused");
        if (rule == "return") return end(succeeded_ ? Outcome::Ok : outcome, head + "this is the answer");
        if (rule == "continue-ok") succeeded_ = true;
        if (rule == "continue-ok" || (rule == "continue" && outcome == Outcome::Ok)) verified_ = true;
        if (rule == "continue-fail") succeeded_ = false;
        const bool is_last = number_ == road_.settings.passdbs.size();
        road_.add(head + (is_last ? "and no passdb is left" : "the next passdb is asked") +
                  (succeeded_ ? ", so far it is a yes" : ""));
    }

    void end(Outcome outcome, const std::string& text) {
        final_ = outcome;
        ended_at_ = number_;
        road_.add(text);
    }

    Outcome by_rules() const {
        if (ended_at_) return final_;
        if (succeeded_) return Outcome::Ok;
        if (cannot_tell_) return Outcome::CannotTell;
        return last_ == Outcome::Ok ? Outcome::Refused : last_;
    }

    // What the engine makes of all of them, which is what authd does: the last word where it can be had. Without a
    // password it is the right one that is looked for, so that a stored one that nothing matches keeps its verdict.
    Outcome together(Outcome simulated) {
        if (asked_authd_ || (unusable_ && !road_.password) || road_.settings.passdbs.empty()) return simulated;
        AuthSettings settings = road_.settings;
        settings.app_passwords.clear();
        settings.app_password_required = "no";
        auto engine = AuthEngine::create(settings, road_.context);
        if (!engine) return simulated;
        AuthRequest request = start_;
        request.mechanism = mechanism_;
        if (!assumed_address_.empty()) request.remote_ip = assumed_address_;
        AuthResult result = AuthResult::InternalFailure;
        with_log(road_, [&] {
            const bool compares = road_.password && !road_.by_app_password;
            result =
                compares ? (*engine)->verify(request, *road_.password) : (*engine)->lookup_credentials(request).result;
        });
        if (!request.trail.empty()) road_.say("passdbs together: " + request.trail.text());
        if (result == AuthResult::InternalFailure) return Outcome::CannotTell;
        if (result == AuthResult::UnknownUser)
            return simulated == Outcome::Refused ? Outcome::Refused : Outcome::Unknown;
        if (result != AuthResult::Ok) return Outcome::Refused;
        request.remote_ip = start_.remote_ip;
        request.mechanism.clear();
        if (!request.master_user.empty()) request.translated_user = request.user;
        road_.request = std::move(request);
        return Outcome::Ok;
    }

    void judge(Outcome outcome) {
        switch (outcome) {
            case Outcome::Ok: return judge_success();
            case Outcome::CannotTell:
                if (!asked_any_)
                    return road_.conclude(kExitTemporary,
                                          "A login is a temporary failure: no passdb is asked for it. Mend "
                                          "what leaves it out above.");
                return road_.conclude(kExitTemporary,
                                      "A login is a temporary failure: a passdb could not tell (see there "
                                      "what it said).");
            case Outcome::Unknown:
                return road_.conclude(kExitNoUser,
                                      fmt::format("A login is refused: no passdb knows {}. Add the user to one "
                                                  "of them, or look for the name's spelling above.",
                                                  road_.request.user));
            case Outcome::GoesOn:
            case Outcome::Refused: break;
        }
        if (denied_) road_.conclude(kExitNoPermission, "A login is refused: a passdb with deny = yes has this user.");
        else if (refused_by_fields_)
            road_.conclude(kExitNoPermission, "A login is refused by a field of the passdb, whatever the password.");
        else if (unusable_)
            road_.conclude(kExitNoPermission,
                           "A login is refused: what is stored can match no password. Set one: doveadm pw "
                           "makes the hash.");
        else if (wrong_) road_.conclude(kExitNoPermission, "A login with this password is refused: it does not match.");
        else
            road_.conclude(kExitNoPermission,
                           "A login is refused by the result rules of the passdbs, even with the right "
                           "password.");
    }

    void judge_success() {
        const AuthFields& fields = road_.request.fields;
        const std::string& service = road_.request.service;
        if (fields.contains("nologin") && !fields.contains("proxy") && service != "smtp")
            road_.conclude(kExitNoPermission, "The password may be right, but nologin is set for this user: no login.");
        if (const AuthField* host = fields.find("host"); fields.contains("proxy"))
            road_.add(fmt::format("so the session goes on to {}", host ? host->value : "nowhere: host is missing"));
        insist_on_app_password(road_);
    }

    Road& road_;
    const std::string mechanism_;
    ShadowReader shadow_;
    AuthRequest start_;  // as it was before the first passdb
    std::string assumed_address_;
    std::size_t number_ = 0;
    std::optional<std::size_t> ended_at_;
    Outcome final_ = Outcome::Unknown, last_ = Outcome::Unknown;
    bool succeeded_ = false, cannot_tell_ = false, denied_ = false, refused_by_fields_ = false, unusable_ = false,
         wrong_ = false, asked_authd_ = false, asked_any_ = false, verified_ = false;
};

}  // namespace

bool explain_passdbs(Road& road) {
    std::string mechanism = "PLAIN";
    for (const std::string& word : road.call.options('x'))
        if (word.starts_with("mech=")) mechanism = to_upper(std::string_view(word).substr(5));
    return PassDbs(road, mechanism).walk();
}

}  // namespace culver::doveadm
