// doveadm auth explain: each userdb in its order, what it says and what follows; what a delivery would hear.
#include <fmt/format.h>

#include "doveadm/explain.h"

namespace culver::doveadm {

namespace {

using Kind = UserResult::Kind;

class UserDbs {
public:
    explicit UserDbs(Road& road) : road_(road) {
        if (road_.request.login_user.empty()) return;
        road_.request.master_user = road_.request.user;
        road_.request.user = road_.request.translated_user = road_.request.login_user;
        road_.request.login_user.clear();
        road_.request.has_userdb_fields = false;
        road_.request.userdb_fields.clear();
    }

    bool walk() {
        for (const AuthField& field : road_.request.userdb_fields)
            keep(field.key, field.value, "passdb field userdb_" + field.key);
        std::vector<UserDbSettings> userdbs = road_.settings.userdbs;
        if (userdbs.empty()) {
            road_.say(
                "userdb: none is configured: everybody a passdb knows is a user, with mail_uid, mail_gid and "
                "mail_home");
            userdbs.emplace_back().driver = "static";
        }
        for (const UserDbSettings& db : userdbs) {
            ++number_;
            step(db);
        }
        const Kind kind = ended_at_      ? final_
                          : found_       ? Kind::Found
                          : cannot_tell_ ? Kind::InternalFailure
                                         : Kind::NotFound;
        if (kind == Kind::NotFound)
            road_.conclude(kExitNoUser,
                           fmt::format("The password may be right, but the login ends: no userdb knows {}. Add "
                                       "the user to one of them.",
                                       road_.request.user));
        if (kind == Kind::InternalFailure)
            road_.conclude(kExitTemporary,
                           "The password may be right, but the login is a temporary failure: a userdb could "
                           "not tell (see there what it said).");
        return kind == Kind::Found;
    }

private:
    void step(const UserDbSettings& db) {
        if (!road_.settings.userdbs.empty())
            road_.say(database_label("userdb", number_, db.driver, db.origin) + (db.args.empty() ? "" : " " + db.args));
        if (ended_at_) return road_.add(fmt::format("not asked: userdb {} has the last word", *ended_at_));
        if (db.skip == "found" && found_)
            return road_.add("not asked: skip = found, and a userdb above knows the user");
        if (db.skip == "notfound" && !found_)
            return road_.add("not asked: skip = notfound, and no userdb above knows the user");
        follow(db, ask(db));
    }

    Kind ask(const UserDbSettings& db) {
        auto engine = road_.engine_of(nullptr, &db);
        if (!engine) return Kind::InternalFailure;
        AuthRequest request = road_.request;
        request.passdb_succeeded = true;
        UserResult result;
        with_log(road_, [&] { result = engine->lookup_user(request); });
        if (result.kind == Kind::NotFound && db.driver == "prefetch")
            road_.add("no passdb returned userdb_ fields for this user");
        if (result.kind != Kind::Found) return result.kind;
        road_.add("knows this user");
        for (const AuthField& field : request.userdb_fields) {
            const AuthField* before = road_.request.userdb_fields.find(field.key);
            if (before && before->value == field.value) continue;
            road_.add(fmt::format("  {}{}{}", field.key, field.value.empty() ? "" : "=", field.value));
            keep(field.key, field.value, database_label("userdb", number_, db.driver, db.origin));
        }
        road_.request.userdb_fields = request.userdb_fields;
        road_.request.user = request.user;
        return Kind::Found;
    }

    void keep(const std::string& key, const std::string& value, const std::string& origin) {
        for (OriginatedField& field : road_.fields) {
            if (field.key != key) continue;
            field.value = value;
            field.origin = origin;
            return;
        }
        road_.fields.push_back({key, value, origin});
    }

    void follow(const UserDbSettings& db, Kind kind) {
        const std::string& rule = kind == Kind::Found             ? db.result_success
                                  : kind == Kind::InternalFailure ? db.result_internalfail
                                                                  : db.result_failure;
        const char* setting = kind == Kind::Found             ? "result_success"
                              : kind == Kind::InternalFailure ? "result_internalfail"
                                                              : "result_failure";
        if (kind == Kind::NotFound) road_.add("does not know this user");
        if (kind == Kind::InternalFailure) cannot_tell_ = true;
        const std::string head = fmt::format("{} = {}: ", setting, rule);
        if (rule == "return-ok") return end(Kind::Found, head + "this is the user");
        if (rule == "return-fail")
            return end(kind == Kind::InternalFailure ? kind : Kind::NotFound, head + "there is no such user");
        if (rule == "return") return end(kind, head + "this is the answer");
        if (rule == "continue-ok") found_ = true;
        if (rule == "continue-fail") found_ = false;
        road_.add(head + "the next userdb is asked");
    }

    void end(Kind kind, const std::string& text) {
        final_ = kind;
        ended_at_ = number_;
        road_.add(text);
    }

    Road& road_;
    std::size_t number_ = 0;
    std::optional<std::size_t> ended_at_;
    Kind final_ = Kind::NotFound;
    bool found_ = false, cannot_tell_ = false;
};

}  // namespace

bool explain_userdbs(Road& road) { return UserDbs(road).walk(); }

void explain_delivery(Road& road) {
    // Then static has to find out whether the user exists.
    auto engine = AuthEngine::create(road.settings, road.context);
    if (!engine) return;
    AuthRequest request;
    request.service = "lmtp";
    if (!(*engine)->set_user(request, road.request.translated_user)) return;
    UserResult result;
    road.say("delivery: what LMTP hears about a recipient of this name");
    with_log(road, [&] { result = (*engine)->lookup_user(request); });
    road.exists = result.kind;
    road.delivery_fields = request.userdb_fields;
    road.add(result.kind == Kind::Found ? "the user exists: mail is taken"
             : result.kind == Kind::NotFound
                 ? "no such user: mail bounces (550 5.1.1)"
                 : "could not tell: mail waits at the sender (451); with userdb static and a passdb "
                   "that supports no lookups write allow_all_users=yes into its args");
}

}  // namespace culver::doveadm
