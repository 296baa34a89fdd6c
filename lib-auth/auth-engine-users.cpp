// AuthEngine: who is who - the walk through the userdbs.
#include <fmt/format.h>

#include <algorithm>

#include "lib-auth/auth-engine-entries.h"
#include "lib-auth/auth-engine.h"
#include "lib-base/log.h"
#include "lib-base/text.h"

namespace culver {

namespace {
// "name:protected" only where nothing stands yet, "name:remove" takes away.
void set_field(AuthFields& fields, std::string_view key, std::string_view value, bool has_value) {
    if (key.ends_with(":remove")) return fields.remove(key.substr(0, key.size() - 7));
    if (key.ends_with(":protected")) {
        key.remove_suffix(10);
        if (fields.contains(key)) return;
    }
    if (!key.empty()) fields.set(key, value, has_value);
}

// A list of fields in one field, separated by TAB.
void import_fields(AuthFields& fields, std::string_view list) {
    for (std::string_view word : split(list, '\t')) {
        std::size_t equals = word.find('=');
        set_field(fields, word.substr(0, equals), equals == word.npos ? std::string_view() : word.substr(equals + 1),
                  equals != word.npos);
    }
}
}  // namespace

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
    auto found = limit == Work::Cheap ? lookup_credentials_at_once(request) : lookup_credentials(request);
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
    bool succeeded = false, internal_failure = false;
    for (const UserDbEntry& entry : userdbs_) {
        if (entry.skip == UserDbEntry::Skip::Found && succeeded) continue;
        if (entry.skip == UserDbEntry::Skip::NotFound && !succeeded) continue;
        auto answer = ask_userdb(entry, request, limit);
        if (!answer) return std::nullopt;
        UserResult::Kind kind = *answer;
        if (kind == UserResult::Kind::InternalFailure) internal_failure = true;
        ResultRule rule = kind == UserResult::Kind::Found      ? entry.success
                          : kind == UserResult::Kind::NotFound ? entry.failure
                                                               : entry.internal;
        if (rule == ResultRule::ReturnOk || rule == ResultRule::ContinueOk) succeeded = true;
        if (rule == ResultRule::ReturnFail || rule == ResultRule::ContinueFail) succeeded = false;
        if (rule == ResultRule::Return || rule == ResultRule::ReturnOk || rule == ResultRule::ReturnFail) break;
    }
    if (succeeded) return UserResult{UserResult::Kind::Found, ""};
    return UserResult{internal_failure ? UserResult::Kind::InternalFailure : UserResult::Kind::NotFound, ""};
}

// One userdb: its fields into the request if it knows the user.
std::optional<UserResult::Kind> AuthEngine::ask_userdb(const UserDbEntry& entry, AuthRequest& request,
                                                       Work limit) const {
    using Kind = UserResult::Kind;
    auto add_template = [&](AuthFields& fields, const std::string& field) {
        std::size_t equals = field.find('=');
        std::string_view key = std::string_view(field).substr(0, equals);
        if (equals == field.npos) return set_field(fields, key, "", false);
        auto value = expand_for_request(std::string_view(field).substr(equals + 1), request);
        if (value && key == "uid") value = resolve_uid(*value);
        if (value && key == "gid") value = resolve_gid(*value);
        if (value) return set_field(fields, key, *value, true);
        log_error(fmt::format("{}({}): {}", entry.driver, request.log_identity(), value.error().detail));
    };
    // The passdbs' fields may stand in this one's templates.
    if (entry.database->needs_existence_check() && !request.passdb_succeeded) {
        auto known = check_existence(request, limit);
        if (!known) return std::nullopt;
        if (known->kind != Kind::Found) {
            if (entry.verbose && known->kind == Kind::NotFound)
                log_info(fmt::format("{}({}): unknown user", entry.driver, request.log_identity()));
            return known->kind;
        }
    }
    auto answer = entry.database->work(request) > limit
                      ? entry.database->lookup_at_once(request)
                      : std::optional<Result<UserDbReply>>(entry.database->lookup(request));
    if (!answer) return std::nullopt;
    Result<UserDbReply>& reply = *answer;
    if (!reply) {
        if (!reply.error().detail.empty())
            log_error(fmt::format("{}({}): {}", entry.driver, request.log_identity(), reply.error().detail));
        return Kind::InternalFailure;
    }
    if (!reply->found) {
        if (entry.driver == "prefetch" && userdbs_.size() == 1) {
            log_error(
                fmt::format("prefetch({}): no passdb returned userdb_ fields, and there is no other userdb: add "
                            "one for lookups without a login (LMTP, doveadm)",
                            request.log_identity()));
            return Kind::InternalFailure;
        }
        if (entry.verbose) log_info(fmt::format("{}({}): unknown user", entry.driver, request.log_identity()));
        return Kind::NotFound;
    }
    AuthFields& fields = request.userdb_fields;
    for (const std::string& field : entry.default_fields) add_template(fields, field);
    for (const AuthField& field : reply->fields) {
        if (field.key == "user") request.user = field.value;
        else if (field.key == "userdb_import") import_fields(fields, field.value);
        else set_field(fields, field.key, field.value, field.has_value);
    }
    for (const std::string& field : entry.override_fields) add_template(fields, field);
    return Kind::Found;
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
